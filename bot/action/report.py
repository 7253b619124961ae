"""What a run inside Actions says of its review: outputs, annotations, one headline, the step's summary, and lines of its log.

Makes text out of a finished review, or out of the reason why there is none; `files` and `commands` write it. Decides nothing:
verdict and exit code are made elsewhere. Text of others is escaped and redacted as in the comments on a pull request.
"""

# Without the usual import from `__future__`: its name is that of a function here.
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bot.action.commands import PER_LEVEL, Level, annotation
from bot.action.summary import summary
from bot.diff.anchors import nearest_after
from bot.diff.model import Patch, Side, printable
from bot.review.events import Finished, Found, Lost, Note, ReviewEvent, Started
from bot.review.gate import stands
from bot.review.model import Dropped, Finding, FindingStatus, Misplaced, Review, Severity, Verdict
from bot.review.render import words
from bot.review.render.check import plain
from bot.review.render.frame import suggestion_diff
from bot.review.render.safe import Redactor, one_line

__all__ = [
    "Annotated",
    "Headline",
    "LogListener",
    "Telling",
    "annotations",
    "headline",
    "outputs",
    "summary",
    "told",
]

NONE: Final = "none"
"""The highest severity where nothing stands."""
TITLE: Final = "Spark"
"""Title of the annotation with the verdict."""

_LEVELS: Final = {
    Severity.CRITICAL: Level.ERROR,
    Severity.HIGH: Level.ERROR,
    Severity.MEDIUM: Level.WARNING,
    Severity.LOW: Level.NOTICE,
}
_VERDICTS: Final = {Verdict.FAIL: Level.ERROR, Verdict.NEUTRAL: Level.WARNING, Verdict.PASS: Level.NOTICE}
_TOLD: Final = frozenset({FindingStatus.POSTED, FindingStatus.KNOWN, FindingStatus.OVER_LIMIT})
_SENTENCE: Final = 1_000
_BODY: Final = 3_000
_CHANGE: Final = 900
"""Characters of an annotation's text, and of the suggested change behind it: together below what the runner passes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """The one thing to say of a run. `text` is plain."""

    level: Level
    text: str

    @property
    def command(self) -> str:
        """As an annotation of the run."""
        return annotation(self.level, self.text, title=TITLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotated:
    """Findings beside their lines."""

    commands: tuple[str, ...]
    """Workflow commands, most severe first; to be printed where commands are obeyed."""
    left_out: tuple[Finding | Misplaced, ...]
    """Findings for which GitHub would show none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """All that is said of a run without a review."""

    headline: Headline
    outputs: Mapping[str, str]
    summary: str


def outputs(
    review: Review,
    *,
    sarif_file: Path | None,
    seconds_total: float,
    seconds_before: float = 0.0,
    redactor: Redactor | None = None,
) -> Mapping[str, str]:
    """Every output of `action.yml`. `seconds_before`: from the start of the program to that of the review."""
    redactor = redactor or Redactor(review.change.patch)
    standing: list[Severity] = [
        *(one.severity for one in review.findings if stands(one)),
        *(one.severity for one in review.misplaced),
        *(one.severity for one in review.earlier),
    ]
    first, usd = review.timing.first_finding, review.usage.usd
    return {
        "verdict": review.verdict.value,
        "reason": _line(review.reason, redactor),
        "findings": str(len(standing)),
        "highest-severity": max(standing, key=lambda severity: severity.rank).value if standing else NONE,
        "review-url": review.review_url or "",
        "sarif-file": str(sarif_file) if sarif_file is not None else "",
        "seconds-to-first-finding": "" if first is None else f"{first + seconds_before:.2f}",
        "seconds-total": f"{seconds_total:.2f}",
        "usd": "" if usd is None else f"{usd:.6f}".rstrip("0").rstrip("."),
    }


def headline(review: Review, redactor: Redactor | None = None, *, exit_code: int = 0) -> Headline:
    """The verdict with its reason: an error where the gate failed or the run does, a warning where it is neutral.

    `exit_code`: the run's; where it is not the gate's the failure is named too.
    """
    redactor = redactor or Redactor(review.change.patch)
    text = words.verdict(review)
    if exit_code > 1 and review.failure is not None:
        text = f"{text.rstrip('.')}. {review.failure}"
    level = Level.ERROR if exit_code else _VERDICTS[review.verdict]
    return Headline(level=level, text=_line(text, redactor))


