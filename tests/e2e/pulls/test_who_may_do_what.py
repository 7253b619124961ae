"""A handful of cells of the permission table from the webhook to what is seen on the pull; `tests/commands` has the table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bot.sandbox.github import talk

US = "spark[bot]"
FILES = {
    "one.py": "def one(rows=[]):\n    return rows\n",
    "two.py": "def two(text):\n    return eval(text)\n",
}


@pytest.fixture(scope="module")
def shared() -> dict[str, Any]:
    """What the tests of this module have in common: one pull."""
    return {}


@pytest.fixture
def chat(shared: dict[str, Any], make_chat: Callable[..., Any]) -> Any:
    """The pull of alice's, with two findings of which none is ever mended."""
    if "chat" not in shared:
        shared["chat"] = make_chat("gate:\n  fail_on: high\n")
        shared["chat"].opens(FILES)
    return shared["chat"]


def told_since(house: Any, before: int) -> list[tuple[str, int, str]]:
    """Deliveries since then that are not about what we did: action, status, answer."""
    return [
        (f"{each.event}.{each.action}", each.status_code, each.answer.decode())
        for each in house.github.webhooks.deliveries[before:]
        if each.payload["sender"]["login"] != US
    ]


def test_a_reader_is_refused_a_commit_in_words(chat: Any) -> None:
    head = chat.pull.head_sha
    said = chat.replies("A default", "/spark fix --commit", by="carol")
    assert chat.pull.head_sha == head
    assert chat.reactions(said) == ["eyes", "confused"]
    answer = chat.thread("A default").comments[-1]
    assert answer.author.login == US
    assert "right to write" in answer.body
    assert "`read`" in answer.body


@pytest.mark.parametrize("verb", ["ignore it is fine", "fix all", "pause", "undo"])
def test_triage_is_not_enough_for_what_changes_something(chat: Any, verb: str) -> None:
    head, known = chat.pull.head_sha, len(chat.thread("A default").comments)
    said = chat.replies("A default", f"/spark {verb}", by="dan")
    thread = chat.thread("A default")
    assert (chat.pull.head_sha, thread.resolved_by, len(thread.comments)) == (head, None, known + 2)
    assert chat.reactions(said) == ["eyes", "confused"]
    assert "`triage`" in thread.comments[-1].body


def test_bots_and_edits_and_words_without_a_command_do_nothing(house: Any, chat: Any) -> None:
    before, answers = len(house.github.webhooks.deliveries), len(chat.said_by_us())
    by_bot = chat.says("/spark fix all", by="renovate[bot]")
    by_us = chat.says("/spark fix all", by=US)
    words = chat.says("Nobody wrote a command here. /spark fix all would be one.", by="bob")
    with chat.turn("bob edits his words"):
        talk.edit(chat.repo, words, "/spark fix all", by="bob")
    assert [status for _, status, _ in told_since(house, before)] == [200, 200, 200]
    assert len(chat.said_by_us()) == answers + 1, "the one of the test itself"
    assert [each.reactions for each in (by_bot, by_us, words)] == [[], [], []]
    assert len(chat.pull.former_heads) == 0


def test_a_strangers_thumb_changes_nothing_and_a_writers_dismisses(chat: Any) -> None:
    first = chat.thread("Text is run").comments[0]
    with chat.turn("somebody puts a thumb down"):
        talk.react(chat.repo, first, "-1", by="stranger")
    chat.pushes({"README.md": "# One\n"}, "One")
    assert chat.check().conclusion == "failure"
    assert "dismissed" not in chat.summary
    with chat.turn("bob puts a thumb down"):
        talk.react(chat.repo, first, "-1", by="bob")
    turn = chat.pushes({"README.md": "# Two\n"}, "Two")
    assert chat.check().conclusion == "success"
    assert "1 dismissed earlier (1 high)" in chat.summary
    assert turn.notifications == 0


def test_the_author_of_a_fork_gets_a_suggestion_and_no_commit(chat: Any, chats: Any, house: Any) -> None:
    fork = chat.repo.fork(f"erin/{chat.repo.name}")
    fork.commit("topic", {"three.py": "def three(rows={}):\n    return rows\n"}, "Three", "erin")
    theirs = chats.Chat(house, chat.repo)
    with theirs.turn("erin opens a pull request from a fork", is_push=True):
        theirs.pull = chat.repo.open_pull("Three", "", head="topic", author="erin", head_repo=fork)
    head = theirs.pull.head_sha
    asked = theirs.replies("A default", "/spark fix", by="erin")
    thread = theirs.thread("A default")
    assert thread.comments[-1].body.startswith("The suggestion above still holds.")
    assert theirs.reactions(asked)[0] == "eyes"
    refused = theirs.replies("A default", "/spark fix --commit", by="erin")
    assert theirs.reactions(refused) == ["eyes", "confused"]
    assert "right to write" in thread.comments[-1].body
    assert theirs.pull.head_sha == head
    # Who may write commits for the author, as the fork lets maintainers do.
    theirs.replies("A default", "/spark fix --commit", by="bob")
    assert theirs.pull.head_sha != head
    assert fork.git.resolve("topic") == theirs.pull.head_sha
    assert thread.resolved_by.login == US
    assert theirs.check().conclusion == "success"


def test_a_dismissal_has_the_check_of_the_head_decided_anew(house: Any, make_chat: Callable[..., Any]) -> None:
    chat = make_chat("review:\n  on: [opened]\ngate:\n  fail_on: high\n")
    chat.opens(FILES)
    assert chat.check().conclusion == "failure"
    calls = len(house.endpoint.requests)
    # By who may not write nothing changes, and a finding that the gate does not go by changes nothing either.
    chat.replies("Text is run", "/spark ignore it is only ever a constant", by="dan")
    chat.replies("A default", "/spark ignore nobody appends", by="bob")
    assert [run.conclusion for run in chat.checks()] == ["failure"]
    chat.replies("Text is run", "/spark ignore it is only ever a constant", by="bob")
    assert [run.conclusion for run in chat.checks()] == ["failure", "success"]
    assert "2 dismissed earlier" in chat.summary
    turn = chat.turns[-1]
    assert (turn.reviews, turn.replies, turn.comments) == (0, 1, 0)
    assert len(house.endpoint.requests) == calls
