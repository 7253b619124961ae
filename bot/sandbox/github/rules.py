"""GitHub's rules for where a review comment may stand, and its 422 texts when it may not.

The texts are those that GitHub answers with. Pure: takes the stand-in's own diff, gives a place or the refusals.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bot.diff.model import Side
from bot.sandbox.github.diffs import FileDiff, TreeDiff
from bot.sandbox.github.hunks import Block, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One broken rule. `field` is the attribute of GitHub's `pull_request_review_thread`, empty for none."""

    field: str
    text: str
    code: str = "custom"

    @property
    def sentence(self) -> str:
        """As the reviews endpoint says it."""
        return f"Pull request review thread {self.field.replace('_', ' ')} {self.text}" if self.field else self.text

    @property
    def entry(self) -> dict[str, str]:
        """As an element of `errors` of the comments endpoint."""
        if not self.field:
            return {"resource": "PullRequestReviewComment", "code": self.code, "message": self.text}
        name = f"pull_request_review_thread.{self.field}"
        base = {"resource": "PullRequestReviewComment", "code": self.code, "field": name}
        return base | ({} if self.code != "custom" else {"message": f"{name} {self.text}"})


LINE_OUTSIDE = Refusal(field="line", text="must be part of the diff")
START_OUTSIDE = Refusal(field="start_line", text="must be part of the same hunk as the line.")
START_NOT_BEFORE = Refusal(field="start_line", text="must precede the end line.")
NO_HUNK = Refusal(field="diff_hunk", text="can't be blank", code="missing_field")
BAD_PATH = Refusal(field="path", text="is invalid", code="invalid")
NO_PATH = Refusal(field="", text="Path could not be resolved")
BLANK_BODY = Refusal(field="", text="Body can't be blank")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """What a client asked for: lines on sides, or a position, or the whole file."""

    path: str
    line: int | None = None
    side: Side = Side.RIGHT
    start_line: int | None = None
    start_side: Side | None = None
    position: int | None = None
    whole_file: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A legal place. `row` and `block` are None for a whole file."""

    file: FileDiff
    block: Block | None = None
    row: Row | None = None
    side: Side = Side.RIGHT
    start: Row | None = None
    start_side: Side | None = None

    @property
    def line(self) -> int:
        """The line number on `side`; 1 for a whole file, as GitHub has it."""
        return 1 if self.row is None else number_on(self.row, self.side)

    @property
    def start_line(self) -> int | None:
        """The first line's number on `start_side`, None for a single line."""
        return None if self.start is None or self.start_side is None else number_on(self.start, self.start_side)


def number_on(row: Row, side: Side) -> int:
    """The row's line number on a side it has."""
    number = row.left if side is Side.LEFT else row.right
    assert number is not None
    return number


def to_sentence(parts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b, and c`: how GitHub joins its texts."""
    if len(parts) < 3:
        return " and ".join(parts)
    return ", ".join(parts[:-1]) + ", and " + parts[-1]


def one_text(refusals: Iterable[Refusal]) -> str:
    """The single string of the reviews endpoint. It does not say which comment is meant; each text comes once."""
    return to_sentence(list(dict.fromkeys(refusal.sentence for refusal in refusals)))


def find_place(diff: TreeDiff, spot: Spot) -> Place | tuple[Refusal, ...]:
    """Where `spot` is in the diff, or why it is nowhere."""
    if not spot.path or spot.path.startswith(("/", "./", "../")) or spot.path.endswith("/") or "//" in spot.path:
        return (BAD_PATH, NO_HUNK)
    file = diff.file(spot.path)
    if file is None:
        return (NO_PATH,)
    if spot.whole_file:
        return Place(file=file)
    if spot.line is None:
        return _by_position(file, spot)
    return _by_line(file, spot, spot.line)


def _by_position(file: FileDiff, spot: Spot) -> Place | tuple[Refusal, ...]:
    for block in file.blocks:
        for row in block.rows:
            if row.position == spot.position:
                return Place(file=file, block=block, row=row, side=Side.LEFT if row.mark == "-" else Side.RIGHT)
    return (NO_HUNK,)


def _by_line(file: FileDiff, spot: Spot, line: int) -> Place | tuple[Refusal, ...]:
    found = _find(file.blocks, spot.side, line)
    if spot.start_line is None:
        if found is None:
            return (LINE_OUTSIDE, NO_HUNK)
        return Place(file=file, block=found[0], row=found[1], side=spot.side)
    start_side = spot.start_side or spot.side
    if found is None:
        refusals = [LINE_OUTSIDE]
        if start_side is spot.side and spot.start_line >= line:
            refusals.append(START_NOT_BEFORE)
        return (*refusals, START_OUTSIDE, NO_HUNK)
    block, row = found
    start = block.find(start_side, spot.start_line)
    if start_side is spot.side and spot.start_line >= line:
        return (START_NOT_BEFORE,) if start is not None else (START_NOT_BEFORE, START_OUTSIDE)
    if start is None:
        return (START_OUTSIDE,)
    if start.position >= row.position:
        return (START_NOT_BEFORE,)
    return Place(file=file, block=block, row=row, side=spot.side, start=start, start_side=start_side)


def _find(blocks: Sequence[Block], side: Side, line: int) -> tuple[Block, Row] | None:
    for block in blocks:
        row = block.find(side, line)
        if row is not None:
            return block, row
    return None
