"""Twenty rounds of pushes with a model that nags (`bench/rounds.py` prints the table)."""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCH = Path(__file__).parents[3] / "bench" / "rounds.py"
NOTHING_NEW = ("a rebase", "a merge of main", "an empty commit", "all commits squashed", "a full review asked for")


@pytest.fixture(scope="module")
def rounds() -> ModuleType:
    """The module `bench/rounds.py`."""
    spec = importlib.util.spec_from_file_location("spark_bench_rounds", BENCH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_twenty_rounds_of_pushes_go_quiet(
    house: Any, rounds: ModuleType, chats: ModuleType, make_chat: Callable[..., Any]
) -> None:
    house.voice.script = nag = rounds.Nag()
    chat = make_chat(files=rounds.before())
    rows = rounds.play(chat, nag)
    sys.stdout.write(f"\n{rounds.table(rows)}\n")

    assert len(rows) == 20
    # From the second round on nothing is said about code that was there; from the third on a nit about it is counted alone.
    assert [row.on_old for row in rows] == [0] * 20
    assert [row.held_back for row in rows[:2]] == [0, 0]
    held = [row for row in rows if row.held_back]
    assert len(held) >= 8
    # A full review has the model say it all again, and nobody hears of it.
    asked = [row for row in rows if row.push == "a full review asked for"]
    assert all(row.said >= 11 and row.held_back >= 4 for row in asked), asked
    quiet = [row for row in rows if row.push in NOTHING_NEW]
    assert len(quiet) == 9
    assert {(row.on_new, row.notes) for row in quiet} == {(0, 0)}
    # Whoever asks is answered, with a link to the review that stands.
    assert {row.notifications for row in asked} == {1}
    assert {row.notifications for row in quiet if row not in asked} == {0}
    assert {row.said for row in quiet if row not in asked} == {0}
    # New code has its findings in every round.
    new = [row for row in rows if row.push in {"a new file", "a function in an old file"}]
    assert all(row.on_new >= 1 for row in new), new
    assert max(row.notifications for row in rows) == 1
    assert sum(row.on_new for row in rows) < sum(row.said for row in rows) / 3
    assert max(Counter(chat.fingerprints()).values()) == 1
    # One mistake may be made in two functions of a file, so a place is a line's text here.
    places = [(thread.path, thread.rows[-1].text, chats.heading(thread)) for thread in chat.threads]
    assert max(Counter(places).values()) == 1
