"""The life of one pull request from its opening to its last push, over real HTTP. `-s` prints it as a chat."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

PAGE = Path(__file__).parents[3] / "docs" / "life-of-a-pull.md"
US = "spark[bot]"


def test_the_life_of_one_pull_request(house: Any, life: ModuleType, make_chat: Callable[..., Any]) -> None:
    chat = make_chat(life.CONFIG, life.BEFORE)
    life.play(chat)
    sys.stdout.write(f"\n{chat.markdown()}")

    # Opened with five findings; no finding was posted twice, by its identity or by its place and words.
    assert len(chat.threads) == 5
    assert max(Counter(chat.fingerprints()).values()) == 1
    assert max(Counter(chat.titles()).values()) == 1

    # What was mended is resolved by us with an answer, whoever mended it.
    for title, verb in ((life.TIMEOUT, "Fixed in"), (life.DEFAULT, "Committed ["), (life.NONE, "Fixed in")):
        thread = chat.thread(title)
        assert thread.resolved_by.login == US
        assert thread.comments[-1].author.login == US
        assert thread.comments[-1].body.startswith(verb)
        assert thread.comments[-1].body.count("Fixed in") == 1
    # Where we had said that we committed it, that very answer says that it is fixed: nobody is told twice.
    assert [said.author.login for said in chat.thread(life.DEFAULT).comments] == [US, "alice", US]
    assert "timeout=5" in chat.file("shop/orders.py")
    assert "orders=None" in chat.file("shop/orders.py")
    assert "currency is None" in chat.file("shop/orders.py")

    # The dismissed one is silent, and so is its like of the last push.
    dismissed = chat.thread(life.DIVISION)
    assert dismissed.resolved_by.login == US
    assert len(dismissed.comments) == 3
    assert "never reported" in dismissed.comments[-1].body
    assert chat.file("shop/report.py").count("/ len(") == 2
    assert "2 dismissed earlier" in chat.summary

    # The one that was argued about is answered, open, and counts.
    argued = chat.thread(life.EVAL)
    assert argued.resolved_by is None
    assert [said.author.login for said in argued.comments] == [US, "alice", US]
    assert "The report stands" in argued.comments[-1].body
    assert chat.check().conclusion == "failure"
    assert chat.check().title == "Fail: 1 finding of high or above"
    assert {run.status for run in chat.checks()} == {"completed"}

    # Code that came with main was shown to nobody.
    asked = [json.dumps(each.body) for each in house.endpoint.requests]
    assert not [each for each in asked if "Somebody else" in each]

    # What a person is told of: one review, and then a note for each thread that is over.
    pushes = [turn for turn in chat.turns if turn.is_push]
    told = [(turn.reviews, turn.line_comments, turn.replies, turn.comments) for turn in pushes]
    assert told == [(1, 5, 0, 0), (0, 0, 1, 0), (0, 0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0)]
    assert len(chat.pull.former_heads) == 6
    assert max(chat.acks) < 1.0
    assert len(chat.acks) == 3

    # Our own events did nothing; but a commit of ours is a new head, which needs its check.
    ours = [each for each in house.github.webhooks.deliveries if each.payload["sender"]["login"] == US]
    assert len(ours) > 20
    assert {(each.event, each.action) for each in ours if each.status_code != 200} == {("pull_request", "synchronize")}

    # docs/life-of-a-pull.md shows the same turns; `python tests/e2e/pulls/chat.py` writes it.
    assert shape(PAGE.read_text(encoding="utf-8")) == shape(chat.markdown())


def shape(page: str) -> list[str]:
    """Who did what where, without the words and the ids of commits."""
    lines = [line for line in page.split("\n") if line.startswith(("## ", "**", "<sub>"))]
    return [re.sub(r"\b[0-9a-f]{7}\b", "", line) for line in lines]
