"""A comment is written in a pause of the model's, and what is posted is the same as when it is written at the end."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from bot.review.model import FindingStatus
from bot.review.ports import CallReport, StreamEnd, Usage
from bot.review.ready import Ready

END = '{"end": true}\n'


class Pausing:
    """Says two findings, is silent until the comment of the first is written, and says a third."""

    name = "pausing"

    def __init__(self, *said: str) -> None:
        self._said = said
        self.go_on = threading.Event()

    def stream(self, prompt, *, sink, stop):
        first, *rest = self._said
        sink(first)
        assert self.go_on.wait(10), "no comment was written while the model was silent"
        sink("".join(rest) + END)
        return CallReport(end=StreamEnd.WHOLE, usage=Usage(calls=1))


@pytest.fixture
def written(monkeypatch):
    """The findings whose comments were written, in their order, each with its comment."""
    order = []
    write = Ready.comment

    def spied(self, finding):
        known = finding in self._comments
        comment = write(self, finding)
        if not known:
            order.append((finding, comment))
        return comment

    monkeypatch.setattr(Ready, "comment", spied)
    return order


@pytest.fixture
def pausing(one_file, written, monkeypatch):
    """A pull, and a model that pauses after its first finding until that one's comment is written."""
    one_file.publisher = one_file.board()
    one_file.other_model = model = Pausing(
        one_file.says("app.py", 1, title="First"), one_file.says("app.py", 2, title="Second", severity="low")
    )
    spied = Ready.comment

    def told(self, finding):
        comment = spied(self, finding)
        model.go_on.set()
        return comment

    monkeypatch.setattr(Ready, "comment", told)
    return one_file


def test_a_comment_is_written_while_the_model_is_silent_and_posted_as_it_is(pausing, written):
    review = pausing.review()
    (draft,) = pausing.publisher.drafts
    assert [finding.title for finding, _ in written] == ["First", "Second"]
    assert [comment for _, comment in written] == list(draft.comments)
    assert [one.title for one in review.findings] == ["First", "Second"]
    anew = Ready(pausing.patch)
    posted = [one for one in review.findings if one.status is FindingStatus.POSTED]
    assert list(draft.comments) == [anew.comment(one) for one in posted]


def test_no_more_are_written_ahead_than_may_be_posted(pausing, written):
    pausing.config = "review:\n  max_comments: 1\n"
    review = pausing.review()
    assert [finding.title for finding, _ in written] == ["First"]
    assert [one.status for one in review.findings] == [FindingStatus.POSTED, FindingStatus.OVER_LIMIT]


def test_nothing_is_written_ahead_where_nothing_is_posted(pausing, written):
    pausing.publisher = None
    pausing.other_model.go_on.set()
    assert len(pausing.review().findings) == 2
    assert written == []


def test_a_finding_that_has_changed_since_is_written_anew(world):
    world.publisher = world.board()
    world.script = lambda prompt, before: (world.says("app.py", 1) if not before else "") + END
    (finding,) = world.review().findings
    ready = Ready(world.patch)
    comment = ready.comment(finding)
    assert ready.comment(replace(finding)) is comment
    changed = replace(finding, note="the check gave no answer")
    assert "the check gave no answer" in ready.comment(changed).body
    assert ready.comment(finding) is comment
