"""Which lines of a pull were reviewed before: the pull's diff of now against the pull's diff of then, "a diff of the diffs".

Commits are never compared. The diff of a pull has the pull's own lines alone, so a rebase, a force-push, another base
branch or a merge of main leaves nothing new where those lines are the same, and code that came with a merge is never in it.
What is carried from round to round is a number for each changed line, made of the line and of the changed line directly
above it; at the edges of a run of changed lines, of the three lines of context there and of the function that git names.

The author of the pull would gain from a line that is taken for seen: nobody would look at it. So:

- What was reviewed is new at another place. The same `return True` is harmless in one function and a hole in the next.
- What is left of a run is new at the edge where something was taken away: the guard was there when it was reviewed.
- The numbers have 80 bits. Of 24 bits one that is in the set is found in a second, by trying comments at the end of the
  bad line. They need no key, so a review on the terminal, by a server and by a workflow know each other's.

What that costs: an added line makes the line below it new as well; main's changes within three lines of the pull's have
that hunk reviewed once more; and where the same pair of lines stands at several places inside of equal runs and becomes
one more, all of those places count as new, for nobody can tell which one is.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import takewhile
from typing import Final, NamedTuple

from bot.diff.model import FilePatch, FileStatus, Hunk, HunkKey, Line, LineKind, Patch, Side

BYTES: Final = 10
"""Of one number."""
_CONTEXT: Final = 3
"""Lines of context that count at an edge: as many as git and GitHub print."""


class _Pair(NamedTuple):
    """What identifies a changed line: its file, its text, and what is directly above it; at the end of a run, also below it."""

    path: str
    line: str
    above: str
    below: str


class _Changed(NamedTuple):
    """A changed line; `number` counts those with the same pair, from 0, in the order of the diff."""

    hunk: HunkKey
    line: Line
    pair: _Pair
    number: int


def digests(patch: Patch, *, hunks: Collection[HunkKey] | None = None) -> frozenset[int]:
    """The numbers of the changed lines of these hunks; of all where `hunks` is None."""
    by_hunk = Numbered(patch).by_hunk
    return frozenset().union(*(numbers for key, numbers in by_hunk.items() if hunks is None or key in hunks))


def fresh_lines(patch: Patch, seen: frozenset[int]) -> dict[HunkKey, frozenset[tuple[Side, int]]]:
    """The changed lines that `seen` (of an earlier round) does not have. Hunks without any are not in it."""
    return Numbered(patch).fresh_lines(seen)


class Numbered:
    """The changed lines of a patch with their numbers, which are made when they are first asked for, and once."""

    def __init__(self, patch: Patch) -> None:
        self._patch = patch

    @cached_property
    def _lines(self) -> tuple[tuple[_Changed, int], ...]:
        return tuple((changed, _digest(changed.pair, changed.number)) for changed in _changed(self._patch))

    @cached_property
    def by_hunk(self) -> Mapping[HunkKey, frozenset[int]]:
        """An 80-bit number for each added or removed line, of each hunk that has any."""
        found: defaultdict[HunkKey, set[int]] = defaultdict(set)
        for changed, number in self._lines:
            found[changed.hunk].add(number)
        return {key: frozenset(numbers) for key, numbers in found.items()}

    @cached_property
    def of_hunks(self) -> Mapping[HunkKey, int]:
        """One number for each hunk with a changed line. For changes with too many lines to carry."""
        lines: defaultdict[HunkKey, list[str]] = defaultdict(list)
        for changed, number in self._lines:
            lines[changed.hunk].append(f"{number:x}")
        return {key: _number(("hunk", *numbers)) for key, numbers in lines.items()}

    def fresh_lines(self, seen: frozenset[int]) -> dict[HunkKey, frozenset[tuple[Side, int]]]:
        """As the function of this name."""
        whole = {key for key, number in self.of_hunks.items() if number in seen}
        twins: defaultdict[_Pair, list[tuple[_Changed, int]]] = defaultdict(list)
        for changed, number in self._lines:
            twins[changed.pair].append((changed, number))
        fresh: defaultdict[HunkKey, set[tuple[Side, int]]] = defaultdict(set)
        for group in twins.values():
            # Where the last one is known, there are no more of them than there were, so each has its old number.
            is_any_new = group[-1][1] not in seen
            for changed, number in group:
                if (is_any_new or number not in seen) and changed.hunk not in whole:
                    fresh[changed.hunk].add((changed.line.side, changed.line.number))
        return {key: frozenset(lines) for key, lines in fresh.items()}

    def still_seen(self, seen: frozenset[int]) -> frozenset[int]:
        """What of `seen` is about this change."""
        return seen & frozenset().union(*self.by_hunk.values(), self.of_hunks.values())

    def in_short(self, seen: frozenset[int]) -> frozenset[int]:
        """`seen` by whole hunks: fewer numbers, and a hunk of which a line is new has to be looked at whole."""
        fresh = self.fresh_lines(seen)
        return frozenset(number for key, number in self.of_hunks.items() if key not in fresh)


def _changed(patch: Patch) -> Iterator[_Changed]:
    counts: defaultdict[_Pair, int] = defaultdict(int)
    for file in patch.files:
        path = _name(file)
        for hunk in file.hunks:
            for line, above, below in _with_neighbours(hunk):
                pair = _Pair(path=path, line=_text(line), above=above, below=below)
                yield _Changed(hunk=hunk.key, line=line, pair=pair, number=counts[pair])
                counts[pair] += 1


def _with_neighbours(hunk: Hunk) -> Iterator[tuple[Line, str, str]]:
    """Each changed line with what identifies it above and below."""
    lines = hunk.lines
    above = ""
    for at, line in enumerate(lines):
        if line.kind is LineKind.CONTEXT:
            above = ""
            continue
        if not above:
            above = _edge(hunk.section, *reversed(_context(lines[max(0, at - _CONTEXT) : at][::-1])))
        is_last = at + 1 == len(lines) or lines[at + 1].kind is LineKind.CONTEXT
        yield line, above, _edge(*_context(lines[at + 1 : at + 1 + _CONTEXT])) if is_last else ""
        above = _text(line)


def _context(lines: Sequence[Line]) -> list[str]:
    """Lines of context up to the first changed one."""
    return [line.text for line in takewhile(lambda line: line.kind is LineKind.CONTEXT, lines)]


def _edge(*lines: str) -> str:
    # No text of a line has a line end in it, so this is never one.
    return "\n".join(("edge", *lines))


def _text(line: Line) -> str:
    return f"{line.kind}{line.text}"


def _name(file: FilePatch) -> str:
    """The name on the base, which a rename in a later push does not change."""
    return file.old_path if file.status is FileStatus.RENAMED and file.old_path else file.path


def _digest(pair: _Pair, number: int) -> int:
    return _number(("2", *pair, str(number)))


def _number(parts: Sequence[str]) -> int:
    text = "\0".join(parts)
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:BYTES], "big")
