"""What the end of a review needs is made while the model writes, once, and is the same as when it is made at the end."""

from __future__ import annotations

import threading

from bot.diff.parse import read_patch
from bot.review.crew import Crew
from bot.review.ready import Ready
from bot.review.seen import Numbered, digests

DIFF = b"""\
diff --git a/a.py b/a.py
--- a/a.py
+++ b/a.py
@@ -1,3 +1,4 @@
 one
-two
+deux
+token = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
 three
@@ -9,3 +10,2 @@ def go():
 nine
-ten
 eleven
"""


def test_numbers_by_hunk_are_those_of_the_whole_change() -> None:
    patch = read_patch(DIFF)
    by_hunk = Numbered(patch).by_hunk
    assert list(by_hunk) == [hunk.key for hunk in patch.hunks()]
    assert frozenset().union(*by_hunk.values()) == digests(patch)
    for key, numbers in by_hunk.items():
        assert numbers == digests(patch, hunks=[key])


def test_what_is_prepared_is_not_made_again() -> None:
    ready = Ready(read_patch(DIFF))
    ready.prepare()
    first = ready.redactor, ready.numbered.by_hunk
    ready.prepare()
    assert ready.is_prepared
    assert ready.redactor is first[0]
    assert ready.numbered.by_hunk is first[1]
    assert "ghp_0123456789" not in ready.redactor.redact("see ghp_0123456789abcdefghijABCDEFGHIJ012345")


def test_as_many_findings_are_tried_at_once_as_two_for_each_stream() -> None:
    together = threading.Barrier(2 * 24)
    crew: Crew[int] = Crew(streams=24, on_error=together.abort)
    with crew:
        for number in range(2 * 24):
            crew.beside(lambda number=number: (together.wait(10), crew.tell(number)))
        assert sorted(filter(lambda got: got is not None, (crew.next(within=10) for _ in range(2 * 24)))) == [
            *range(48)
        ]
