"""For all test folders: whatever goes over a stand-in GitHub's wire, in any test, is held against GitHub's contracts.

Every `GitHubServer` that a test starts is watched; when the test ends, its requests and answers are checked with
`tests/contract/checker.py`, and a problem fails the test. A test that sends wrong requests on purpose says so with
`@pytest.mark.wrong_requests`; its answers are checked all the same.
"""

from __future__ import annotations

import gc
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import hypothesis
import pytest

from bot.sandbox.github import GitHubServer

_CHECKER = Path(__file__).parent / "contract" / "checker.py"
_NAME = "spark_contract_checker"


# Where Python is told to leave no bytecode behind, each test process would rewrite the asserts of every test file again
# (twelve seconds of work), and each command and server that a test starts would compile the program.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


# The same cases in each run, however slow the machine. `pytest --hypothesis-profile=default` looks for new ones.
hypothesis.settings.register_profile("suite", derandomize=True, deadline=None)
hypothesis.settings.load_profile("suite")

# What is imported and collected, a million objects, stays to the end. To look through it again and again for what can be
# freed was a tenth of the suite's time.
gc.set_threshold(100_000, 20, 100)


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "wrong_requests: sends requests on purpose that break GitHub's contract")


def _load() -> ModuleType:
    if _NAME not in sys.modules:
        spec = importlib.util.spec_from_file_location(_NAME, _CHECKER)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[_NAME] = module
        spec.loader.exec_module(module)
    return sys.modules[_NAME]


@pytest.fixture(scope="session")
def contract_checker() -> ModuleType:
    """The module `tests/contract/checker.py`."""
    return _load()


@pytest.fixture(scope="session")
def _watched_servers() -> Iterator[list[tuple[GitHubServer, int]]]:
    watched: list[tuple[GitHubServer, int]] = []
    start: Callable[[GitHubServer], GitHubServer] = GitHubServer.start

    def watching(server: GitHubServer) -> GitHubServer:
        watched.append((server, 0))
        return start(server)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GitHubServer, "start", watching)
        yield watched


@pytest.fixture(autouse=True)
def _github_contract(
    request: pytest.FixtureRequest, _watched_servers: list[tuple[GitHubServer, int]]
) -> Iterator[None]:
    yield
    if not _watched_servers:
        return
    checker = _load()
    problems: list[str] = []
    wrong_on_purpose = request.node.get_closest_marker("wrong_requests") is not None
    for at, (server, done) in enumerate(_watched_servers):
        fresh = list(server.requests)[done:]
        problems += checker.problems_of(fresh, requests=not wrong_on_purpose)
        _watched_servers[at] = (server, done + len(fresh))
    _watched_servers[:] = [(server, done) for server, done in _watched_servers if not server.stopped]
    if problems:
        pytest.fail("against GitHub's contract:\n" + "\n".join(problems), pytrace=False)
