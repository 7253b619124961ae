"""Names of the repository's configuration that are wanted before anybody reads one. It needs no library."""

from __future__ import annotations

from enum import StrEnum

CONFIG_PATH = ".github/spark.yml"
"""Where a repository keeps it."""


class Trigger(StrEnum):
    """What starts a review."""

    OPENED = "opened"
    SYNCHRONIZE = "synchronize"
    READY_FOR_REVIEW = "ready_for_review"
    LABEL = "label"
    COMMAND = "command"
