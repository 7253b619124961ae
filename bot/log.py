"""Log events: a name and fields, one JSON object a line. No prose, no token, no code of anybody.

The delivery id is in every event of a delivery and its job. Where the lines go is the program's business
(`bot/server/logs.py`); without that, nothing is written below WARNING.
"""

from __future__ import annotations

import logging
from typing import Final

LOGGER: Final = logging.getLogger("spark")
LOGGER.addHandler(logging.NullHandler())

Field = str | int | float | bool | None


def info(event: str, /, **fields: Field) -> None:
    """Something happened, such as `job.started`."""
    LOGGER.info(event, extra={"fields": fields})


def warning(event: str, /, **fields: Field) -> None:
    """Something fell short and was dealt with."""
    LOGGER.warning(event, extra={"fields": fields})


def error(event: str, /, *, exc: BaseException | None = None, **fields: Field) -> None:
    """Something of ours is broken; `exc` adds the trace."""
    LOGGER.error(event, extra={"fields": fields}, exc_info=exc)
