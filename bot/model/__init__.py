"""The fast endpoint: streaming, usage, price, budget. The only home of the openai SDK."""
