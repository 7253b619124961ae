"""Text found again in a patch by the digests of its lines: every place that has it, never a guess which one is meant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from bot.diff.model import Anchor, FilePatch, FileStatus, HunkKey, Line, Patch, Side
from bot.review.memory import FindingNote
from bot.review.recall import around, line_digest


class Spot(NamedTuple):
    """A place that has the text of a finding."""

    file: FilePatch
    anchor: Anchor
    around: tuple[str, str]
    """Digests of the lines above and below, as `FindingNote.around` has them."""


class Places:
    """Finds text in a patch. Digests are made once for each file and side."""

    def __init__(self, patch: Patch) -> None:
        self.patch = patch
        self._runs: dict[tuple[int, Side], list[tuple[HunkKey, list[Line], list[str]]]] = {}

    def files(self, path: str) -> list[FilePatch]:
        """The entries of the patch for what was called `path` when the finding was written."""
        return [
            file
            for file in self.patch.files
            if path == file.path or (path == file.old_path and file.status is FileStatus.RENAMED)
        ]

    def spots(self, files: Iterable[FilePatch], note: FindingNote) -> list[Spot]:
        """Every place in these files that has the lines of `note`, in the order of the diff."""
        if not note.lines:
            return []
        wanted = list(note.lines)
        return [spot for file in files for spot in self._in(file, note.side, wanted)]

    def _in(self, file: FilePatch, side: Side, wanted: list[str]) -> Iterator[Spot]:
        for key, lines, digests in self._of(file, side):
            for at in find(wanted, digests):
                run = lines[at : at + len(wanted)]
                # Removed lines that follow each other may have others between them.
                if run[-1].number - run[0].number == len(run) - 1:
                    yield spot_of(file, side, key, run, around(digests, at, len(wanted)))

    def _of(self, file: FilePatch, side: Side) -> list[tuple[HunkKey, list[Line], list[str]]]:
        key = (file.index, side)
        if key not in self._runs:
            runs = [(hunk.key, list(hunk.on(side))) for hunk in file.hunks]
            self._runs[key] = [(name, lines, [line_digest(line.text) for line in lines]) for name, lines in runs]
        return self._runs[key]


def find(wanted: Sequence[str], digests: Sequence[str]) -> list[int]:
    """Where the run `wanted` begins in `digests`."""
    size = len(wanted)
    return [
        at
        for at, digest in enumerate(digests[: len(digests) - size + 1])
        if digest == wanted[0] and list(digests[at : at + size]) == list(wanted)
    ]


def spot_of(
    file: FilePatch, side: Side, hunk: HunkKey, run: Sequence[Line], beside: tuple[str, str] = ("", "")
) -> Spot:
    """The place of a run of lines of one hunk."""
    anchor = Anchor(
        path=file.path,
        side=side,
        start_line=run[0].number,
        line=run[-1].number,
        hunk=hunk,
        text=tuple(line.text for line in run),
    )
    return Spot(file=file, anchor=anchor, around=beside)


def has_neighbour(note: FindingNote, beside: tuple[str, str]) -> bool | None:
    """Whether a line beside the place is one that was beside it then; None where the note knows of none."""
    if not any(note.around):
        return None
    return any(then and then == now for then, now in zip(note.around, beside, strict=True))
