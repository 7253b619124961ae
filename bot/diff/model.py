"""What a change is made of: patch, file, hunk, line. Pure values, no parsing and no I/O.

Text is `str` decoded with `utf-8` and `surrogateescape`, so that bytes which are not UTF-8 survive the round trip;
`printable()` gives the form that may be shown to a person or a model. A line's text has no `\\n`; a `\\r` before it stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


class Side(StrEnum):
    """GitHub's two sides of a diff: LEFT has removed lines, RIGHT has added and context lines."""

    LEFT = "LEFT"
    RIGHT = "RIGHT"


class LineKind(StrEnum):
    """What a diff line says, by its first character."""

    CONTEXT = " "
    ADDED = "+"
    REMOVED = "-"


class FileStatus(StrEnum):
    """What happened to a file. Taken from the header lines or from GitHub's JSON, never guessed from the hunks."""

    ADDED = "added"
    REMOVED = "removed"
    MODIFIED = "modified"
    RENAMED = "renamed"
    COPIED = "copied"
    TYPE_CHANGED = "type changed"
    MODE_CHANGED = "mode changed"


class HunkKey(NamedTuple):
    """Names one hunk of a patch: the file's index in the patch, the hunk's index in the file. Both from 0.

    Files are keyed by index, not by path: a type change gives two entries with one path.
    """

    file: int
    hunk: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a hunk. `old` and `new` count from 1; `old` is None for an added line, `new` for a removed one."""

    kind: LineKind
    old: int | None
    new: int | None
    text: str
    newline: bool = True
    """False where git says `\\ No newline at end of file`."""

    @property
    def side(self) -> Side:
        """The side on which GitHub lets this line be commented: LEFT for a removed line, else RIGHT."""
        return Side.LEFT if self.kind is LineKind.REMOVED else Side.RIGHT

    @property
    def number(self) -> int:
        """The line number on `side`."""
        number = self.old if self.kind is LineKind.REMOVED else self.new
        assert number is not None
        return number


@dataclass(frozen=True, slots=True, kw_only=True)
class Hunk:
    """A run of changed lines with their context. `section` is what git printed behind the second `@@`."""

    key: HunkKey
    old_start: int
    old_count: int
    new_start: int
    new_count: int
    section: str
    lines: tuple[Line, ...]

    @property
    def added(self) -> int:
        """Number of added lines."""
        return sum(line.kind is LineKind.ADDED for line in self.lines)

    @property
    def removed(self) -> int:
        """Number of removed lines."""
        return sum(line.kind is LineKind.REMOVED for line in self.lines)

    def on(self, side: Side) -> Iterator[Line]:
        """The lines that can be commented on `side`, in order."""
        removed = side is Side.LEFT
        return (line for line in self.lines if (line.kind is LineKind.REMOVED) is removed)


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePatch:
    """One file of a patch. `path` is the name after the change (before it, for a removed file), never quoted."""

    index: int
    path: str
    old_path: str | None
    """The name before a rename or copy; None when the name did not change."""
    status: FileStatus
    hunks: tuple[Hunk, ...] = ()
    old_mode: str | None = None
    new_mode: str | None = None
    binary: bool = False
    submodule: bool = False
    old_sha: str | None = None
    """Blob id before, as printed: possibly abbreviated, None when the header has none."""
    new_sha: str | None = None
    _words: dict[Side, dict[str, list[tuple[HunkKey, Sequence[Line], int]]]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    _sides: dict[tuple[HunkKey, Side], Sequence[Line]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def lines(self, hunk: Hunk, side: Side) -> Sequence[Line]:
        """`hunk.on(side)`, of a hunk of this file, kept: who looks for one line of a long hunk looks for many."""
        if (hunk.key, side) not in self._sides:
            self._sides[hunk.key, side] = tuple(hunk.on(side))
        return self._sides[hunk.key, side]

    def standing(self, side: Side, words: str) -> Sequence[tuple[HunkKey, Sequence[Line], int]]:
        """The lines of these words on `side`, in order: each as its hunk, that hunk's lines of the side, and its place in them.

        White space counts as one space, and none at the ends. What is found once is kept: who asks for one line asks for many.
        """
        if side not in self._words:
            found: dict[str, list[tuple[HunkKey, Sequence[Line], int]]] = {}
            for hunk in self.hunks:
                lines = self.lines(hunk, side)
                for index, line in enumerate(lines):
                    found.setdefault(" ".join(line.text.split()), []).append((hunk.key, lines, index))
            self._words[side] = found
        return self._words[side].get(words, ())

    @property
    def added(self) -> int:
        """Number of added lines."""
        return sum(hunk.added for hunk in self.hunks)

    @property
    def removed(self) -> int:
        """Number of removed lines."""
        return sum(hunk.removed for hunk in self.hunks)


@dataclass(frozen=True, slots=True, kw_only=True)
class BadSection:
    """A part of a diff that could not be read. Costs itself alone, and is always told to the user."""

    index: int
    path: str | None
    """The file it seems to be about, when even that could be read."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """A whole change. `files` and `bad` share one numbering: `index` is the position in the diff."""

    files: tuple[FilePatch, ...]
    bad: tuple[BadSection, ...] = ()
    _by_index: dict[int, FilePatch] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._by_index.update((file.index, file) for file in self.files)

    @property
    def added(self) -> int:
        """Number of added lines over all files."""
        return sum(file.added for file in self.files)

    @property
    def removed(self) -> int:
        """Number of removed lines over all files."""
        return sum(file.removed for file in self.files)

    def hunks(self) -> Iterator[Hunk]:
        """Every hunk, in the order of the diff."""
        return (hunk for file in self.files for hunk in file.hunks)

    def file(self, index: int) -> FilePatch:
        """The file with this index. KeyError when there is none."""
        return self._by_index[index]

    def hunk(self, key: HunkKey) -> Hunk:
        """The hunk with this key. KeyError or IndexError when there is none."""
        return self.file(key.file).hunks[key.hunk]


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """A place where GitHub accepts a comment: one or more lines of one side inside one hunk, and the text they had."""

    path: str
    side: Side
    start_line: int
    line: int
    """The last line; equal to `start_line` for a single line."""
    hunk: HunkKey
    text: tuple[str, ...]
    """The anchored lines as the diff has them: exactly `line - start_line + 1` of them on RIGHT."""


def printable(text: str) -> str:
    """`text` with what was not UTF-8 shown as U+FFFD, so that it can be encoded again."""
    if text.isascii():
        return text
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    except UnicodeEncodeError:  # A surrogate that stands for no byte, as JSON can have one.
        return "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in text)


def is_binary(data: bytes) -> bool:
    """Git's own test: a NUL among the first 8,000 bytes."""
    return b"\0" in data[:8_000]


def is_utf8(text: str) -> bool:
    """Whether `text` came from valid UTF-8; a line that did not must not receive a suggestion."""
    return text.isascii() or (not any("\udc80" <= char <= "\udcff" for char in text) and "\ufffd" not in text)
