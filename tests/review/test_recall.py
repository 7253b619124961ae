"""What is on the pull from earlier rounds, read from marks and from what people did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.diff.model import Side
from bot.review.memory import Dismissal, KnownFinding, Recall, Said, Thread
from bot.review.model import Category, CommitSha, Finding, Fingerprint, Severity, Votes
from bot.review.recall import NOTE_TEXT, PastNote, Standing, assemble, line_digest, note_of, standing
from bot.review.render.comments import comment_body
from bot.review.render.markers import (
    ReviewMarker,
    RoundMarker,
    dismissal_marker,
    finding_marker,
    note_marker,
    read_note_marker,
    review_marker,
    round_marker,
    state_marker,
    step_marker,
)
from bot.review.render.safe import Redactor

WRITERS = {"wendy", "will"}
Make = Callable[..., Thread]
Say = Callable[..., Said]
FIRST = f"**High · bug · total() divides by zero**\n\nText.\n\n{finding_marker(Fingerprint('f' * 16))}"
IGNORED = Dismissal(by="ada", reason="it is meant so", how="ignored", excuses=True)


def recalled(*threads: Thread, notes: tuple[PastNote, ...] = (), asked: list[str] | None = None) -> Recall:
    def may_write(login: str) -> bool:
        if asked is not None:
            asked.append(login)
        return login in WRITERS

    return assemble(threads, notes, may_write=may_write, author="ann")


def the_one(*threads: Thread) -> KnownFinding:
    (found,) = recalled(*threads).findings
    return found


def past(body: str, number: int = 1, **more) -> PastNote:
    given = {"is_ours": True, "in_conversation": False, "state": "COMMENTED"} | more
    return PastNote(id=number, url=f"https://gh.test/r/{number}", body=body, **given)


# -- a finding and its note --------------------------------------------------------------------------------------


def test_a_posted_comment_gives_back_its_finding(finding_of, thread_of: Make, said: Say, patch_of) -> None:
    patch = patch_of({"a.py": ("a\nb\n", "a\n    x  =  1\nb\n")})
    finding: Finding = finding_of(
        start=2,
        text=("    x  =  1",),
        suggestion="    x = 2",
        proven=True,
        rule="",
        votes=Votes(in_favour=2, of=3),
    )
    body = comment_body(finding, Redactor(patch), patch=patch)
    note = the_one(thread_of(said(body))).note
    assert note == replace(note_of(finding, patch), text="    x  =  1")
    assert note.lines == (line_digest("x = 1"),)
    assert (note.twins, note.around) == (1, (line_digest("a"), line_digest("b")))
    assert (note.severity, note.category, note.votes) == (Severity.HIGH, Category.BUG, Votes(in_favour=2, of=3))
    assert note.suggestion == "    x = 2"


def test_a_digest_is_of_the_line_without_its_white_space() -> None:
    assert line_digest("\tx  = 1 \r") == line_digest("x = 1")
    assert line_digest("x = 1") != line_digest("x = 10")
    assert len(line_digest("")) == 20


def test_a_note_counts_the_places_that_have_the_same_lines_on_its_side(finding_of, patch_of) -> None:
    patch = patch_of({"a.py": ("return None\n", "return None\nx\n    return None\ny\nreturn  None\n")})
    assert note_of(finding_of(start=3, text=("    return None",)), patch).twins == 3
    assert note_of(finding_of(start=3, text=("    return None",))).twins == 0


def test_a_note_of_long_lines_is_short(finding_of) -> None:
    note = note_of(finding_of(text=tuple(f"{'x' * 100}{number}" for number in range(100)), line=100))
    assert len(note.lines) == 60
    assert len(note.text) == NOTE_TEXT + 1


def test_a_suggestion_that_was_not_proven_is_not_carried(finding_of) -> None:
    assert note_of(finding_of(suggestion="x", proven=False)).suggestion is None


def test_no_secret_is_carried_in_a_mark(finding_of, patch_of) -> None:
    secret = "ghp_" + "a1B2" * 9
    patch = patch_of({"a.py": (None, f"token = '{secret}'\n")})
    finding = finding_of(
        text=(f"token = '{secret}'",), title=f"{secret} is public", suggestion=f"t = '{secret}'", proven=True
    )
    body = comment_body(finding, Redactor(patch), patch=patch)
    note = read_note_marker(body)
    assert note is not None
    assert secret not in repr(note)
    assert note.suggestion is None
    assert note.title.endswith("is public")


def test_a_comment_from_before_notes_were_carried_is_read_from_what_it_shows(thread_of: Make, said: Say) -> None:
    note = the_one(thread_of(said(FIRST), path="b.py", side=Side.LEFT)).note
    assert (note.path, note.side, note.severity, note.category) == ("b.py", Side.LEFT, Severity.HIGH, Category.BUG)
    assert (note.title, note.lines) == ("total() divides by zero", ())
    other = the_one(thread_of(said(f"Something else.\n\n{finding_marker(Fingerprint('e' * 16))}"))).note
    assert (other.severity, other.title) == (Severity.MEDIUM, "Something else.")


def test_the_newest_note_of_ours_says_where_a_finding_is_and_the_first_names_it(
    finding_of, thread_of: Make, said: Say
) -> None:
    later = note_of(finding_of(path="b.py", text=("y = 2",), fingerprint="a" * 16))
    found = the_one(
        thread_of(
            said(FIRST),
            said(
                f"Still there.\n\n{note_marker(later)}\n{finding_marker(later.fingerprint)}\n{step_marker('still-1')}"
            ),
            said(f"No.\n\n{note_marker(replace(later, path='evil.py'))}", login="eve"),
        )
    )
    assert (found.note.path, found.note.fingerprint, found.aliases) == ("b.py", "f" * 16, ("a" * 16,))


def test_threads_of_others_and_of_ours_without_a_mark_are_no_findings(thread_of: Make, said: Say) -> None:
    recall = recalled(thread_of(said(FIRST, login="eve")), thread_of(said("A suggestion that somebody asked for.")))
    assert recall.findings == ()
    assert recall.known == {}
    assert len(recall.threads) == 2


# -- dismissed, closed, opened again -------------------------------------------------------------------------------

CONFIRMED = f"Noted.\n\n{dismissal_marker(IGNORED)}"
FIXED = f"Fixed in abc1234.\n\n{step_marker('fixed-abc123456789')}"
BACK = f"It is back.\n\n{step_marker('back-abc123456789')}"
CLOSED = f"Resolved.\n\n{state_marker({'closed_by': 'will'})}"
CLOSED_BY_ANN = f"Resolved.\n\n{state_marker({'closed_by': 'ann'})}"
US = "spark[bot]"


@pytest.mark.parametrize(
    ("notes", "resolved_by", "thumbs", "dismissed", "closed"),
    [
        ([], None, (), None, False),
        # ignored by a command
        ([CONFIRMED], US, (), ("ada", "ignored", True), False),
        ([CONFIRMED], "will", (), ("ada", "ignored", True), False),
        # opened again by somebody, and resolved by hand by one who could not have dismissed it
        ([CONFIRMED], "ann", (), ("ada", "ignored", False), False),
        ([CONFIRMED], None, (), None, False),
        ([CONFIRMED], None, ("wendy",), None, False),
        (
            [f"Noted.\n\n{dismissal_marker(replace(IGNORED, held_open=True))}"],
            None,
            (),
            ("ada", "ignored", True),
            False,
        ),
        # resolved by hand
        ([], "will", (), ("will", "resolved by hand", True), False),
        ([], "ann", (), ("ann", "resolved by hand", False), False),
        ([], "other[bot]", (), None, False),
        ([], "", (), None, False),
        # thumbs down
        ([], None, ("stranger",), None, False),
        ([], None, ("stranger", "Ann", "wendy"), ("wendy", "thumbs down", True), False),
        ([], None, ("stranger", "Ann"), ("Ann", "thumbs down", False), False),
        # fixed, and what came after that
        ([FIXED], US, (), None, True),
        ([FIXED], "will", (), None, True),
        ([FIXED], None, (), None, False),
        ([FIXED], None, ("wendy",), None, False),
        ([FIXED, BACK], None, (), None, False),
        ([FIXED, BACK], "will", (), ("will", "resolved by hand", True), False),
        ([FIXED, BACK, FIXED], US, (), None, True),
        # had resolved by a command: settled, and as long as the lines stand it is that person's word
        ([CLOSED], US, (), ("will", "resolved by hand", True), True),
        ([CLOSED_BY_ANN], US, (), ("ann", "resolved by hand", False), True),
        ([CLOSED], "ann", (), ("will", "resolved by hand", False), True),
        ([CLOSED], None, (), None, False),
    ],
)
def test_what_people_did_with_a_thread(
    thread_of: Make, said: Say, notes, resolved_by, thumbs, dismissed, closed
) -> None:
    found = the_one(thread_of(said(FIRST, thumbs_down=thumbs), *map(said, notes), resolved_by=resolved_by))
    dismissal = found.dismissal
    assert (None if dismissal is None else (dismissal.by, dismissal.how, dismissal.excuses)) == dismissed
    assert found.closed is closed


def test_marks_in_comments_of_others_dismiss_and_close_nothing(thread_of: Make, said: Say) -> None:
    found = the_one(thread_of(said(FIRST), said(CONFIRMED, login="eve"), said(FIXED, login="eve"), resolved_by=US))
    assert (found.dismissal, found.closed) == (None, False)


def test_only_those_who_resolved_or_put_a_thumb_down_are_asked_about(thread_of: Make, said: Say) -> None:
    asked: list[str] = []
    recalled(
        thread_of(said(FIRST), said("No.", login="talker")),
        thread_of(said(FIRST), said(CONFIRMED), resolved_by=US),
        thread_of(said("Mine.", login="eve"), resolved_by="will"),
        thread_of(said(FIRST), resolved_by="will"),
        thread_of(said(FIRST, thumbs_down=("wendy", "later"))),
        asked=asked,
    )
    assert asked == ["will", "wendy"]


def test_thumbs_of_strangers_do_not_use_up_the_questions_about_those_who_resolved_a_thread(
    thread_of: Make, said: Say
) -> None:
    asked: list[str] = []
    strangers = tuple(f"stranger{number}" for number in range(12))
    recalled(
        thread_of(said(FIRST, thumbs_down=strangers)),
        thread_of(said(FIRST), resolved_by="will"),
        thread_of(said(FIRST), resolved_by="will"),
        asked=asked,
    )
    assert asked == ["will", *strangers]


def test_the_newest_word_of_ours_counts(thread_of: Make, said: Say) -> None:
    assert standing(thread_of(said(FIRST))) is Standing.OPEN
    assert standing(thread_of(said(FIRST), said(FIXED), said(CONFIRMED))) is Standing.DISMISSED
    assert standing(thread_of(said(FIRST), said(CLOSED), said(BACK))) is Standing.OPEN
    assert standing(thread_of(said(FIRST), said(FIXED, login="eve"))) is Standing.OPEN
    moved = f"Moved.\n\n{step_marker('moved-1')}"
    assert standing(thread_of(said(FIRST), said(FIXED), said(moved))) is Standing.FIXED


# -- the pull as a whole ------------------------------------------------------------------------------------------


def summary(head: str, round_: RoundMarker | None = None) -> str:
    mark = review_marker(ReviewMarker(head=CommitSha(head * 40), base=CommitSha("b" * 40), run="r"))
    return "\n".join(["Reviewed.", "", mark, *([round_marker(round_)] if round_ else [])])


def test_the_last_review_is_the_newest_of_ours_that_has_a_memory() -> None:
    second = RoundMarker(round=2, rules="ab12cd34", seen=frozenset({1, 2**80 - 1}))
    notes = (
        past(summary("1", RoundMarker(round=1, rules="ab12cd34", seen=None)), 1),
        past(summary("2", second), 2),
        past(summary("3"), 3),
        past(summary("4", second), 4, is_ours=False),
        past(summary("5", second), 5, state="PENDING"),
    )
    last = recalled(notes=notes).last
    assert last is not None
    assert (last.id, last.head, last.round, last.rules, last.seen) == (
        2,
        "2" * 40,
        2,
        "ab12cd34",
        frozenset({1, 2**80 - 1}),
    )


def test_a_review_without_a_memory_is_the_first_round() -> None:
    last = recalled(notes=(past(summary("1"), 7, in_conversation=True),)).last
    assert last is not None
    assert (last.round, last.rules, last.seen, last.in_conversation) == (1, "", None, True)
    assert recalled(notes=(past("Hello."),)).last is None


def test_findings_that_stand_in_a_summary_alone_are_known_too(thread_of: Make, said: Say) -> None:
    told = past(f"Summary.\n\n{finding_marker(Fingerprint('c' * 16))}\n{finding_marker(Fingerprint('f' * 16))}", 3)
    recall = recalled(thread_of(said(FIRST)), notes=(told, past(FIRST, 4, is_ours=False)))
    assert recall.known == {"f" * 16: "https://gh.test/c/1", "c" * 16: "https://gh.test/r/3"}


@pytest.mark.parametrize(
    ("notes", "by"),
    [
        ([], ""),
        ([{"paused_by": "ada"}], "ada"),
        ([{"paused_by": "ada"}, {"paused_by": ""}], ""),
        ([{"paused_by": "ada"}, {"paused_by": ""}, {"paused_by": "bob"}], "bob"),
        ([{"paused_by": "ada"}, {"other": 1}], "ada"),
        ([{"paused_by": 7}], ""),
    ],
)
def test_the_newest_word_says_whether_reviews_are_paused(notes: list[dict[str, object]], by: str) -> None:
    told = tuple(past(f"Noted.\n\n{state_marker(note)}", at, in_conversation=True) for at, note in enumerate(notes))
    foreign = past(f"x\n\n{state_marker({'paused_by': 'eve'})}", 90, in_conversation=True, is_ours=False)
    assert recalled(notes=(*told, foreign)).paused_by == by
