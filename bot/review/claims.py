"""Which place of a change belongs to which finding, where several places have the same text. Only places, no judgement."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from bot.diff.model import Side
from bot.review.fingerprint import family, fingerprint
from bot.review.memory import FindingNote, KnownFinding
from bot.review.places import Places, Spot, has_neighbour

_Place = tuple[str, Side, int, int]


def claim(known: Sequence[KnownFinding], places: Places) -> dict[int, Spot]:
    """A place for each finding (by its number) whose text still is in its file's diff.

    Where several places have one text, each belongs to one finding of a kind: first by GitHub's line, which is right as
    long as the thread is not outdated, then by identity, then to the nearest.
    """
    spots = {number: places.spots(places.files(found.note.path), found.note) for number, found in enumerate(known)}
    claimed: dict[int, Spot] = {}
    taken: defaultdict[tuple[_Place, str], set[str]] = defaultdict(set)

    def take(number: int, spot: Spot) -> None:
        claimed[number] = spot
        taken[_place(spot), _kind(known[number].note)].add(known[number].note.fingerprint)

    for number, found in enumerate(known):
        exact = next((spot for spot in spots[number] if _is_there(found, spot)), None)
        if exact is not None:
            take(number, exact)
    # Whoever is still spoken of takes a place before those who are not.
    rest = sorted(
        (number for number in spots if number not in claimed),
        key=lambda number: (known[number].thread.is_resolved, known[number].thread.original_line or 0),
    )
    for number in rest:
        note = known[number].note
        free = [spot for spot in spots[number] if not taken[_place(spot), _kind(note)] - {note.fingerprint}]
        if free and not _may_be_lost(known[number], spots[number], free):
            take(number, min(free, key=lambda spot: _distance(known[number], spot)))
    return claimed


def _place(spot: Spot) -> _Place:
    return spot.anchor.path, spot.anchor.side, spot.anchor.start_line, spot.anchor.line


def _kind(note: FindingNote) -> str:
    return note.rule or family(note.category)


def _is_there(found: KnownFinding, spot: Spot) -> bool:
    """Whether GitHub shows the thread at this place."""
    thread = found.thread
    return (
        not thread.is_outdated
        and thread.line == spot.anchor.line
        and thread.side is spot.anchor.side
        and thread.path == spot.anchor.path
    )


def _may_be_lost(found: KnownFinding, spots: Sequence[Spot], free: Sequence[Spot]) -> bool:
    """Whether it may be the one of several equal places that is gone: there were more, GitHub lost sight of it, and no place
    that is left has a line beside it that it had.
    """
    if not found.thread.is_outdated or len(spots) >= found.note.twins:
        return False
    return not any(has_neighbour(found.note, spot.around) for spot in free)


def _distance(found: KnownFinding, spot: Spot) -> tuple[bool, bool, int]:
    """How far a place is from where the finding was; first come its old neighbours, then the same identity."""
    note, thread = found.note, found.thread
    same = fingerprint(spot.anchor, note.category, rule=note.rule, file=spot.file) in (note.fingerprint, *found.aliases)
    away = abs(spot.anchor.line - (thread.line or thread.original_line or 0))
    return has_neighbour(note, spot.around) is False, not same, away
