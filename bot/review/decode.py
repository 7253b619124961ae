"""The model's answers as values, while they stream. What can be read is read; what cannot is counted.

The agreed form is in docs/design.md, "Formats". Models keep to it nearly always, so this module knows their usual ways
around it: other words for severities and categories, a list of lines as suggestion, a whole range in `at`. It never
believes more than a finding's words: an answer that asks for a verdict, or claims anything else, is garbled.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from bot.diff.mend import join_lines, replacement_lines
from bot.review.model import Category, RawFinding, Severity
from bot.review.scan import Object, ObjectScanner
from bot.review.scope import Chunk, PassName

BODY_CAP = 4_000
TITLE_CAP = 120
PLACE_CAP = 80
PATH_CAP = 4_096
SUGGESTION_CAP = 20_000
"""A longer suggestion is left out: half of one would be wrong."""

_SEVERITIES = {
    **{severity.value: severity for severity in Severity},
    **dict.fromkeys(("blocker", "fatal", "severe", "p0", "s0"), Severity.CRITICAL),
    **dict.fromkeys(("major", "error", "important", "p1", "s1"), Severity.HIGH),
    **dict.fromkeys(("moderate", "normal", "warning", "warn", "p2", "s2"), Severity.MEDIUM),
    **dict.fromkeys(("minor", "trivial", "info", "note", "notice", "hint", "nit", "p3", "p4", "s3"), Severity.LOW),
}
_CATEGORIES = {
    **{category.value: category for category in Category},
    **dict.fromkeys(("correctness", "logic", "functional", "error", "defect", "typing", "types"), Category.BUG),
    **dict.fromkeys(("vulnerability", "injection", "privacy", "auth"), Category.SECURITY),
    **dict.fromkeys(("perf", "efficiency", "speed", "memory"), Category.PERFORMANCE),
    **dict.fromkeys(
        ("concurrency", "race", "resource", "resources", "error handling", "robustness", "leak", "availability"),
        Category.RELIABILITY,
    ),
    **dict.fromkeys(
        ("design", "readability", "complexity", "refactoring", "refactor", "duplication", "api", "compatibility"),
        Category.MAINTAINABILITY,
    ),
    **dict.fromkeys(("test", "testing", "coverage"), Category.TESTS),
    **dict.fromkeys(("documentation", "doc", "comment", "comments"), Category.DOCS),
    **dict.fromkeys(("naming", "formatting", "format", "convention", "lint"), Category.STYLE),
}
_WRAPPERS = frozenset({"findings", "issues", "results", "comments", "problems"})

_TAG = re.compile(r"(?<![0-9A-Za-z])[RL]\d{1,9}(?:#[0-9A-Za-z]{1,8})?(?![0-9A-Za-z])", re.IGNORECASE)
_FENCED = re.compile(r"\s*(`{3,}|~{3,})[^\n`]*\n(?P<inside>.*?)\n?[ \t]*\1\s*", re.DOTALL)
_SENTENCE_END = re.compile(r"[.!?](?:\s|\Z)|\n")


class Decoder:
    """One call's answer. A finding is given the moment its object is complete, in whatever pieces the text comes."""

    def __init__(self, chunk: Chunk, pass_name: PassName) -> None:
        self.ended = False
        """Whether the closing line (or `{"none": true}`) was seen."""
        self._chunk = chunk
        self._pass_name = pass_name
        self._count = 0
        self._scanner = ObjectScanner(_is_ours)

    @property
    def garbled(self) -> int:
        """Things that began like a finding and could not be read as one."""
        return self._scanner.garbled

    @property
    def understood(self) -> bool:
        """Whether anything in the answer had the agreed form: a finding, `none` or `end`."""
        return self.ended or self._count > 0

    def feed(self, text: str) -> list[RawFinding]:
        """Findings that this piece completes. Never raises, whatever the text."""
        return self._read(self._scanner.feed(text))

    def finish(self) -> list[RawFinding]:
        """What the last line holds when the stream is over."""
        return self._read(self._scanner.finish())

    def _read(self, objects: list[Object]) -> list[RawFinding]:
        findings = []
        for value in objects:
            if _is_control(value):
                self.ended = True
                continue
            findings.append(_finding(value, chunk=self._chunk.id, pass_name=self._pass_name))
        self._count += len(findings)
        return findings


class CheckVerdict(StrEnum):
    """What a check says of a finding."""

    REAL = "real"
    REFUTED = "refuted"
    UNSURE = "unsure"


