"""What GitHub tells us: a delivery's signature, its payload as a typed event, and what is to be done about it. Pure."""
