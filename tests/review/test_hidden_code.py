"""Code that its author would like to pass for reviewed: made of lines that were, moved, cut short, or chosen by their digests."""

from __future__ import annotations

import hashlib

import pytest

from bot.diff.model import Patch
from bot.diff.parse import read_patch
from bot.review.recall import line_digest
from bot.review.render.markers import MOST_SEEN
from bot.review.seen import Numbered, digests, fresh_lines

BASE = """\
def admin(user):
    check(user)
    log(user)
    audit(user)
    return False


def guest(user):
    greet(user)
    note(user)
    count(user)
    return False


def nobody(user):
    one(user)
    two(user)
    three(user)
    return False
""".splitlines()


def patch_of(*changes: tuple[int, list[str], list[str]], section: str = "") -> Patch:
    """A hunk for each (line of the base from 0, lines removed there, lines put there), with three lines around it."""
    out = ["diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n"]
    moved = 0
    for at, gone, new in changes:
        above, below = BASE[max(0, at - 3) : at], BASE[at + len(gone) : at + len(gone) + 3]
        old, now = len(above) + len(gone) + len(below), len(above) + len(new) + len(below)
        start = at - len(above) + 1
        out.append(f"@@ -{start},{old} +{start + moved},{now} @@{section}\n")
        moved += len(new) - len(gone)
        rows = (" ", above), ("-", gone), ("+", new), (" ", below)
        out += [f"{sign}{line}\n" for sign, lines in rows for line in lines]
    return read_patch("".join(out).encode())


def fresh(now: Patch, then: Patch) -> list[str]:
    found = fresh_lines(now, digests(then))
    return [
        f"{line.kind}{line.text}"
        for hunk in now.hunks()
        for line in hunk.lines
        if (line.side, line.number) in found.get(hunk.key, frozenset())
    ]


def test_a_block_that_was_reviewed_is_new_where_it_is_moved_to() -> None:
    """`return True` behind a check is one thing, in the function for guests it is another."""
    then = patch_of((2, [], ["    return True"]))
    now = patch_of((9, [], ["    return True"]))
    assert fresh(now, then) == ["+    return True"]


def test_a_block_of_many_lines_is_new_at_its_edges_where_it_is_moved_to() -> None:
    lines = ["    if user:", "        grant(user)", "    return True"]
    assert fresh(patch_of((9, [], lines)), patch_of((2, [], lines))) == [f"+{lines[0]}", f"+{lines[2]}"]


def test_between_equal_lines_the_function_tells_the_places_apart() -> None:
    """Git prints the function before a hunk behind its place."""
    one, other = patch_of((2, [], ["x"]), section=" def a():"), patch_of((2, [], ["x"]), section=" def b():")
    assert fresh(other, one) == ["+x"]


@pytest.mark.parametrize("kept", [["    load()"], ["    verify()"]])
def test_what_is_left_of_a_block_when_its_end_or_its_beginning_is_taken_away_is_new(kept: list[str]) -> None:
    """The guard that a push took away again was there when the line beside it was reviewed."""
    then = patch_of((2, [], ["    load()", "    verify()"]))
    assert fresh(patch_of((2, [], kept)), then) == [f"+{kept[0]}"]


def test_what_is_left_when_the_middle_of_a_block_is_taken_away_is_new() -> None:
    then = patch_of((2, [], ["    load()", "    verify()", "    use()"]))
    assert fresh(patch_of((2, [], ["    load()", "    use()"])), then) == ["+    use()"]


def test_digests_are_too_long_for_a_line_to_be_chosen_by_its_own() -> None:
    """24 bits were found in a second: 16 million tries, divided by the lines that were seen. These are 80."""
    lines = [f"    value = {number}" for number in range(1_000)]
    seen = digests(patch_of((2, [], lines)))
    assert len(seen) == 1_000
    assert max(number.bit_length() for number in seen) in range(75, 81)
    wanted = {number >> 56 for number in seen}
    tried = (patch_of((9, [], ["    grant()", f"    # {number}"])) for number in range(2_000))
    assert sum(bool({number >> 56 for number in digests(patch)} & wanted) for patch in tried) < 2_000
    assert len(line_digest("x")) * 4 == 80
    assert line_digest("x") == hashlib.sha256(b"x").hexdigest()[:20]


def test_a_change_of_many_lines_is_remembered_by_hunks() -> None:
    lines = [f"    value = {number}" for number in range(MOST_SEEN)]
    patch = patch_of((2, [], lines), (9, [], ["    x()"]), (16, [], ["    y()"]))
    first, second, third = (hunk.key for hunk in patch.hunks())
    seen = digests(patch, hunks=[first, second])
    assert len(seen) == MOST_SEEN + 1
    now = Numbered(patch)
    short = now.in_short(seen)
    assert short == {now.of_hunks[first], now.of_hunks[second]}
    assert set(fresh_lines(patch, short)) == {third}
    assert now.still_seen(short) == short
    less = patch_of((2, [], lines[:-1]), (9, [], ["    x()"]), (16, [], ["    y()"]))
    assert set(fresh_lines(less, short)) == {first, third}
    assert Numbered(less).still_seen(short) == {now.of_hunks[second]}
