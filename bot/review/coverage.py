"""Hunk x pass: who saw what, and what nobody saw.

A hunk is reviewed when every pass saw every chunk it is in. Nothing counts as seen by default: a chunk that was neither
seen nor reported as a hole becomes a hole when the book is closed.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.diff.model import HunkKey
from bot.review.model import Change
from bot.review.scope import Chunk, Coverage, Hole, PassName, Plan

_NEVER_ANSWERED = "it was never answered"


class CoverageBook:
    """Kept while the streams run. Not thread-safe: one thread keeps it."""

    def __init__(self, plan: Plan, passes: Sequence[PassName], *, earlier: int = 0) -> None:
        """`earlier`: hunks that are not in the plan because an earlier round saw them."""
        self._plan = plan
        self._earlier = earlier
        self._passes = tuple(passes)
        self._chunks = {chunk.id: chunk for chunk in plan.chunks}
        self._seen: set[tuple[int, PassName]] = set()
        self._reasons: dict[tuple[int, PassName], str] = {}

    def chunk(self, chunk_id: int) -> Chunk:
        """The plan's chunk with this id. KeyError when there is none."""
        return self._chunks[chunk_id]

    def seen(self, chunk_id: int, pass_name: PassName) -> None:
        """Says that a pass saw a chunk whole; takes back an earlier hole, so that a second try can mend the first."""
        self._seen.add(self._entry(chunk_id, pass_name))

    def hole(self, chunk_id: int, pass_name: PassName, reason: str) -> None:
        """Says that a pass did not see a chunk whole; `reason` is what users read. Does not undo `seen`."""
        self._reasons[self._entry(chunk_id, pass_name)] = reason

    def whole(self) -> frozenset[HunkKey]:
        """The hunks that every pass has seen whole so far."""
        if not self._passes:
            return frozenset()
        missed = {
            key
            for chunk in self._plan.chunks
            for name in self._passes
            if (chunk.id, name) not in self._seen
            for key in chunk.hunks
        }
        return self._plan.hunks - missed

    def close(self, change: Change) -> Coverage:
        """The result, with our count of the change held against the source's own."""
        holes: dict[tuple[HunkKey, PassName], str] = {}
        for chunk in self._plan.chunks:
            for name in self._passes:
                if (chunk.id, name) in self._seen:
                    continue
                reason = self._reasons.get((chunk.id, name), _NEVER_ANSWERED)
                for key in chunk.hunks:
                    holes.setdefault((key, name), reason)
        hunks = self._plan.hunks
        missed = {key for key, _ in holes} if self._passes else hunks
        return Coverage(
            hunks=len(hunks) + self._earlier,
            reviewed=len(hunks) - len(missed) + self._earlier,
            holes=tuple(Hole(hunk=key, pass_name=name, reason=reason) for (key, name), reason in sorted(holes.items())),
            skipped=self._plan.skipped,
            difference=difference(change),
            earlier=self._earlier,
        )

    def _entry(self, chunk_id: int, pass_name: PassName) -> tuple[int, PassName]:
        assert chunk_id in self._chunks
        assert pass_name in self._passes
        return chunk_id, pass_name


def difference(change: Change) -> str:
    """How the patch differs from git's or GitHub's own count, in words; empty when they agree or there is no count.

    Files are counted by path: a type change is two sections of one file. Sections that could not be read and files
    without a diff count as files, their lines are what is missing.
    """
    totals = change.totals
    if totals is None:
        return ""
    patch = change.patch
    paths = {file.path for file in patch.files} | {gap.path for gap in change.gaps}
    paths |= {bad.path for bad in patch.bad if bad.path is not None}
    files = len(paths) + sum(bad.path is None for bad in patch.bad)
    theirs, ours = [], []
    for noun, their, our in (
        ("file", totals.files, files),
        ("added line", totals.added, patch.added),
        ("removed line", totals.removed, patch.removed),
    ):
        if their != our:
            theirs.append(f"{their:,} {noun}{'' if their == 1 else 's'}")
            ours.append(f"{our:,}")
    if not theirs:
        return ""
    who = "git" if change.pull is None else "GitHub"
    return f"partly reviewed: {who} counts {' and '.join(theirs)}, the diff has {' and '.join(ours)}"
