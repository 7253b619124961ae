"""A review while it is written, as events that can be stored, sent and shown. Pure."""
