"""Where the findings of earlier rounds are now: the lines they stood on, found again by their text.

GitHub's own line numbers and its word "outdated" only decide between places that have the same text: after a force-push
both may be wrong. White space does not count, and a file may have got another name.

Text that stands at one place of the diff is that finding's. `return None` stands at many, so a finding counts as CHANGED when the
places that are left belong to other findings, are fewer than they were and none has its old neighbours, or are lines elsewhere in
the file that the pull did not touch. CHANGED never means mended: that is asked of the model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from bot.diff.model import Anchor, FilePatch, FileStatus, HunkKey, LineKind, Patch, Side
from bot.review.claims import claim
from bot.review.fingerprint import normal
from bot.review.memory import FindingNote, KnownFinding
from bot.review.model import Finding, FindingStatus
from bot.review.places import Places, Spot, find, has_neighbour, spot_of
from bot.review.recall import around, line_digest
from bot.review.render.markers import split_ending

UNREAD: Final = "its file could not be read"
_TELLING: Final = 12
"""So many characters must a text have to be known again in another file."""
_UNIQUE: Final = 40
"""And so many to be taken for the same text, outside of the diff, where it stands once in the file."""
_NEAR: Final = 30
"""Lines from its old place within which text outside of the diff is the same where nothing is known of its neighbours."""
_GAP: Final = 20
"""At most so many lines stand now between two lines that the finding stood between."""
_SUGGESTION = re.compile(r"^(`{3,})suggestion\n.*?^\1$", re.DOTALL | re.MULTILINE)
_SMALL = re.compile(r"^<sub>.*</sub>$", re.MULTILINE)

Fresh = Mapping[HunkKey, frozenset[tuple[Side, int]]]


class Fate(StrEnum):
    """What has become of the lines that a finding is about."""

    STANDS = "stands"
    """They are on lines of the diff, as they were."""
    CHANGED = "changed"
    """They are not there any more. Whether that mended anything is another question."""
    OUTSIDE = "outside"
    """They are in the file, and no part of the diff."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A finding of an earlier round and where it is now."""

    known: KnownFinding
    fate: Fate
    path: str
    """The file's name now."""
    finding: Finding | None = None
    """As a finding of this review, KNOWN or DISMISSED, at its anchor now; only where it STANDS."""
    near: int = 0
    """The line of the file now near which it stood; 0 when the file is gone."""
    moved: bool = False
    """It STANDS in another file than before: the lines were moved there."""
    problem: str = ""
    """Why nobody can say what has become of it; it counts as CHANGED then, and must not be resolved."""


def place_known(
    known: Sequence[KnownFinding],
    patch: Patch,
    head_text: Callable[[str], str | None],
    *,
    fresh: Fresh | None = None,
    unread: Collection[str] = (),
) -> list[Placed]:
    """Each finding with its place, in the order given.

    `fresh`: the lines that are new since the last round, where that is known; text that vanished from a file and newly
    appeared in another one was moved there. `unread`: files whose diff could not be had.
    """
    places = Places(patch)
    claimed = claim(known, places)
    unread = {*unread, *(bad.path for bad in patch.bad if bad.path)}
    search = _Search(places=places, head_text=head_text, fresh=fresh, unread=unread)
    return [_as_long_as_it_stands(search.placed(found, claimed.get(number))) for number, found in enumerate(known)]


def _as_long_as_it_stands(placed: Placed) -> Placed:
    """Without the word of whoever had the thread resolved by us where its code has changed: it was given for that code alone."""
    if placed.fate is Fate.CHANGED and placed.known.closed and placed.known.dismissal is not None:
        return replace(placed, known=replace(placed.known, dismissal=None))
    return placed


