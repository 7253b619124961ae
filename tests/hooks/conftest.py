"""GitHub's example payloads, and what the tests change in them."""

from __future__ import annotations

import copy
import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.hooks.events import Event
from bot.hooks.read import read_event

DATA = Path(__file__).parents[1] / "data" / "webhooks" / "examples.json.xz"


@pytest.fixture(scope="session")
def examples() -> dict[str, list[Any]]:
    """Every example payload of GitHub's, by event. Not to be changed."""
    found: dict[str, list[Any]] = json.loads(lzma.decompress(DATA.read_bytes()))
    return found


@pytest.fixture(scope="session")
def example(examples: dict[str, list[Any]]) -> Callable[..., Any]:
    """`example("pull_request", "opened", **changes)`: a copy with values at paths changed (`pull_request__head__repo=None`).

    A value of `...` takes the member away.
    """

    def make(event: str, action: str | None = None, /, **changes: Any) -> Any:
        fitting = [each for each in examples[event] if action is None or each["action"] == action]
        made = copy.deepcopy(fitting[-1])
        for path, value in changes.items():
            *names, last = path.split("__")
            part = made
            for name in names:
                part = part[int(name)] if name.isdigit() else part.setdefault(name, {})
            if value is ...:
                del part[last]
            else:
                part[last] = value
        return made

    return make


@pytest.fixture(scope="session")
def event(example: Callable[..., Any]) -> Callable[..., Event]:
    """As `example`, read."""

    def make(name: str, action: str | None = None, /, **changes: Any) -> Event:
        return read_event(name, json.dumps(example(name, action, **changes)).encode())

    return make
