"""Spark: a code-review bot that streams line-level findings and proven patches onto pull requests."""

__version__ = "0.1.0"
