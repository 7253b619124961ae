"""What a page knows of a review: events folded in order."""

from __future__ import annotations

from typing import Any

from bot.html.snapshot import Snapshot
from bot.live.events import LiveEvent, LiveKind, Numbered

STARTED = (LiveKind.STARTED, {"files": [], "chunks": 2})


def state(name: str, **more: Any) -> tuple[LiveKind, dict[str, Any]]:
    return LiveKind.STATE, {"state": name, "why": "", **more}


def found(name: str, title: str = "") -> tuple[LiveKind, dict[str, Any]]:
    return LiveKind.FOUND, {"id": name, "title": title}


def folded(*told: tuple[LiveKind, dict[str, Any]], first: int = 1) -> Snapshot:
    return Snapshot.of(
        Numbered(seq=seq, event=LiveEvent(kind=kind, data=data)) for seq, (kind, data) in enumerate(told, first)
    )


def test_nothing_told_is_a_job_that_waits() -> None:
    empty = folded()
    assert (empty.seq, empty.state, empty.is_over, empty.started, empty.found) == (0, "queued", False, None, {})


def test_the_number_is_that_of_the_last_event() -> None:
    assert folded(state("queued"), state("running"), first=40).seq == 41


def test_a_later_word_about_a_finding_takes_the_place_of_an_earlier_one() -> None:
    seen = folded(STARTED, found("a", "one"), found("b"), found("a", "two"))
    assert [(name, each["title"]) for name, each in seen.found.items()] == [("a", "two"), ("b", "")]


def test_only_the_newest_progress_counts_and_losses_and_notes_add_up() -> None:
    seen = folded(
        STARTED,
        (LiveKind.PROGRESS, {"chunks_done": 0}),
        (LiveKind.NOTE, {"text": "a"}),
        (LiveKind.LOST, {"title": "x"}),
        (LiveKind.PROGRESS, {"chunks_done": 1}),
        (LiveKind.NOTE, {"text": "b"}),
        (LiveKind.LOST, {"title": "y"}),
    )
    assert seen.progress == {"chunks_done": 1}
    assert [note["text"] for note in seen.notes] == ["a", "b"]
    assert [lost["title"] for lost in seen.lost] == ["x", "y"]


def test_a_run_that_begins_anew_makes_all_forgotten_that_was_shown() -> None:
    before = (state("running"), STARTED, found("a"), (LiveKind.NOTE, {"text": "n"}), (LiveKind.LOST, {"title": "x"}))
    seen = folded(*before, (LiveKind.PROGRESS, {"chunks_done": 1}), state("running"))
    assert (seen.restarts, seen.started, seen.progress, seen.found) == (1, None, None, {})
    assert (seen.lost, seen.notes, seen.resumed) == ([], [], False)
    # Also where the word of it was lost: a diff is told once a run.
    again = folded(*before, STARTED, found("b"))
    assert (again.restarts, list(again.found)) == (1, ["b"])


def test_the_first_run_forgets_nothing() -> None:
    seen = folded(state("queued"), state("running"), (LiveKind.NOTE, {"text": "early"}), STARTED)
    assert (seen.restarts, len(seen.notes)) == (0, 1)


def test_a_run_that_was_parked_stays_on_the_page_until_the_next_one_begins() -> None:
    parked = (state("running"), STARTED, found("a"), state("queued"))
    assert list(folded(*parked).found) == ["a"]
    assert not folded(*parked).is_over
    assert folded(*parked, state("running")).found == {}


def test_a_run_that_only_posts_keeps_what_was_shown() -> None:
    review = {"verdict": "pass"}
    seen = folded(
        state("running"), STARTED, found("a"), state("running", resumed=True), (LiveKind.FINISHED, {"review": review})
    )
    assert (seen.resumed, seen.restarts, list(seen.found), seen.review) == (True, 0, ["a"], review)


def test_the_end_is_known_by_its_event_alone() -> None:
    for name in ("done", "skipped", "superseded", "failed"):
        assert folded(state("running"), state(name)).is_over
    assert not folded(state("running"), (LiveKind.FINISHED, {"review": {}})).is_over
