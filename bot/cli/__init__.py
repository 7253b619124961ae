"""The `spark` command, one verb a file, and what a terminal shows."""
