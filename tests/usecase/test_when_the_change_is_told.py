"""Who listens hears of the change once the requests have left, and before anything else."""

from __future__ import annotations

import threading

import pytest

from bot.review import run
from bot.review.events import Started
from bot.review.ports import CallReport, StreamEnd

END = '{"end": true}\n'


class Waiting:
    """A model that says something when it is let."""

    name = "waiting"

    def __init__(self, parties: int) -> None:
        self.asked = 0
        self.all_asked = threading.Barrier(parties)
        self.may_speak = threading.Event()
        self._lock = threading.Lock()

    def stream(self, prompt, *, sink, stop):
        with self._lock:
            self.asked += 1
        self.all_asked.wait(10)
        assert self.may_speak.wait(10), "nobody heard of the change while the model was silent"
        sink(END)
        return CallReport(end=StreamEnd.WHOLE)


@pytest.fixture
def listened(world):
    """The world, its model, and how many requests had left when the change was told."""
    model = Waiting(parties=2)
    asked = []

    def on(event, hear=world.ear.on):
        hear(event)
        if isinstance(event, Started):
            asked.append(model.asked)
            model.may_speak.set()

    world.other_model, world.ear.on = model, on
    return world, model, asked


def test_the_change_is_told_when_the_requests_have_left(listened, monkeypatch):
    world, model, asked = listened
    # So long that the words of the model come first.
    monkeypatch.setattr(run, "HOLD", 10.0)
    model.may_speak.set()
    world.review()
    assert asked == [2]


def test_the_change_is_told_while_the_model_is_silent(listened):
    world, _, asked = listened
    review = world.review()
    assert len(asked) == 1
    assert isinstance(world.ear.events[0], Started)
    assert review.coverage.reviewed == 2


def test_the_change_is_told_first_where_no_model_is_asked(one_file):
    one_file.with_model = False
    one_file.analyzers = [one_file.tool()]
    one_file.review()
    assert isinstance(one_file.ear.events[0], Started)
    assert len(one_file.ear.of(Started)) == 1
