"""The HTTP side of a Spark that somebody hosts: the webhook door, the live pages, health and metrics, the App's set-up."""