def annotations(review: Review, redactor: Redactor | None = None, *, taken: Collection[Level] = ()) -> Annotated:
    """An annotation for each finding that stands, as many of a level as GitHub shows, most severe first.

    Lines are those of the head: a finding about removed lines is put on the line next to them, one without a line on its file.
    `taken`: the levels of annotations that the run prints beside these, each as often as it does.
    """
    redactor = redactor or Redactor(review.change.patch)
    left = {level: PER_LEVEL - sum(each is level for each in taken) for level in Level}
    every: list[Finding | Misplaced] = [one for one in review.findings if one.status in _TOLD]
    commands, left_out = [], []
    for one in sorted([*every, *review.misplaced], key=lambda one: -one.severity.rank):
        level = _LEVELS[one.severity]
        if left[level] <= 0:
            left_out.append(one)
            continue
        left[level] -= 1
        commands.append(_annotation(one, level, review.change.patch, redactor))
    return Annotated(commands=tuple(commands), left_out=tuple(left_out))


def told(reason: str, *, seconds_total: float, verdict: Verdict | None = None, level: Level = Level.NOTICE) -> Telling:
    """A run without a review: nothing to do, refused, or stopped by an error. `reason`: a sentence, which may quote others.

    Without a `verdict` that output is empty, as is every one that would need a review: no findings are not 0 findings.
    """
    redactor = Redactor(Patch(files=()))
    said = f"{verdict.value.capitalize()}: {reason}" if verdict is not None else reason
    known = {
        "verdict": verdict.value if verdict is not None else "",
        "reason": _line(reason, redactor),
        "seconds-total": f"{seconds_total:.2f}",
    }
    empty = ("findings", "highest-severity", "review-url", "sarif-file", "seconds-to-first-finding", "usd")
    return Telling(
        headline=Headline(level=level, text=_line(said, redactor)),
        outputs=known | dict.fromkeys(empty, ""),
        summary=f"## Spark · {one_line(redactor.redact(said), _SENTENCE)}\n",
    )


class LogListener:
    """A plain line in the job's log for each finding, the moment it is there; see `bot.review.ports.Listener`."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        """`tell` prints one line that it makes harmless, as `bot.action.commands.Quiet.line` does."""
        self._tell = tell
        self._redactor = Redactor(Patch(files=()))

    def on(self, event: ReviewEvent) -> None:
        """Tell of one event; progress is none."""
        match event:
            case Started():
                self._redactor = Redactor(event.change.patch)
                self._say(event.at, words.opening(event.change, event.plan, event.model))
            case Found(finding=finding) if finding.status is not FindingStatus.DISMISSED:
                where = f"{words.label(finding)} · {words.place(finding.anchor)}"
                self._say(event.at, f"{where} · {finding.title}{_sort(finding)}")
            case Lost(what=Misplaced() as lost):
                where = f"{words.label(lost)} · {lost.path} {lost.claimed}".rstrip()
                self._say(event.at, f"{where} · {lost.title} (no line of the diff)")
            case Lost(what=Dropped() as dropped):
                self._say(event.at, f"dropped ({dropped.reason}) · {words.place(dropped.finding.anchor)}")
            case Note():
                self._say(event.at, event.text)
            case Finished():
                self._say(event.at, f"{words.verdict(event.review)} · {words.headline(event.review)}")
                self._say(event.at, words.measures(event.review))
            case _:
                pass

    def _say(self, at: float, text: str) -> None:
        self._tell(f"{words.seconds(at):>7}  {_line(text, self._redactor)}")


def _sort(finding: Finding) -> str:
    return " (with a proven change)" if finding.suggestion is not None and finding.proven else ""


def _annotation(one: Finding | Misplaced, level: Level, patch: Patch, redactor: Redactor) -> str:
    title = _line(f"{words.label(one)}: {one.title}", redactor)
    body = plain(one.body, redactor, limit=_BODY)
    if isinstance(one, Misplaced):
        known = any(file.path == one.path for file in patch.files)
        said = f"{body}\n\n{_line(f'No line of the diff: {one.path} {one.claimed}: {one.reason}', redactor)}"
        return annotation(level, said.strip(), path=printable(one.path) if known else "", title=title)
    anchor, path = one.anchor, printable(one.path)
    if anchor.side is Side.RIGHT:
        said = f"{body}{_change(one, redactor)}"
        return annotation(level, said, path=path, line=anchor.start_line, end_line=anchor.line, title=title)
    near = nearest_after(patch, anchor)
    said = f"{body}\n\n{_line(f'About {words.place(anchor)}', redactor)}{_change(one, redactor)}"
    return annotation(level, said.strip(), path=path, line=near.number if near is not None else None, title=title)


def _change(finding: Finding, redactor: Redactor) -> str:
    """The suggested change as text; nobody can commit an annotation."""
    if finding.suggestion is None or not finding.proven:
        return ""
    rows = suggestion_diff(finding.anchor, finding.suggestion, redact=redactor.redact)
    text = "\n".join(f"{row.sign}{row.text}" for row in rows)
    return (
        f"\n\nSuggested change:\n{text}"
        if len(text) <= _CHANGE
        else "\n\nA suggested change is in the summary of the run."
    )


def _line(text: str, redactor: Redactor) -> str:
    return " ".join(plain(text, redactor, limit=_SENTENCE).split())
