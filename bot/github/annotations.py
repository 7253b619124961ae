"""Annotations of a check run: as GitHub takes them, and which of them stand already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from bot.diff.model import printable
from bot.github import limits

_CUT: Final = " …"


class Level(StrEnum):
    """How an annotation is shown."""

    NOTICE = "notice"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """A note beside lines of the head: lines of the RIGHT side of a file that is there, counted from 1."""

    path: str
    start_line: int
    end_line: int
    level: Level
    title: str
    message: str


def annotation_json(annotation: Annotation) -> dict[str, Any]:
    """As GitHub takes it. A message or title that is too long is cut; a line before the first is the first."""
    start = max(1, annotation.start_line)
    title = printable(annotation.title)
    if len(title) > limits.MAX_CHECK_TITLE:
        title = title[: limits.MAX_CHECK_TITLE - len(_CUT)] + _CUT
    data: dict[str, Any] = {
        "path": printable(annotation.path),
        "start_line": start,
        "end_line": max(start, annotation.end_line),
        "annotation_level": str(annotation.level),
        "message": _message(annotation) or "(no text)",
    }
    if title:
        data["title"] = title
    return data


def _message(annotation: Annotation) -> str:
    message = printable(annotation.message).strip() or printable(annotation.title).strip()
    raw = message.encode()
    if len(raw) <= limits.MAX_ANNOTATION_BYTES:
        return message
    # A character that would be cut in two goes altogether.
    return raw[: limits.MAX_ANNOTATION_BYTES - len(_CUT.encode())].decode("utf-8", "ignore") + _CUT


_Mark = tuple[str, int, int, str, str]


class Ledger:
    """Which annotations stand on which run. After a lost answer that is in doubt until GitHub's list is read."""

    def __init__(self) -> None:
        self._standing: dict[int, set[_Mark]] = {}
        self._doubtful: set[int] = set()

    def add(self, run: int, annotations: Iterable[Annotation]) -> None:
        """These are not to be sent again."""
        self._standing.setdefault(run, set()).update(_mark(annotation_json(each)) for each in annotations)

    def doubt(self, run: int) -> None:
        """It is not known which annotations the run has."""
        self._doubtful.add(run)

    def in_doubt(self, run: int) -> bool:
        """Whether GitHub's list must be read before more are sent."""
        return run in self._doubtful

    def read(self, run: int, entries: Iterable[Mapping[str, Any]]) -> None:
        """GitHub's list of the run's annotations."""
        self._standing.setdefault(run, set()).update(_mark(entry) for entry in entries)
        self._doubtful.discard(run)

    def fresh(self, run: int, annotations: Sequence[Annotation]) -> list[Annotation]:
        """Those that do not stand yet, in order, each once."""
        seen = set(self._standing.get(run, ()))
        found = []
        for annotation in annotations:
            mark = _mark(annotation_json(annotation))
            if mark not in seen:
                seen.add(mark)
                found.append(annotation)
        return found


def _mark(entry: Mapping[str, Any]) -> _Mark:
    """What tells one from another, also after GitHub has tidied its white space."""
    return (
        str(entry.get("path")),
        int(entry.get("start_line") or 0),
        int(entry.get("end_line") or 0),
        " ".join(str(entry.get("title") or "").split()),
        " ".join(str(entry.get("message") or "").split()),
    )
