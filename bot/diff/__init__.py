"""The diff without holes: patch, file, hunk, line; anchors; edits; does the edited file still parse. Pure: no I/O."""
