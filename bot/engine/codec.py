"""What the engine stores, as JSON text and back: work, how a run ended, what a job has kept, what a repository remembers.

Written as plain ASCII, so that any database takes it. Strict on reading: a missing or unknown key, or a value of another
type, raises `StoredDataError`, which names the value; nothing is guessed. It refuses to know tables.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from bot.diff.model import printable
from bot.engine.model import Checkpoint, Ended
from bot.errors import SparkError
from bot.hooks.orders import AnswerComment, AnswerGroup, ReviewHead, ReviewPull, Work
from bot.review.memory import Remembered

T = TypeVar("T")

_REVIEW_PULL: Final = TypeAdapter(ReviewPull)
_REVIEW_HEAD: Final = TypeAdapter(ReviewHead)
_ANSWER_GROUP: Final = TypeAdapter(AnswerGroup)
_ANSWER_COMMENT: Final = TypeAdapter(AnswerComment)
_REMEMBERED: Final = TypeAdapter(Remembered)
_ENDED: Final = TypeAdapter(Ended)
_CHECKPOINT: Final = TypeAdapter(Checkpoint)
_OBJECT: Final = TypeAdapter(dict[str, Any])

_WORKS: Final[Mapping[str, TypeAdapter[Any]]] = {
    "review_pull": _REVIEW_PULL,
    "review_head": _REVIEW_HEAD,
    "answer_group": _ANSWER_GROUP,
    "answer_comment": _ANSWER_COMMENT,
}
_KINDS: Final[Mapping[type[Work], str]] = {
    ReviewPull: "review_pull",
    ReviewHead: "review_head",
    AnswerGroup: "answer_group",
    AnswerComment: "answer_comment",
}


class StoredDataError(SparkError):
    """What the database holds is not what this version of the program writes."""


def dump_work(work: Work) -> str:
    """`{"kind": "review_pull", "work": {...}}`."""
    return dump_object({"kind": _KINDS[type(work)], "work": asdict(work)})


def load_work(text: str) -> Work:
    """What `dump_work` wrote. Raises StoredDataError."""
    shape = load_object(text)
    adapter = _WORKS.get(str(shape.get("kind")))
    if adapter is None or shape.keys() != {"kind", "work"}:
        raise _unreadable("work", f"kind {str(shape.get('kind'))[:40]!r}")
    work: Work = _read(adapter, dump_object(shape["work"]), "work")
    return work


def dump_ended(ended: Ended) -> str:
    """All fields by their names."""
    return dump_object(asdict(ended))


def load_ended(text: str) -> Ended:
    """What `dump_ended` wrote. Raises StoredDataError."""
    return _read(_ENDED, text, "end of a job")


def dump_remembered(remembered: Remembered) -> str:
    """All fields by their names."""
    return dump_object(asdict(remembered))


def load_remembered(text: str) -> Remembered:
    """What `dump_remembered` wrote. Raises StoredDataError."""
    return _read(_REMEMBERED, text, "dismissed finding")


def dump_checkpoint(checkpoint: Checkpoint) -> str:
    """`{"draft": {...}, "review": {...}}`."""
    # Not `asdict`: it would copy the whole review, which can be megabytes.
    return dump_object({"draft": checkpoint.draft, "review": checkpoint.review})


def load_checkpoint(text: str) -> Checkpoint:
    """What `dump_checkpoint` wrote. Raises StoredDataError."""
    return _read(_CHECKPOINT, text, "checkpoint")


def dump_object(value: Any) -> str:
    """A JSON value in ASCII without blanks. What is no Unicode becomes U+FFFD. ValueError for NaN and infinity."""
    text = _dumped(value, ascii_only=True)
    if "\\ud" in text:
        # Half of a surrogate pair, which a title in a payload can have: strict readers refuse it.
        text = _dumped(json.loads(printable(_dumped(value, ascii_only=False))), ascii_only=True)
    return text


def load_object(text: str | bytes) -> dict[str, Any]:
    """A JSON object. Raises StoredDataError."""
    return _read(_OBJECT, text, "JSON")


def _dumped(value: Any, *, ascii_only: bool) -> str:
    return json.dumps(value, ensure_ascii=ascii_only, allow_nan=False, separators=(",", ":"), default=_plain)


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no JSON")


def _read(adapter: TypeAdapter[T], text: str | bytes, what: str) -> T:
    try:
        return adapter.validate_json(text, strict=True, extra="forbid")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise _unreadable(what, f"{place}: {first['msg']}" if place else first["msg"]) from error


def _unreadable(what: str, why: str) -> StoredDataError:
    return StoredDataError(
        f"The database holds {what} that cannot be read ({why})",
        remedy="Run the version of Spark that wrote it, or take the row away.",
    )
