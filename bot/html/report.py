"""A review as one HTML file: the diff with the findings under their lines, to open, keep or send.

Self-contained: no script, no request, and a policy in the page that would forbid both. Every text is escaped by Jinja or
made of escaped pieces; bodies are rendered without links, images and HTML.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup
from pygments.lexer import Lexer  # type: ignore[import-untyped]  # rich brings it, without types.

from bot.diff.model import FilePatch, Hunk, HunkKey, LineKind, Side
from bot.html.highlight import colour, lexer_for
from bot.html.pieces import inline, prose, templates
from bot.review.model import Finding, Misplaced, Review, Severity, Timing
from bot.review.render import words
from bot.review.render.frame import DiffLine, suggestion_diff
from bot.review.render.safe import Redactor, clean, visible

OPEN_LINES = 400
"""A file without findings is folded when it is longer, and so is a hunk without findings in a longer file."""
OPEN_LINES_IN_ALL = 4_000
"""In a longer diff every file without findings is folded."""


@dataclass(slots=True, kw_only=True)
class Card:
    """A finding as the page shows it. `number` counts from the most severe."""

    number: int
    severity: Severity
    label: str
    title: Markup
    body: Markup
    where: str
    small: list[str]
    suggestion: tuple[DiffLine, ...] = ()
    withheld: str = ""


@dataclass(slots=True, kw_only=True)
class Row:
    """One line of the diff."""

    kind: str
    sign: str
    old: int | None
    new: int | None
    code: Markup
    mark: Severity | None = None
    cards: list[Card] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class HunkView:
    """One hunk; `open` says whether it is shown unfolded."""

    title: str
    rows: list[Row]
    open: bool
    hole: str


@dataclass(slots=True, kw_only=True)
class FileView:
    """One file of the diff."""

    id: str
    path: str
    old_path: str
    status: str
    added: int
    removed: int
    hunks: list[HunkView]
    cards: list[Card]
    open: bool


def review_html(review: Review, redactor: Redactor | None = None) -> str:
    """The whole page. `redactor` spares the work of making one; it must be of the same patch."""
    page = _Page(review, redactor or Redactor(review.change.patch))
    return page.render()


class _Page:
    """Makes the views of one review."""

    def __init__(self, review: Review, redactor: Redactor) -> None:
        self.review = review
        self.redactor = redactor
        self.shown = words.shown(review)
        self.huge = sum(len(hunk.lines) for hunk in review.change.patch.hunks()) > OPEN_LINES_IN_ALL
        self.holes: dict[HunkKey, str] = {}
        for hole in review.coverage.holes:
            self.holes.setdefault(hole.hunk, hole.reason)

    def text(self, text: str) -> str:
        """Untrusted text without secrets and control characters; Jinja escapes it."""
        return clean(self.redactor.redact(text))

    def render(self) -> str:
        """The page."""
        review = self.review
        cards = [self._card(number, finding) for number, finding in enumerate(self.shown, start=1)]
        by_hunk: dict[HunkKey, list[tuple[Finding, Card]]] = defaultdict(list)
        for finding, card in zip(self.shown, cards, strict=True):
            by_hunk[finding.anchor.hunk].append((finding, card))
        skipped = {skip.path for skip in review.coverage.skipped}
        files = [
            self._file(file, by_hunk) for file in review.change.patch.files if file.path not in skipped or file.hunks
        ]
        counts = words.severity_counts([*self.shown, *review.misplaced])
        first = {card.severity: card.number for card in reversed(cards)}
        pull = review.change.pull
        return (
            templates()
            .get_template("review.html")
            .render(
                title=self.text(review.change.title) or "Local changes",
                subtitle=f"{pull.repo} #{pull.number}" if pull else "",
                base=self.text(review.change.base),
                head=self.text(review.change.head),
                model=self.text(review.model or ""),
                effort=review.effort.value,
                verdict=review.verdict.value,
                reason=self._inline(review.reason),
                headline=words.headline(review),
                counts=[(severity, number, first.get(severity)) for severity, number in counts.items()],
                cards=cards,
                misplaced=[self._misplaced(finding) for finding in review.misplaced],
                files=files,
                file_count=words.count(len(review.change.patch.files), "file"),
                added=review.change.patch.added,
                removed=review.change.patch.removed,
                coverage=words.coverage(review),
                whole=review.coverage.whole,
                hunks=f"{review.coverage.reviewed}/{review.coverage.hunks}",
                difference=self.text(review.coverage.difference),
                holes=[(self.text(where), self.text(why)) for where, why in words.holes(review)],
                skipped=[
                    (reason, [(self.text(skip.path), self.text(skip.detail)) for skip in group], group[0].is_gap)
                    for reason, group in words.skipped(review.coverage).items()
                ],
                notices=[self._inline(notice) for notice in (*review.notices, *_earlier(review))],
                aside=[self.text(phrase) for phrase in words.set_aside(review)],
                dismissed=[self.text(line) for line in words.dismissed_lines(review)],
                measures=words.measures(review),
                tiles=_tiles(review),
                timeline=_timeline(review.timing),
            )
        )

    def _inline(self, text: str) -> Markup:
        return inline(self.redactor.redact(text))

    def _body(self, text: str) -> Markup:
        return prose(self.redactor.redact(text))

    def _card(self, number: int, finding: Finding) -> Card:
        card = Card(
            number=number,
            severity=finding.severity,
            label=finding.category.value,
            title=self._inline(finding.title),
            body=self._body(finding.body),
            where=self.text(words.place(finding.anchor)),
            small=[self.text(part) for part in words.small_print(finding)],
        )
        if finding.suggestion is not None:
            if self.redactor.has_secret(finding.suggestion):
                card.withheld = "The suggested change contains a secret and so is not shown."
            else:
                card.suggestion = suggestion_diff(finding.anchor, finding.suggestion, redact=self.redactor.redact)
        return card

    def _misplaced(self, finding: Misplaced) -> Card:
        return Card(
            number=0,
            severity=finding.severity,
            label=finding.category.value,
            title=self._inline(finding.title),
            body=self._body(finding.body),
            where=self.text(f"{finding.path} {finding.claimed}".strip()),
            small=[self.text(f"no line of the diff: {finding.reason}")],
        )

    def _file(self, file: FilePatch, by_hunk: dict[HunkKey, list[tuple[Finding, Card]]]) -> FileView:
        lexer = lexer_for(file.path)
        lines = sum(len(hunk.lines) for hunk in file.hunks)
        hunks = []
        for hunk in file.hunks:
            found = by_hunk.get(hunk.key, [])
            hole = self.text(self.holes.get(hunk.key, ""))
            rows = self._rows(hunk, _coloured(self.redactor, lexer, hunk), found)
            title = (
                f"@@ -{hunk.old_start},{hunk.old_count} +{hunk.new_start},{hunk.new_count} @@ {self.text(hunk.section)}"
            )
            hunks.append(HunkView(title=title, rows=rows, open=bool(found) or lines <= OPEN_LINES, hole=hole))
        cards = sorted(
            (card for hunk in file.hunks for _, card in by_hunk.get(hunk.key, [])), key=lambda card: card.number
        )
        return FileView(
            id=f"file-{file.index}",
            path=self.text(file.path),
            old_path=self.text(file.old_path or ""),
            status=file.status.value,
            added=file.added,
            removed=file.removed,
            hunks=hunks,
            cards=cards,
            open=bool(cards) or (lines <= OPEN_LINES and not self.huge),
        )

    def _rows(self, hunk: Hunk, code: Sequence[Markup], found: Sequence[tuple[Finding, Card]]) -> list[Row]:
        kinds = {LineKind.ADDED: "add", LineKind.REMOVED: "del", LineKind.CONTEXT: "ctx"}
        rows = [
            Row(kind=kinds[line.kind], sign=line.kind.value, old=line.old, new=line.new, code=html)
            for line, html in zip(hunk.lines, code, strict=True)
        ]
        for finding, card in found:
            anchor = finding.anchor
            marked = [
                row
                for row, line in zip(rows, hunk.lines, strict=True)
                if line.side is anchor.side and anchor.start_line <= line.number <= anchor.line
            ]
            for row in marked:
                row.mark = max(filter(None, (row.mark, finding.severity)), key=lambda severity: severity.rank)
            (marked or rows)[-1].cards.append(card)
        return rows


def _coloured(redactor: Redactor, lexer: Lexer | None, hunk: Hunk) -> list[Markup]:
    """HTML of each line of a hunk; both versions are lexed, so that each line is coloured in its own context."""
    texts = [redactor.redact(visible(line.text)) for line in hunk.lines]
    out: dict[int, Markup] = {}
    for side in (Side.LEFT, Side.RIGHT):
        drop = LineKind.ADDED if side is Side.LEFT else LineKind.REMOVED
        at = [number for number, line in enumerate(hunk.lines) if line.kind is not drop]
        out.update(zip(at, colour(lexer, [texts[number] for number in at]), strict=True))
    return [out[number] for number in range(len(texts))]


def _earlier(review: Review) -> list[str]:
    return [f"{words.label(one)}: {one.title}: {what} ({one.url})" for one, what in words.earlier(review)]


def _tiles(review: Review) -> list[tuple[str, str]]:
    """`(value, what it is)` of the figures at the top; only those that are known."""
    timing, usage = review.timing, review.usage
    known = [
        (timing.first_finding, "to the first finding"),
        (timing.done, "in all"),
    ]
    tiles = [(words.seconds(value), what) for value, what in known if value is not None]
    if usage.calls:
        tiles.append((words.money(usage.usd) if usage.usd is not None else "unknown", "cost"))
    return [*tiles, (f"{review.coverage.reviewed}/{review.coverage.hunks}", "hunks reviewed")]


def _timeline(timing: Timing) -> list[tuple[str, str, float]]:
    """`(name, seconds, percent of the whole)` of each event, in order."""
    events = [
        ("diff read", timing.diff),
        ("first token", timing.first_token),
        ("first finding", timing.first_finding),
        ("first post", timing.first_post),
        ("done", timing.done),
    ]
    known = sorted(((value, name) for name, value in events if value is not None))
    whole = max((value for value, _ in known), default=0.0)
    return [(name, words.seconds(value), round(100 * value / whole, 1)) for value, name in known] if whole > 0 else []
