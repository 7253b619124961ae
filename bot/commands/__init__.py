"""`/spark` in comments: the grammar, who may do what, and what each command does, over ports. No HTTP, no dicts."""
