"""How long the Action takes from the start of its process to its first call to GitHub, by each way to its packages.

Each way starts on the stock interpreter in an empty cache directory (cold) and in the one that this left (warm). The
packages and the bundle lie on this machine: a folder of wheels, and a server on loopback. So what is measured is the work
after the download. GitHub is a server on loopback that notes when it is first asked.

    python bench/action_start.py            # the table
    python bench/action_start.py --runs 9
"""

from __future__ import annotations

import argparse
import http.server
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "action"))

import build_zipapp  # noqa: E402 - it lies in action/
import spark_ready  # noqa: E402 - as above

SHA: Final = "1" * 40
PARTS: Final = """
import gc, sys, time
at = [time.perf_counter()]
here, root = sys.argv[1:]
sys.path.insert(0, here)
import spark_ready, os
from pathlib import Path
paths = spark_ready.make_ready(Path(root), os.environ, print)
at.append(time.perf_counter())
sys.path[:0] = map(str, paths)
gc.set_threshold(spark_ready.OBJECTS)
import bot.__main__
import bot.cli.action
at.append(time.perf_counter())
import github
at.append(time.perf_counter())
print(*(after - before for before, after in zip(at, at[1:])))
"""


@contextmanager
def serve(answer: Callable[[str], bytes | None]) -> Iterator[str]:
    """A server on loopback; None is a 404. Gives its URL."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = answer(self.path)
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content or b"{}")))
            self.end_headers()
            self.wfile.write(content or b"{}")

        do_POST = do_PATCH = do_GET  # noqa: N815 - as above

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


class Bench:
    """A checkout, a folder of wheels, a bundle, and a GitHub that notes when it is asked."""

    def __init__(self, folder: Path, python: str, github: str, asked: list[float]) -> None:
        self.python, self.asked = python, asked
        self.checkout = folder / "checkout"
        self.cache = folder / "tool-cache"
        self.no_uv, self.with_uv = folder / "no-uv", folder / "with-uv"
        self.no_uv.mkdir()
        self.with_uv.mkdir()
        (self.with_uv / "uv").symlink_to(str(shutil.which("uv")))
        self.uv_cache = folder / "uv-cache"
        self.wheels = folder / "wheels"
        for name in ("action", "bot", "requirements"):
            shutil.copytree(ROOT / name, self.checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
        event = folder / "event.json"
        event.write_text(json.dumps(_event()))
        self.env = {
            "HOME": str(folder),
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": str(folder),
            "GITHUB_EVENT_NAME": "pull_request",
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_REPOSITORY": "acme/shop",
            "GITHUB_API_URL": github,
            "GITHUB_SERVER_URL": github,
            "GITHUB_OUTPUT": str(folder / "outputs"),
            "GITHUB_STEP_SUMMARY": str(folder / "summary"),
            "RUNNER_TEMP": str(folder / "temp"),
            "RUNNER_TOOL_CACHE": str(self.cache),
            "SPARK_INPUT_GITHUB_TOKEN": "bench-token",
            "SPARK_INPUT_POST": "true",
            "UV_FIND_LINKS": str(self.wheels),
            "UV_NO_INDEX": "1",
            "UV_CACHE_DIR": str(self.uv_cache),
            "PIP_FIND_LINKS": str(self.wheels),
            "PIP_NO_INDEX": "1",
            "PIP_CACHE_DIR": str(folder / "pip-cache"),
        }

    def fetch(self) -> None:
        """The wheels, once, from wherever this machine gets its packages."""
        command = [self.python, "-m", "pip", "download", "--quiet", "--require-hashes", "--no-deps"]
        command += ["--disable-pip-version-check", "--only-binary", ":all:", "-d", str(self.wheels)]
        subprocess.run([*command, "-r", str(ROOT / spark_ready.LOCK)], check=True, stderr=subprocess.DEVNULL)

    def forget(self) -> None:
        """Make the next start a cold one."""
        shutil.rmtree(self.cache, ignore_errors=True)
        shutil.rmtree(self.uv_cache, ignore_errors=True)
        # As fresh as the runner downloads it.
        for path in self.checkout.rglob("__pycache__"):
            shutil.rmtree(path)

    def start(self, path: Path) -> tuple[float, float]:
        """Seconds from the start of the process to the first call, and of all processors to the end."""
        self.asked.clear()
        used = _used()
        began = time.monotonic()
        command = [self.python, "-I", str(self.checkout / "action" / "start.py")]
        done = subprocess.run(
            command, env={**self.env, "PATH": f"{path}:{os.defpath}"}, capture_output=True, check=False
        )
        if not self.asked:
            raise SystemExit(f"GitHub was never asked: {done.stdout.decode()}{done.stderr.decode()}")
        return self.asked[0] - began, _used() - used

    def parts(self) -> list[float]:
        """Seconds of a warm start: finding what is ready, our imports, PyGithub."""
        command = [self.python, "-I", "-c", PARTS, str(self.checkout / "action"), str(self.checkout)]
        done = subprocess.run(command, env={**self.env, "PATH": os.defpath}, capture_output=True, check=True, text=True)
        return [float(word) for word in done.stdout.split()]

    def empty(self) -> float:
        """Seconds of an interpreter that does nothing."""
        began = time.monotonic()
        subprocess.run([self.python, "-I", "-c", ""], check=True)
        return time.monotonic() - began


def _used() -> float:
    """Processor seconds of all processes that were started from here and have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