def report_text(body: str) -> str:
    """What a line comment of ours says, without its title, its suggestion, its small print and its marks."""
    text = split_ending(body)[0].replace("\r\n", "\n").partition("\n")[2]
    return _SMALL.sub("", _SUGGESTION.sub("", text)).strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Search:
    """Says where one finding is that has, or has not, a place in its file's diff."""

    places: Places
    head_text: Callable[[str], str | None]
    fresh: Fresh | None
    unread: Collection[str]

    def placed(self, found: KnownFinding, spot: Spot | None) -> Placed:
        files = self.places.files(found.note.path)
        path = next((file.path for file in files if file.status is not FileStatus.REMOVED), found.note.path)
        if spot is None and not found.note.lines:
            spot = self._by_thread(found, files)
            if spot is None:
                # Written before notes carried digests: nothing shows that the text is gone.
                return Placed(known=found, fate=Fate.OUTSIDE, path=path, near=found.thread.line or 0)
        if spot is not None:
            return self._stands(found, spot)
        if found.note.path in self.unread or path in self.unread:
            return Placed(known=found, fate=Fate.CHANGED, path=path, near=_line(found), problem=UNREAD)
        gone = bool(files) and all(file.status is FileStatus.REMOVED for file in files)
        text = None if gone else self.head_text(path)
        if text is None and files and not gone:
            return Placed(known=found, fate=Fate.CHANGED, path=path, near=_line(found), problem=UNREAD)
        if (moved := self._elsewhere(found, files, text)) is not None:
            return self._stands(found, moved, moved=True)
        if text is None:
            return Placed(known=found, fate=Fate.CHANGED, path=path)
        return self._in_head(found, path, files, text)

    def _stands(self, found: KnownFinding, spot: Spot, *, moved: bool = False) -> Placed:
        anchor = spot.anchor
        near = anchor.line if anchor.side is Side.RIGHT else spot.file.hunks[anchor.hunk.hunk].new_start
        return Placed(
            known=found,
            fate=Fate.STANDS,
            path=anchor.path,
            finding=as_finding(found, anchor),
            near=near,
            moved=moved,
        )

    def _by_thread(self, found: KnownFinding, files: Sequence[FilePatch]) -> Spot | None:
        """The lines that GitHub shows the thread on."""
        thread = found.thread
        if thread.line is None or thread.is_outdated:
            return None
        first = min(thread.start_line or thread.line, thread.line)
        for file in files:
            for hunk in file.hunks:
                run = [line for line in hunk.on(thread.side) if first <= line.number <= thread.line]
                if len(run) == thread.line - first + 1:
                    return spot_of(file, thread.side, hunk.key, run)
        return None

    def _elsewhere(self, found: KnownFinding, files: Sequence[FilePatch], text: str | None) -> Spot | None:
        """The one place in another file that the lines were moved to."""
        note = found.note
        if note.side is Side.LEFT or (text is not None and self.fresh is None):
            return None
        own = {file.index for file in files}
        others = [file for file in self.places.patch.files if file.index not in own]
        spots = [spot for spot in self.places.spots(others, note) if self._is_new(spot, is_gone=text is None)]
        if len(spots) != 1 or sum(len(normal(line)) for line in spots[0].anchor.text) < _TELLING:
            return None
        return spots[0]

    def _is_new(self, spot: Spot, *, is_gone: bool) -> bool:
        """Whether a place is one that lines may have come to: added, and since the last round where that is known."""
        anchor = spot.anchor
        hunk = spot.file.hunks[anchor.hunk.hunk]
        run = [line for line in hunk.on(anchor.side) if anchor.start_line <= line.number <= anchor.line]
        if any(line.kind is not LineKind.ADDED for line in run):
            return False
        if is_gone:
            return True
        fresh = (self.fresh or {}).get(anchor.hunk, frozenset())
        return all((line.side, line.number) in fresh for line in run)

    def _in_head(self, found: KnownFinding, path: str, files: Sequence[FilePatch], text: str) -> Placed:
        """Not at a place of its own in the diff: is it in the file?"""
        note, where = found.note, _line(found)
        digests = [line_digest(line) for line in text.removesuffix("\n").split("\n")]
        whole = find(note.lines, digests)
        if note.side is Side.LEFT:
            # Removed lines that are back in the file, or that the base does not have any more either.
            fate = Fate.CHANGED if files or whole else Fate.OUTSIDE
            near = _nearest(whole, where) + 1 if whole else _new_line(files, where)
            return Placed(known=found, fate=fate, path=path, near=_within(near, digests))
        if not self.places.spots(files, note):
            own = [at for at in whole if self._is_its_own(note, text, digests, at, where, is_only=len(whole) == 1)]
            if own:
                near = _nearest(own, where) + len(note.lines)
                return Placed(known=found, fate=Fate.OUTSIDE, path=path, near=near)
        near = _where_it_was(note, digests, where)
        return Placed(known=found, fate=Fate.CHANGED, path=path, near=_within(near, digests))

    def _is_its_own(
        self, note: FindingNote, text: str, digests: Sequence[str], at: int, where: int, *, is_only: bool
    ) -> bool:
        """Whether text outside of the diff is the finding's and not just like it."""
        size = len(note.lines)
        lines = text.split("\n")[at : at + size]
        if is_only and sum(len(normal(line)) for line in lines) >= _UNIQUE:
            return True
        beside = has_neighbour(note, around(digests, at, size))
        return abs(at + 1 - where) <= _NEAR if beside is None else beside


_BLANK = line_digest("")


def _line(found: KnownFinding) -> int:
    return found.thread.line or found.thread.original_line or 1


def _where_it_was(note: FindingNote, digests: Sequence[str], line: int) -> int:
    """The line near which the lines of `note` were: by what is left of them, by the lines beside them, else `line`."""
    left = [at for at, digest in enumerate(digests) if digest in note.lines and digest != _BLANK]
    if left:
        return _nearest(left, line) + 1
    above, below = note.around
    after = [at + 1 for at, digest in enumerate(digests) if digest == above]
    before = [at - 1 for at, digest in enumerate(digests) if digest == below]
    both = [at for at in after if any(0 <= other - at <= _GAP for other in before)]
    beside = both or after or before
    return _nearest(beside, line) + 1 if beside else line


def _nearest(indexes: Sequence[int], line: int) -> int:
    return min(indexes, key=lambda at: abs(at + 1 - line))


def _within(number: int, lines: Sequence[str]) -> int:
    return min(max(1, number), len(lines))


def _new_line(files: Sequence[FilePatch], old: int) -> int:
    """The line of the new file at which line `old` of the old one was."""
    shift = 0
    for file in files:
        for hunk in file.hunks:
            if hunk.old_start > old:
                break
            shift = hunk.new_start - hunk.old_start
    return old + shift


def as_finding(found: KnownFinding, anchor: Anchor) -> Finding:
    """A finding of an earlier round as one of this review. Its suggestion was proven on another head and is left out."""
    note = found.note
    return Finding(
        anchor=anchor,
        severity=note.severity,
        category=note.category,
        title=note.title,
        body=report_text(found.thread.comments[0].body),
        suggestion=None,
        proven=False,
        votes=note.votes,
        fingerprint=note.fingerprint,
        source=note.source,
        rule=note.rule,
        status=FindingStatus.KNOWN if found.dismissal is None else FindingStatus.DISMISSED,
        excused=found.dismissal is not None and found.dismissal.excuses,
    )
