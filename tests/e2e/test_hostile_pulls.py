"""Hostile repositories as pull requests: read over HTTP without a crash, a wrong line or a loss, and every anchor is taken.

`bench/hostile.py` does the same with 2,000 of them.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def script() -> Callable[[str], ModuleType]:
    """A script of `bench/` as a module."""

    def load(name: str) -> ModuleType:
        if name not in sys.modules:
            path = Path(__file__).parents[2] / "bench" / f"{name}.py"
            spec = importlib.util.spec_from_file_location(name, path)
            assert spec is not None
            assert spec.loader is not None
            sys.modules[name] = module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        return sys.modules[name]

    return load


@pytest.mark.parametrize("part", range(2))
def test_hostile_pulls_are_read_whole_and_every_anchor_is_accepted(script, part) -> None:
    hostile = script("hostile")
    # All comments of a pull in one POST: the rules are the same, and it is ten times as fast.
    tally = hostile.run([1_000 + part, 1_002 + part], batch=5_000)
    assert (tally.crashes, tally.wrong, tally.lost, tally.refused) == ([], [], [], [])
    assert tally.pulls == 40
    assert tally.accepted == tally.anchors > 2_000
    assert tally.lines > 1_000


def test_what_is_wrong_is_counted(script, monkeypatch) -> None:
    """The judge is not blind: lines and anchors that are off by one are seen."""
    hostile = script("hostile")
    blobs = hostile.Blobs.lines
    monkeypatch.setattr(hostile.Blobs, "lines", lambda self, sha: ["off", *blobs(self, sha)])
    counted = hostile.Blobs.changed
    monkeypatch.setattr(
        hostile.Blobs, "changed", lambda self, change: {**counted(self, change), "nobody read this": (1, 1)}
    )
    send = hostile.review_json

    def shifted(**fields: object) -> object:
        body = send(**fields)
        for comment in body.get("comments", []):
            comment["line"] += 1
        return body

    monkeypatch.setattr(hostile, "review_json", shifted)
    tally = hostile.run([1_000], batch=5_000, pulls=2)
    assert tally.wrong
    assert tally.lost
    assert tally.refused
    assert not tally.is_good
