"""Does a job on GitHub: the check run that grows while the model writes, the review, the answer to a merge queue."""
