"""GitHub: reading pulls, posting reviews. The only home of PyGithub."""
