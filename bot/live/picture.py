"""A review's events as a live page wants them: JSON values, redacted, bounded, each understandable by itself.

The diff is sent once, when it is read; a finding names the row that it stands under, and carries its own few lines for when
these were left out. Everything is text as a person should see it and nothing is escaped: who shows it must do that. A finding
that was merged with another one after it was told is told again at the end. It refuses to decide
anything about findings.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from bot.diff.model import Anchor, FilePatch, Hunk, Line, Patch, printable
from bot.live.events import LiveEvent, LiveKind
from bot.review.events import Finished, Found, Lost, Note, Progress, ReviewEvent, Started
from bot.review.merge import same
from bot.review.model import Dropped, Finding, Fingerprint, Misplaced, Review
from bot.review.render import words
from bot.review.render.frame import frame, suggestion_diff
from bot.review.render.json import finding_json, pull_json, review_json, skip_json
from bot.review.render.safe import Redactor, shorten, visible
from bot.review.scope import Skip

MOST_ROWS: Final = 4_000
"""Lines of the diff that are shown in all. A person does not read more, and a page should not carry more."""
MOST_ROWS_A_FILE: Final = 1_000
"""Of a change that has more than `MOST_ROWS`: one long file must not push all others out."""
LONGEST_LINE: Final = 500
_LONGEST_READ: Final = 20_000
"""Characters of a line that are looked through for secrets before it is cut."""
PROGRESS_SECONDS: Final = 0.2
_WINDOW_SECONDS: Final = 1.0
"""Over which tokens per second are measured."""

_BETWEEN: Final = "\n\n"
_REFUTED: Final = "Refuted when it was checked"
_DUPLICATE: Final = "Not told again"


class Picture:
    """Of one review. Feed it the events in order, from one thread."""

    def __init__(self, redactor_of: Callable[[Patch], Redactor] = Redactor) -> None:
        """`redactor_of`: for a caller who has made one of the same patch already."""
        self._redactor_of = redactor_of
        self._patch = Patch(files=())
        self._redactor: Redactor | None = None
        self._speed = _Speed()
        self._told_at: float | None = None
        self._told: dict[Fingerprint, Found] = {}

    def of(self, event: ReviewEvent) -> Iterator[LiveEvent]:
        """What the page is told of this; nothing for progress that comes too soon after the last."""
        match event:
            case Started():
                self._patch = event.change.patch
                self._redactor = None
                yield LiveEvent(kind=LiveKind.STARTED, data=self._started(event))
            case Progress():
                yield from self._progress(event)
            case Found():
                self._told[event.finding.fingerprint] = event
                yield LiveEvent(kind=LiveKind.FOUND, data=self._found(event))
            case Lost():
                yield LiveEvent(kind=LiveKind.LOST, data={"at": event.at, **self._lost(event.what)})
            case Note():
                yield LiveEvent(kind=LiveKind.NOTE, data={"at": event.at, "text": self._text(event.text)})
            case Finished():
                if self._patch is not event.review.change.patch:
                    self._patch, self._redactor = event.review.change.patch, None
                for changed in self._changed(event.review):
                    yield LiveEvent(kind=LiveKind.FOUND, data=self._found(changed))
                review = review_json(event.review, self._made())
                yield LiveEvent(kind=LiveKind.FINISHED, data={"at": event.at, "review": review})

    def _made(self) -> Redactor:
        """Made when first needed: it reads every line of the change."""
        if self._redactor is None:
            self._redactor = self._redactor_of(self._patch)
        return self._redactor

    def _text(self, text: str) -> str:
        return printable(self._made().redact(text))

    def _line(self, text: str) -> str:
        """A line of code; cut only after it was redacted, so that no half of a secret is left."""
        return shorten(self._made().redact(visible(text[:_LONGEST_READ])), LONGEST_LINE)

    # -- the diff ------------------------------------------------------------------------------------------------

    def _started(self, event: Started) -> dict[str, Any]:
        change, plan, redactor = event.change, event.plan, self._made()
        reasons = {skip.path: skip for skip in plan.skipped}
        lines = sum(len(hunk.lines) for hunk in change.patch.hunks())
        room = MOST_ROWS
        files = []
        for file in change.patch.files:
            at_most = room if lines <= MOST_ROWS else min(room, MOST_ROWS_A_FILE)
            shape = self._file(file, reasons.get(file.path), at_most)
            room -= sum(len(hunk["rows"]) for hunk in shape["hunks"])
            files.append(shape)
        return {
            "at": event.at,
            "model": event.model,
            "title": self._text(change.title),
            "pull": pull_json(change.pull, redactor),
            "base": printable(change.base),
            "head": printable(change.head),
            "chunks": len(plan.chunks),
            "hunks": len(plan.hunks),
            "files": files,
            "skipped": [skip_json(skip, redactor) for skip in plan.skipped],
        }

    def _file(self, file: FilePatch, skip: Skip | None, at_most: int) -> dict[str, Any]:
        """One file with as many lines as there is room for; none of a file that is not reviewed."""
        hunks: list[dict[str, Any]] = []
        shown = 0
        for hunk in () if skip is not None else file.hunks:
            if shown >= at_most:
                break
            hunks.append(self._hunk(hunk, at_most - shown))
            shown += len(hunks[-1]["rows"])
        return {
            "id": _file_id(file.index),
            "path": self._text(file.path),
            "old_path": None if file.old_path is None else self._text(file.old_path),
            "status": file.status.value,
            "added": file.added,
            "removed": file.removed,
            "hunks": hunks,
            "rows_omitted": sum(len(hunk.lines) for hunk in file.hunks) - shown,
            "skip": "" if skip is None else self._text(skip.detail or skip.reason.value),
        }

    def _hunk(self, hunk: Hunk, at_most: int) -> dict[str, Any]:
        title = f"@@ -{hunk.old_start},{hunk.old_count} +{hunk.new_start},{hunk.new_count} @@ {hunk.section}"
        return {
            "id": _hunk_id(hunk.key.file, hunk.key.hunk),
            "title": self._line(title.rstrip()),
            "rows": [
                [line.kind.value, line.old, line.new, text]
                for line, text in zip(hunk.lines, self._lines(hunk.lines[:at_most]), strict=False)
            ],
        }

    def _lines(self, lines: Sequence[Line]) -> list[str]:
        """As `_line` for each; in one go where there is no secret, as nearly always, because streams wait for this."""
        texts = [visible(line.text[:_LONGEST_READ]) for line in lines]
        # Two line breaks, so that no line is read in the light of the one before.
        together = _BETWEEN.join(texts)
        if self._made().has_secret(together):
            return [self._line(line.text) for line in lines]
        return [shorten(text, LONGEST_LINE) for text in texts]

    # -- findings ------------------------------------------------------------------------------------------------

    def _found(self, event: Found) -> dict[str, Any]:
        finding, redact = event.finding, self._line
        diff = None
        shape = finding_json(finding, self._made())
        # The JSON has none where it has a secret in it.
        if shape["suggestion"] is not None and finding.suggestion is not None:
            lines = suggestion_diff(finding.anchor, finding.suggestion, redact=redact)
            diff = [[line.sign, line.text] for line in lines]
        return {
            **shape,
            "at": event.at,
            "id": finding.fingerprint,
            "label": words.label(finding),
            "small": [self._text(text) for text in _small_print(finding, shape)],
            "rows": self._rows(finding.anchor),
            "frame": [
                [line.kind.value if line.kind is not None else None, line.old, line.new, line.text, line.marked]
                for line in frame(self._patch, finding.anchor, redact=redact)
            ],
            "diff": diff,
        }

    def _changed(self, review: Review) -> Iterator[Found]:
        """Findings of which more was said since they were told: by a duplicate that became part of them.

        That may have given them another identity: then the one that they were told under is not in the review.
        """
        final = {finding.fingerprint for finding in review.findings}
        gone = [told for name, told in self._told.items() if name not in final]
        for finding in review.findings:
            told = self._told.get(finding.fingerprint) or next(
                (one for one in gone if same(one.finding, finding)), None
            )
            if told is not None and _said(told.finding) != _said(finding):
                yield replace(told, finding=finding)

    def _rows(self, anchor: Anchor) -> dict[str, Any]:
        """Where it stands in the diff: the numbers of its first and its last row."""
        hunk = self._patch.hunk(anchor.hunk)
        marked = [line for line in hunk.on(anchor.side) if anchor.start_line <= line.number <= anchor.line]
        return {
            "file": _file_id(anchor.hunk.file),
            "hunk": _hunk_id(anchor.hunk.file, anchor.hunk.hunk),
            "start": {"old": marked[0].old, "new": marked[0].new} if marked else None,
            "end": {"old": marked[-1].old, "new": marked[-1].new} if marked else None,
        }

    def _lost(self, what: Dropped | Misplaced) -> dict[str, Any]:
        """Why a finding is not shown, in words for people."""
        match what:
            case Dropped(finding=finding, reason=kind, why=why):
                said = {"refuted": _REFUTED, "duplicate": _DUPLICATE}.get(kind, kind.capitalize())
                return {
                    "kind": kind,
                    "path": self._text(finding.path),
                    "line": finding.anchor.line,
                    "side": finding.side.value,
                    "title": self._text(finding.title),
                    "severity": finding.severity.value,
                    "reason": self._text(f"{said}: {why}" if why else said),
                }
            case Misplaced():
                return {
                    "kind": "misplaced",
                    "path": self._text(what.path),
                    "line": None,
                    "side": None,
                    "claimed": self._text(what.claimed),
                    "title": self._text(what.title),
                    "severity": what.severity.value,
                    "reason": self._text(f"It has no line of the diff: {what.reason}"),
                }

    # -- progress ------------------------------------------------------------------------------------------------

    def _progress(self, event: Progress) -> Iterator[LiveEvent]:
        speed = self._speed.at(event.at, event.output_tokens)
        last = event.chunks_done == event.chunks
        # Two that the caller's clock puts just so far apart are far enough apart.
        soon = self._told_at is not None and event.at - self._told_at < PROGRESS_SECONDS * 0.95
        if soon and not last:
            return
        self._told_at = event.at
        yield LiveEvent(
            kind=LiveKind.PROGRESS,
            data={
                "at": event.at,
                "chunks_done": event.chunks_done,
                "chunks": event.chunks,
                "output_tokens": event.output_tokens,
                "tokens_per_second": round(speed),
            },
        )


class _Speed:
    """Tokens per second over the last second or so."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def at(self, moment: float, tokens: int) -> float:
        """The speed now that so many tokens are there in all; 0 where nothing can be said yet."""
        seen = self._seen
        seen.append((moment, tokens))
        # The youngest that is old enough stays, to measure from.
        while len(seen) > 2 and moment - seen[1][0] >= _WINDOW_SECONDS:
            seen.popleft()
        since, before = seen[0]
        return max(0, tokens - before) / (moment - since) if moment > since else 0.0


def _said(finding: Finding) -> tuple[object, ...]:
    """What a reader reads of it."""
    words = (finding.severity, finding.category, finding.title, finding.body, finding.suggestion, finding.votes)
    return finding.fingerprint, *words


def _small_print(finding: Finding, shape: dict[str, Any]) -> list[str]:
    """As every output has it, but that a suggestion which is not shown is not praised."""
    if finding.suggestion is None or shape["suggestion"] is not None:
        return words.small_print(finding)
    return [str(shape["note"])]


def _file_id(index: int) -> str:
    return f"f{index}"


def _hunk_id(file: int, hunk: int) -> str:
    return f"f{file}h{hunk}"
