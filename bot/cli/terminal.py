"""What a terminal shows of a review: findings the moment they come, a status line under them, a summary at the end.

On a terminal with colour and a live last line; anywhere else plain lines without one control code. Decides nothing.
"""

from __future__ import annotations

import time

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from bot.cli.blocks import STYLES, Blocks
from bot.diff.model import Patch
from bot.review.events import Finished, Found, Lost, Note, Progress, ReviewEvent, Started
from bot.review.merge import same
from bot.review.model import Change, Finding, FindingStatus, Fingerprint, Review, Severity, Verdict
from bot.review.render import words
from bot.review.render.safe import Redactor
from bot.review.scope import Skip

_VERDICTS = {Verdict.PASS: "bold green", Verdict.FAIL: "bold red", Verdict.NEUTRAL: "bold yellow"}
_PATHS = 6
"""Skipped files named for each reason; the rest is counted. All are in the JSON and the HTML report."""
CHANGED = "more was said of a finding above, which is now:"
"""Stands before a finding that was merged with another one after it was shown."""


class TerminalListener:
    """Prints events to one console; see `bot.review.ports.Listener`."""

    def __init__(self, console: Console, *, redactor: Redactor | None = None) -> None:
        """`redactor` spares the work of making one when the change is known before the review begins."""
        self._console = console
        self._redactor = redactor
        self._blocks: Blocks | None = None
        self._seen: dict[Fingerprint, Finding] = {}
        self._status = _Status()
        self._live: Live | None = None

    def wait(self) -> None:
        """The change is being read: nothing is known yet, but something happens."""
        self._watch()

    def on(self, event: ReviewEvent) -> None:
        """Show one event."""
        match event:
            case Started():
                self._start(event)
            case Progress():
                self._status.progress(event)
            case Found() if event.finding.status is FindingStatus.DISMISSED:
                pass  # By a rule of the repository; counted at the end.
            case Found():
                self._status.found += 1
                self._seen[event.finding.fingerprint] = event.finding
                self._show(self._blocks_for(None).finding(event.finding))
            case Lost():
                self._status.lost += 1
            case Note():
                self._show([Text(self._blocks_for(None).plain(f"note: {event.text}"), style="dim")])
            case Finished():
                self.close()
                self._finish(event.review)

    def close(self) -> None:
        """Take the status line away; needed by the caller only when a review ends without `Finished`."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _start(self, event: Started) -> None:
        blocks = self._blocks_for(event.change)
        chunks = len(event.plan.chunks)
        self._show([Text(blocks.plain(words.opening(event.change, event.plan, event.model)), style="dim"), Text("")])
        self._status.begin(at=event.at, chunks=chunks if event.model else 0)
        if chunks:
            self._watch()
        else:
            self.close()

    def _watch(self) -> None:
        """Show the status line, where there is a terminal that can have one."""
        if self._live is None and self._console.is_terminal and not self._console.is_dumb_terminal:
            self._live = Live(self._status, console=self._console, transient=True, refresh_per_second=10)
            self._live.start()

    def _blocks_for(self, change: Change | None) -> Blocks:
        # Reading a change for its secrets takes as long as showing a hundred findings: once is enough.
        if self._blocks is None or (change is not None and change.patch is not self._blocks.patch):
            patch = change.patch if change else Patch(files=())
            self._blocks = Blocks(patch, self._redactor or Redactor(patch), encoding=self._console.encoding)
        return self._blocks

    def _before(self, finding: Finding) -> Finding | None:
        """The finding as it was shown, also when a merge has given it another identity since."""
        known = self._seen.get(finding.fingerprint)
        return known or next((seen for seen in self._seen.values() if same(seen, finding)), None)

    def _show(self, lines: list[Text]) -> None:
        if self._console.is_terminal:
            # One print for a block: the status line is drawn again after each.
            self._console.print(Group(*map(_indented, lines)), highlight=False)
            return
        for line in lines:
            # Whole lines: a pipe has no width, and a wrapped line of code would be a wrong one.
            self._console.print(line, soft_wrap=True, highlight=False)

    def _finish(self, review: Review) -> None:
        blocks = self._blocks_for(review.change)
        for finding in words.shown(review):
            before = self._before(finding)
            if before is None or _told(before) != _told(finding):
                again = [] if before is None else [Text(CHANGED, style="dim")]
                self._show([*again, *blocks.finding(finding)])
        for lost in review.misplaced:
            self._show(blocks.misplaced(lost))
        rows = _summary(review)
        if not self._console.is_terminal:
            self._show([Text(blocks.plain(f"{name}: {text}")) for name, text, _ in rows])
            return
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim", no_wrap=True)
        table.add_column()
        for name, text, style in rows:
            table.add_row(name, Text(blocks.plain(text), style=style))
        self._console.rule(style="dim", characters="─" if blocks.plain("─") == "─" else "-")
        self._console.print(table)


def _told(finding: Finding) -> tuple[object, ...]:
    """What a reader acts on; other words for the same are not worth a second block."""
    return finding.severity, finding.suggestion


def show_review(console: Console, review: Review, redactor: Redactor | None = None) -> None:
    """A whole review at once, for when nobody watched it being written."""
    TerminalListener(console, redactor=redactor).on(Finished(at=review.timing.done or 0.0, review=review))


def _indented(line: Text) -> RenderableType:
    """A line whose continuation lines, when it is wrapped, begin where it begins."""
    indent = 0 if line.no_wrap else len(line.plain) - len(line.plain.lstrip(" "))
    return Padding(line[indent:], (0, 0, 0, indent)) if indent else line


class _Status:
    """The live last line: spinner, calls done, findings, tokens, tokens a second, seconds."""

    def __init__(self) -> None:
        self._spinner = Spinner("dots")
        self._begun = time.monotonic()
        self._is_open = False
        self._chunks = 0
        self._done = 0
        self._tokens = 0
        self._first: tuple[float, int] | None = None
        self._last_at = 0.0
        self.found = 0
        self.lost = 0

    def begin(self, *, at: float, chunks: int) -> None:
        """The streams open now, `at` seconds after the review began."""
        self._begun = time.monotonic() - at
        self._is_open = True
        self._chunks = chunks

    def progress(self, event: Progress) -> None:
        """Take in how far the streams are."""
        self._done, self._chunks, self._tokens = event.chunks_done, event.chunks, event.output_tokens
        self._last_at = event.at
        if self._first is None and event.output_tokens:
            self._first = (event.at, event.output_tokens)

    def text(self) -> str:
        """The line without its spinner."""
        if not self._is_open:
            return f"reading the change · {time.monotonic() - self._begun:.1f} s"
        if not self._chunks:
            parts = ["analyzers at work"]
        else:
            tokens = f"{self._tokens:,} tokens{self._rate()}" if self._tokens else "waiting for the first token"
            parts = [f"{self._done}/{words.count(self._chunks, 'call')}", tokens]
        parts.append(words.count(self.found, "finding"))
        if self.lost:
            parts.append(f"{self.lost} dropped")
        return " · ".join([*parts, f"{time.monotonic() - self._begun:.1f} s"])

    def _rate(self) -> str:
        if self._first is None or self._last_at - self._first[0] < 0.05:
            return ""
        return f" ({(self._tokens - self._first[1]) / (self._last_at - self._first[0]):,.0f}/s)"

    def __rich__(self) -> Spinner:
        self._spinner.update(text=Text(self.text(), style="dim", no_wrap=True, overflow="ellipsis"))
        return self._spinner


def _summary(review: Review) -> list[tuple[str, str, str]]:
    """`(name, text, style)` of each line of the summary; only what there is to say."""
    rows = [("verdict", words.verdict(review), _VERDICTS[review.verdict])]
    worst = next(
        (severity for severity in Severity if any(one.severity is severity for one in words.shown(review))), None
    )
    rows.append(
        ("findings", words.headline(review), STYLES[worst] if worst and worst is not Severity.CRITICAL else "bold")
    )
    rows += [("notice", notice, "yellow") for notice in review.notices]
    rows += [
        ("earlier", f"{words.label(one)}: {one.title}: {what} ({one.url})", "yellow")
        for one, what in words.earlier(review)
    ]
    rows.append(("coverage", words.coverage(review), "" if review.coverage.whole else "yellow"))
    rows += [("not reviewed", f"{where}: {why}", "yellow") for where, why in words.holes(review)]
    if review.coverage.difference:
        rows.append(("partly", review.coverage.difference, "yellow"))
    for reason, group in words.skipped(review.coverage).items():
        rows.append(("skipped", f"{reason}: {_paths(group)}", "yellow" if group[0].is_gap else ""))
    rows += [("not shown", phrase, "") for phrase in words.set_aside(review)]
    rows += [("dismissed", line, "") for line in words.dismissed_lines(review)]
    if review.review_url:
        rows.append(("posted", review.review_url, ""))
    rows.append(("measured", words.measures(review), "dim"))
    return rows


def _paths(group: list[Skip]) -> str:
    names = ", ".join(f"{skip.path} ({skip.detail})" if skip.detail else skip.path for skip in group[:_PATHS])
    return f"{names} and {len(group) - _PATHS} more" if len(group) > _PATHS else names
