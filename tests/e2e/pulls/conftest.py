"""One server and one world for each module of this folder; each test has a repository of its own in it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

_HERE = Path(__file__).parent


def _load(name: str) -> ModuleType:
    known = f"spark_tests_pulls_{name}"
    if known not in sys.modules:
        spec = importlib.util.spec_from_file_location(known, _HERE / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[known] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[known])
    return sys.modules[known]


_house = _load("house")
_chat = _load("chat")


@pytest.fixture(scope="session")
def life() -> ModuleType:
    """The module `life.py`."""
    return _load("life")


@pytest.fixture(scope="session")
def app_key() -> str:
    """Making one takes a while."""
    return str(_house.new_private_key())


@pytest.fixture(scope="module")
def house(app_key: str, tmp_path_factory: pytest.TempPathFactory, _watched_servers: object) -> Iterator[Any]:
    """The server in this process, with its world."""
    with _house.open_house(tmp_path_factory.mktemp("house"), app_key) as house:
        yield house


@pytest.fixture
def make_chat(house: Any) -> Callable[..., Any]:
    """`make_chat(config)`: a repository of its own with this `.github/spark.yml`, and a pull to be opened in it."""

    def make(config: str = "", files: dict[str, str] | None = None) -> Any:
        repo = house.repo()
        known = {".github/spark.yml": config} if config else {}
        repo.commit("main", {"README.md": "# Shop\n", **known, **(files or {})}, "Before", "bob")
        return _chat.Chat(house, repo)

    return make


@pytest.fixture
def chats() -> ModuleType:
    """The module `chat.py`."""
    return _chat


@pytest.fixture
def outer_world(_watched_servers: object) -> Any:
    """`outer_world()`: a context with the stand-ins alone."""
    return _house.stand_ins
