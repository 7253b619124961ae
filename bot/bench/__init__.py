"""How fast an endpoint writes: streams measured, counted by the endpoint's own usage, and set side by side.

Refuses to make a figure up: tokens are never counted by chunks, a stream that failed has no figures and is told, and
where an endpoint gives no usage its rate is an estimate that is marked as one. Knows models by their port alone.
"""
