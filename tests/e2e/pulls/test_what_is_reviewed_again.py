"""Pushes that make history anew, another base, other rules: what is looked at again, with the reason named in the summary."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

US = "spark[bot]"
ONE = "def one(rows=[]):\n    return rows\n"
TWO = "def two(text):\n    return eval(text)\n"
THREE = "def three(row):\n    if row == None:\n        return 3\n    return row\n"


def shown(house: Any, since: int) -> str:
    """The prompts of calls since then that have tagged lines in them: reviews, and nothing else here."""
    bodies = [json.dumps(each.body) for each in list(house.endpoint.requests)[since:]]
    return "\n".join(body for body in bodies if '\\"at\\"' in body and '\\"verdict\\"' not in body)


def test_commits_that_a_force_push_dropped_are_followed_and_the_rest_is_not_reviewed_again(
    house: Any, make_chat: Callable[..., Any]
) -> None:
    chat = make_chat("gate:\n  fail_on: high\n")
    chat.opens({"one.py": ONE})
    chat.pushes({"two.py": TWO}, "Two")
    assert chat.check().conclusion == "failure"
    gone, asked, seen = chat.pull.head_sha, len(house.endpoint.requests), len(house.github.requests)

    turn = chat.force_pushes({"one.py": ONE, "README.md": "# Another\n"}, "Only one")
    assert not chat.repo.git.is_ancestor(gone, chat.pull.head_sha)
    assert chat.check().conclusion == "success"
    # The defect went with its file, and its thread says so; the other stands, and is not said again.
    two, one = chat.thread("Text is run"), chat.thread("A default")
    assert (two.resolved_by.login, two.comments[-1].body[:8]) == (US, "Fixed in")
    assert (one.resolved_by, len(one.comments)) == (None, 1)
    assert (turn.reviews, turn.replies, len(chat.threads)) == (0, 1, 2)
    assert f"Reviewed what changed since `{gone[:7]}` (round 3): 1 of 2 hunks" in chat.summary
    assert "def one" not in shown(house, asked)
    # Nobody asks GitHub for a commit that nothing leads to any more.
    assert not [each for each in list(house.github.requests)[seen:] if gone in each.path or gone.encode() in each.body]


def test_a_rewritten_branch_without_anything_of_the_old_one_has_its_findings_anew(
    make_chat: Callable[..., Any],
) -> None:
    chat = make_chat()
    chat.opens({"one.py": ONE})
    turn = chat.force_pushes({"three.py": THREE}, "Three instead")
    assert (turn.reviews, turn.line_comments, turn.replies) == (1, 1, 1)
    assert chat.thread("A default").resolved_by.login == US
    assert chat.thread("None is compared").resolved_by is None
    assert "(round 2)" in chat.summary
    # And back again: what was resolved comes back in its own thread.
    turn = chat.force_pushes({"one.py": ONE, "three.py": THREE}, "Both")
    assert (turn.reviews, turn.line_comments, turn.replies, len(chat.threads)) == (0, 0, 1, 2)
    back = chat.thread("A default")
    assert (back.resolved_by, "is back" in back.comments[-1].body) == (None, True)


def test_another_base_brings_only_what_is_new_against_it(house: Any, make_chat: Callable[..., Any]) -> None:
    chat = make_chat("gate:\n  fail_on: high\n")
    chat.repo.branch("release")
    chat.main_gets({"two.py": TWO}, "Two, on main alone")
    chat.opens({"one.py": ONE})
    assert len(chat.threads) == 1
    assert chat.check().conclusion == "success"
    asked = len(house.endpoint.requests)

    # Against the release branch main's own commit is part of the pull.
    with chat.turn("alice chooses another base", is_push=True) as turn:
        chat.repo.edit_pull(chat.pull.number, base="release")
    assert (turn.reviews, turn.line_comments) == (1, 1)
    assert chat.titles() == [
        ("one.py", "A default value is shared between calls"),
        ("two.py", "Text is run as code"),
    ]
    assert "1 of 2 hunks" in chat.summary
    assert chat.checks()[-1].conclusion == "failure"
    assert "def two" in shown(house, asked)
    assert "def one" not in shown(house, asked)

    # And back to main: it is not the pull's any more; nobody mended it, so nobody says so.
    with chat.turn("alice takes main again", is_push=True) as turn:
        chat.repo.edit_pull(chat.pull.number, base="main")
    assert (turn.reviews, turn.line_comments, turn.replies, len(chat.threads)) == (0, 0, 0, 2)
    assert chat.thread("Text is run").resolved_by is None
    assert "Nothing is new" in chat.summary
    assert [run.conclusion for run in chat.checks()] == ["success", "failure", "success"]


def test_other_rules_have_everything_reviewed_once_more_with_that_reason(
    house: Any, make_chat: Callable[..., Any]
) -> None:
    chat = make_chat()
    chat.opens({"one.py": ONE, "three.py": THREE})
    assert "first review" not in chat.summary
    chat.main_gets({".github/spark.yml": "review:\n  instructions: Mind the rows.\n"}, "Rules")
    asked = len(house.endpoint.requests)
    turn = chat.pushes({"README.md": "# More\n"}, "A word")
    assert "the rules of the review changed" in chat.summary
    assert "def one" in shown(house, asked)
    assert "def three" in shown(house, asked)
    assert (turn.notifications, len(chat.threads)) == (0, 2)
    asked = len(house.endpoint.requests)
    chat.pushes({"README.md": "# More words\n"}, "Words")
    assert "the rules of the review changed" not in chat.summary
    assert "def one" not in shown(house, asked)
