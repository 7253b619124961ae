"""Which lines of a pull were reviewed before: the pull's diff of now against the pull's diff of then, "a diff of the diffs".

Commits are never compared. The diff of a pull has the pull's own lines alone, so a rebase, a force-push, another base
branch or a merge of main leaves nothing new where those lines are the same, and code that came with a merge is never in it.
What is carried from round to round is one small number for each line, made of the line and of the changed line directly
above it. Lines of context are in none of it: they are the base's.

What that costs: an added line makes the line below it new as well; and where the same pair of lines stands at several
places of a file and becomes one more, all of those places count as new, for nobody can tell which one is.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import NamedTuple

from bot.diff.model import FilePatch, FileStatus, HunkKey, Line, LineKind, Patch, Side


class _Pair(NamedTuple):
    """What identifies a changed line: its file, its text and the changed line directly above it (empty for none)."""

    path: str
    line: str
    above: str


class _Changed(NamedTuple):
    """A changed line; `number` counts those with the same pair, from 0, in the order of the diff."""

    hunk: HunkKey
    line: Line
    pair: _Pair
    number: int


def digests(patch: Patch, *, hunks: Collection[HunkKey] | None = None) -> frozenset[int]:
    """A 24-bit number for each added or removed line of these hunks; of all where `hunks` is None."""
    wanted = None if hunks is None else frozenset(hunks)
    return frozenset(
        _digest(changed.pair, changed.number) for changed in _changed(patch) if wanted is None or changed.hunk in wanted
    )


def fresh_lines(patch: Patch, seen: frozenset[int]) -> dict[HunkKey, frozenset[tuple[Side, int]]]:
    """The changed lines that `seen` (`digests` of an earlier round) does not have. Hunks without any are not in it."""
    twins: defaultdict[_Pair, list[_Changed]] = defaultdict(list)
    for changed in _changed(patch):
        twins[changed.pair].append(changed)
    fresh: defaultdict[HunkKey, set[tuple[Side, int]]] = defaultdict(set)
    for pair, group in twins.items():
        was_seen = [_digest(pair, changed.number) in seen for changed in group]
        # Where the last one is known, there are no more of them than there were, so each has its old number.
        new = group if not was_seen[-1] else [changed for changed, old in zip(group, was_seen, strict=True) if not old]
        for changed in new:
            fresh[changed.hunk].add((changed.line.side, changed.line.number))
    return {key: frozenset(lines) for key, lines in fresh.items()}


def _changed(patch: Patch) -> Iterator[_Changed]:
    counts: defaultdict[_Pair, int] = defaultdict(int)
    for file in patch.files:
        path = _name(file)
        for hunk in file.hunks:
            above = ""
            for line in hunk.lines:
                if line.kind is LineKind.CONTEXT:
                    above = ""
                    continue
                text = f"{line.kind}{line.text}"
                pair = _Pair(path=path, line=text, above=above)
                yield _Changed(hunk=hunk.key, line=line, pair=pair, number=counts[pair])
                counts[pair] += 1
                above = text


def _name(file: FilePatch) -> str:
    """The name on the base, which a rename in a later push does not change."""
    return file.old_path if file.status is FileStatus.RENAMED and file.old_path else file.path


def _digest(pair: _Pair, number: int) -> int:
    text = "\0".join(("1", *pair, str(number)))
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:3], "big")
