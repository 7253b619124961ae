"""What people and tools read, made in one place: comments, summary, JSON, SARIF, markdown."""
