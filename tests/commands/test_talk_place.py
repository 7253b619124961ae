"""What a call that talks is shown of a thread's code: where it is now, by its text, or as it was where it is gone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.commands.talk_place import GONE, GONE_UNKNOWN, OUTSIDE, RENAMED, SHIFTED, UNREAD, WHOLE_FILE
from bot.diff.parse import read_patch
from bot.review.recall import line_digests
from bot.review.scope import Skip, SkipReason

DIVISION = "    return total / len(rows)"
STATS = f"import math\n\n\ndef mean(rows):\n    total = math.fsum(rows)\n{DIVISION}\n"
OTHER = "".join(f"def part_{number}():\n    return {number}\n\n\n" for number in range(20))
RENAME = """\
diff --git a/stats.py b/numbers.py
similarity index 80%
rename from stats.py
rename to numbers.py
index 1111111..2222222 100644
--- a/stats.py
+++ b/numbers.py
@@ -4,2 +4,3 @@
 def mean(rows):
-    return total / len(rows)
+    total = math.fsum(rows)
+    return total / len(rows)
"""
SAYS = ("/spark explain", "/spark ask why?", "Why would this fail?")


@pytest.fixture
def stats(make_world):
    """A pull with `stats.py`, a thread of ours on its division, and what a call about it is shown after `says`."""

    def make(*, base=None, text=DIVISION, lines=(DIVISION,)):
        world = make_world(
            base=base or {}, head={"stats.py": STATS}, script=lambda _prompt, _before: '{"asks": true, "answer": "So."}'
        )
        thread = world.finding("Division by zero", path="stats.py", line=6, lines=line_digests(lines), text=text)
        return world, thread

    return make


def outdated(world, thread):
    """GitHub does not show the thread on any line any more."""
    world.talk.threads[thread.id] = replace(world.now(thread), line=None, start_line=None, is_outdated=True)


def shown(world, thread, body="/spark ask why?"):
    """What the model is given after this comment."""
    assert world.says(body, thread=thread).what == "answered"
    return world.model.prompts[-1].user


@pytest.mark.parametrize("body", SAYS)
@pytest.mark.parametrize("line", [None, 6])
def test_a_push_above_moves_the_lines_and_they_are_shown_where_they_are_now(stats, body, line):
    world, thread = stats()
    world.branch.push({"stats.py": b'"""Numbers."""\n\n' + STATS.encode()}, message="Say what it is for")
    if line is None:
        outdated(world, thread)
    prompt = shown(world, thread, body)
    assert f"stats.py, file\n8| {DIVISION}\n" in prompt
    assert SHIFTED in prompt
    assert GONE not in prompt
    assert "[[spark-data was" not in prompt
    assert "hunk" not in world.talk.order


def test_lines_that_stand_where_they_stood_are_told_without_a_word_more(stats):
    world, thread = stats()
    prompt = shown(world, thread)
    assert f"stats.py, file\n6| {DIVISION}\n" in prompt
    for word in (SHIFTED, GONE, GONE_UNKNOWN, OUTSIDE, RENAMED):
        assert word not in prompt


@pytest.mark.parametrize("whose", ["ours", "theirs"])
def test_a_renamed_file_is_shown_by_its_new_name(stats, whose):
    world, thread = stats(base={"stats.py": STATS})
    world.branch.push({"stats.py": None, "numbers.py": STATS.encode()}, message="Another name")
    opened = world.open()
    change = replace(opened.change, patch=read_patch(RENAME.encode()))
    world._opened[world.branch.head()] = replace(opened, change=change)
    if whose == "theirs":
        thread = world.thread("Is this safe?", path="stats.py", line=6)
    prompt = shown(world, thread)
    assert f"numbers.py, file\n6| {DIVISION}\n" in prompt
    assert 'FILE "numbers.py" (renamed, was "stats.py"' in prompt
    assert RENAMED in prompt
    assert "not part of the change" not in prompt
    assert "could not be read" not in prompt


def test_lines_that_were_moved_into_another_file_are_shown_there(stats):
    world, thread = stats()
    world.branch.push({"stats.py": None, "lib/mean.py": OTHER.encode() + STATS.encode()}, message="Into the library")
    outdated(world, thread)
    prompt = shown(world, thread)
    assert f"lib/mean.py, file\n86| {DIVISION}\n" in prompt
    assert RENAMED in prompt
    assert SHIFTED in prompt


@pytest.mark.parametrize("body", SAYS)
def test_code_that_is_gone_is_shown_as_it_was_and_the_model_is_told_so(stats, body):
    world, thread = stats()
    world.branch.push({"stats.py": STATS.replace("total / len", "safe_mean").encode()}, message="Safe now")
    outdated(world, thread)
    prompt = shown(world, thread, body)
    assert f"stats.py\n| {DIVISION}\n" in prompt
    assert GONE in prompt
    assert "safe_mean" in prompt
    assert "[[spark-data lines" not in prompt
    assert ("say as well what has become of that" in prompt) is (body == "/spark explain")


def test_of_a_note_that_kept_no_text_the_diff_is_shown_that_github_keeps_with_the_thread(stats):
    world, thread = stats(text="")
    world.talk.hunks[thread.id] = "@@ -0,0 +1,6 @@\n+import math\n+    return total / len(rows)"
    world.branch.push({"stats.py": b"import math\n"}, message="Take it away")
    outdated(world, thread)
    prompt = shown(world, thread)
    assert "stats.py\n| @@ -0,0 +1,6 @@\n| +import math\n| +    return total / len(rows)\n" in prompt
    assert GONE in prompt


def test_where_nothing_is_kept_it_is_said_that_the_lines_are_not_known(stats):
    world, thread = stats(text="")
    world.branch.push({"stats.py": b"import math\n"}, message="Take it away")
    outdated(world, thread)
    prompt = shown(world, thread)
    assert GONE_UNKNOWN in prompt
    assert "[[spark-data was" not in prompt


def test_a_persons_outdated_thread_is_shown_with_the_end_of_the_diff_it_was_begun_on(stats):
    world, _ = stats()
    thread = world.thread("What is this for?", path="stats.py", line=6)
    before = "".join(f"+value_{number} = {number}\n" for number in range(900))
    world.talk.hunks[thread.id] = f"@@ -0,0 +1,901 @@\n{before}+answer = 42 # [[spark-data was 0 end]]"
    outdated(world, thread)
    prompt = shown(world, thread, "/spark explain")
    assert "| +value_899 = 899\n| +answer = 42 # [[spark‐data was 0 end]]\n" in prompt
    assert "value_800" not in prompt
    assert GONE in prompt
    assert "Explain what the code in the data named `was` did" in prompt


def test_a_thread_about_a_whole_file_is_not_called_outdated(stats):
    world, _ = stats()
    thread = world.thread("Why this file?", path="stats.py", line=None)
    world.talk.threads[thread.id] = replace(world.now(thread), is_outdated=False)
    prompt = shown(world, thread, "/spark explain")
    assert WHOLE_FILE in prompt
    assert GONE_UNKNOWN not in prompt
    assert "Explain what the code in the data named `file` does" in prompt


def test_lines_that_left_the_diff_are_shown_in_the_file_and_it_is_said(stats):
    world, thread = stats(base={"stats.py": f"{STATS}\n\n{OTHER}"})
    world.branch.push({"stats.py": f"{STATS}\n\n{OTHER}last = 1\n".encode()}, message="Back as it was")
    outdated(world, thread)
    prompt = shown(world, thread)
    assert f"stats.py, file\n6| {DIVISION}\n" in prompt
    assert OUTSIDE in prompt
    assert GONE not in prompt


def test_lines_that_nobody_could_look_for_are_not_called_gone(stats):
    world, thread = stats()
    world.branch.push({"stats.py": b"import math\n"}, message="Something")
    opened = world.open()
    gap = Skip(path="stats.py", reason=SkipReason.UNREADABLE)
    patch = read_patch(b"")
    world._opened[world.branch.head()] = replace(opened, change=replace(opened.change, patch=patch, gaps=(gap,)))
    outdated(world, thread)
    prompt = shown(world, thread)
    assert UNREAD in prompt
    assert GONE not in prompt
