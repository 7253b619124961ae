"""Durable jobs: a delivery is stored before it is answered, its job survives the process, and each is done once."""