def _event() -> dict[str, object]:
    repo = {"id": 1, "full_name": "acme/shop", "name": "shop", "owner": {"login": "acme"}, "default_branch": "main"}
    head, base = {"sha": SHA, "ref": "topic", "repo": repo}, {"sha": "2" * 40, "ref": "main", "repo": repo}
    pull = {"number": 7, "state": "open", "draft": False, "title": "Totals", "body": "", "user": {"login": "mona"}}
    sender = {"login": "mona", "type": "User", "id": 2}
    pull |= {"head": head, "base": base, "labels": [], "id": 3}
    return {"action": "opened", "number": 7, "pull_request": pull, "repository": repo, "sender": sender}


def _python() -> str:
    """The system's interpreter where it is new enough, otherwise the one under this environment."""
    system = shutil.which("python3", path=os.defpath)
    test = "import sys; sys.exit(sys.version_info < (3, 11))"
    if system is not None and subprocess.run([system, "-I", "-c", test], check=False).returncode == 0:
        return system
    return f"{sys.base_prefix}/bin/python3"


def measure(runs: int, folder: Path) -> str:
    """The tables, in Markdown."""
    asked: list[float] = []

    def github(_: str) -> bytes | None:
        asked.append(time.monotonic())
        return None

    python = _python()
    with serve(github) as url:
        bench = Bench(folder, python, url, asked)
        bench.fetch()
        build = [python, str(ROOT / "action" / "build_zipapp.py"), str(folder / "dist")]
        bin_path = f"{bench.with_uv}:{os.environ['PATH']}"
        subprocess.run(build, check=True, env={**os.environ, "PATH": bin_path}, stdout=subprocess.DEVNULL)
        entry = next((folder / "dist").glob("*.json"))
        bundle = entry.with_suffix(".pyz").read_bytes()
        with serve(lambda _: bundle) as releases:
            bundles = bench.checkout / spark_ready.BUNDLES
            none = bundles.read_text("utf-8")
            released = json.dumps(dict(build_zipapp.bundles(releases, [entry])))
            lines = [
                "| way to the packages | cold | its CPU | warm | its CPU | kept on disk |",
                "|---|---|---|---|---|---|",
            ]
            ways = (
                ("the zipapp of the release", released, bench.no_uv),
                ("uv and the lock", none, bench.with_uv),
                ("pip and the lock", none, bench.no_uv),
            )
            parts: list[list[float]] = []
            for name, known, path in ways:
                bundles.write_text(known)
                cold: list[tuple[float, float]] = []
                warm: list[tuple[float, float]] = []
                for _ in range(runs):
                    bench.forget()
                    cold.append(bench.start(path))
                    warm.append(bench.start(path))
                if known is released:
                    parts = [[bench.empty(), *bench.parts()] for _ in range(runs)]
                size = sum(file.stat().st_size for file in bench.cache.rglob("*") if file.is_file()) / 1e6
                lines.append(f"| {name} | {_two(cold)} | {_two(warm)} | {size:.0f} MB |")
                print(lines[-1], file=sys.stderr)
    lines += ["", "| part of a warm start | seconds |", "|---|---|"]
    names = ("an interpreter that does nothing", "finding what is ready", "importing Spark", "importing PyGithub")
    lines += [f"| {name} | {_median([part[at] for part in parts])} |" for at, name in enumerate(names)]
    total = sum(path.stat().st_size for path in bench.wheels.iterdir()) / 1e6
    lines += [
        "",
        f"The zipapp has {len(bundle) / 1e6:.0f} MB, the wheels of the lock {total:.0f} MB. {runs} runs each.",
    ]
    return "\n".join(lines)


def _two(values: list[tuple[float, float]]) -> str:
    return " | ".join(_median([value[at] for value in values]) for at in (0, 1))


def _median(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} s"


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="spark-start-") as folder:
        print(measure(options.runs, Path(folder)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
