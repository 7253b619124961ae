"""Reviews of the same pull requests by Spark and by other tools, in one run: what `bench/reviews.py` is made of."""