_VERDICTS = {
    **{verdict.value: verdict for verdict in CheckVerdict},
    **dict.fromkeys(("true", "valid", "confirmed", "upheld", "yes", "correct"), CheckVerdict.REAL),
    **dict.fromkeys(
        ("false", "invalid", "rejected", "no", "not real", "false positive", "wrong", "incorrect"),
        CheckVerdict.REFUTED,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckAnswer:
    """A check's answer."""

    verdict: CheckVerdict
    why: str


def read_check(text: str) -> CheckAnswer | None:
    """A check's whole answer; the last verdict in it counts. None when there is none: that neither upholds nor drops."""
    scanner = ObjectScanner(lambda value: "verdict" in value)
    objects = scanner.feed(text) + scanner.finish()
    if not objects:
        return None
    said = objects[-1]
    verdict = _VERDICTS.get(_word(said["verdict"]), CheckVerdict.UNSURE)
    why = _text(said, "analysis", "why", "reason", "explanation")
    return CheckAnswer(verdict=verdict, why=_cut(why.strip(), BODY_CAP))


def read_repair(text: str) -> str | None:
    """A repair's whole answer as the new suggestion, from its JSON or from its one code block; None when there is none."""
    scanner = ObjectScanner(lambda value: "suggestion" in value)
    objects = scanner.feed(text) + scanner.finish()
    if objects:
        return _suggestion(objects[-1]["suggestion"])
    blocks = list(_FENCED.finditer(text))
    return _suggestion(blocks[0].group("inside")) if len(blocks) == 1 else None


def _is_ours(value: Object) -> bool:
    return _is_control(value) or _is_finding(value)


def _is_control(value: Object) -> bool:
    """`{"end": true}`, `{"none": true}`, or an empty list under the name of a wrapper."""
    if value.get("end") is True or value.get("none") is True:
        return not _is_finding(value)
    return len(value) == 1 and any(value.get(name) == [] for name in _WRAPPERS)


def _is_finding(value: Object) -> bool:
    """Words, and at least one thing that says where or what they are about."""
    if not _text(value, "body", "title", "description", "message").strip():
        return False
    return any(isinstance(value.get(key), str | list | int) for key in ("at", "path", "severity", "category"))


def _finding(value: Object, *, chunk: int, pass_name: PassName) -> RawFinding:
    body = _text(value, "body", "description", "message").strip()
    title = " ".join(_text(value, "title").split())
    start, end = _places(value)
    return RawFinding(
        path=_text(value, "path", "file")[:PATH_CAP],
        start=start,
        end=end,
        severity=_SEVERITIES.get(_word(value.get("severity")), Severity.MEDIUM),
        category=_CATEGORIES.get(_word(value.get("category")), Category.BUG),
        title=_cut(title or _first_sentence(body), TITLE_CAP),
        body=_cut(body or title, BODY_CAP),
        suggestion=_suggestion(value.get("suggestion")),
        chunk=chunk,
        pass_name=pass_name,
    )


def _places(value: Object) -> tuple[str, str]:
    """The tags of the first and the last line. Empty strings where there is nothing that could be one."""
    at = _place_text(value, "at", "from", "start", "line")
    to = _place_text(value, "to", "until")
    tags = _TAG.findall(at)
    start = tags[0] if tags else at[:PLACE_CAP]
    ends = _TAG.findall(to) or tags[1:]
    return start, ends[-1] if ends else start


def _place_text(value: Object, *keys: str) -> str:
    for key in keys:
        found = value.get(key)
        if isinstance(found, list):
            return " ".join(item for item in found if isinstance(item, str))
        if isinstance(found, str):
            return found.strip()
        if isinstance(found, int) and not isinstance(found, bool):
            return str(found)
    return ""


def _suggestion(value: object) -> str | None:
    """The replacement as `mend.replacement_lines` reads it; the empty string deletes the lines.

    Fences and tags around it stay: only who knows the lines to be replaced can tell whether they are meant.
    """
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        text = join_lines([line.removesuffix("\n") for line in value])
    elif isinstance(value, str) and value.strip().lower() != "null":
        text = join_lines(replacement_lines(value))
    else:
        return None
    return text if len(text) <= SUGGESTION_CAP else None


def _text(value: Mapping[str, object], *keys: str) -> str:
    """The first of `keys` that holds text."""
    for key in keys:
        found = value.get(key)
        if isinstance(found, str) and found:
            return found
    return ""


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return re.sub(r"[\s_-]+", " ", value).strip().lower() if isinstance(value, str) else ""


def _first_sentence(body: str) -> str:
    end = _SENTENCE_END.search(body)
    return body[: end.start()] if end else body


def _cut(text: str, cap: int) -> str:
    return text if len(text) <= cap else text[: cap - 1].rstrip() + "…"
