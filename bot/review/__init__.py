"""The use case of a review and its pure steps. No I/O: the world is reached through `ports.py` alone."""
