"""A checkout as a runner downloads it, small: a `bot` that tells how it was started, and one package in its lock."""

from __future__ import annotations

import base64
import hashlib
import http.server
import importlib
import json
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
ACTION = ROOT / "action"
UV = Path(sys.executable).with_name("uv")
# The interpreter under the virtual environment: the same version, and none of its packages.
STOCK = Path(sys.base_prefix) / "bin" / "python3"

BOT = """
import gc, json, os, sys
def main(argv=None):
    import sparkdep
    print("STARTED " + json.dumps({
        "argv": argv, "bot": __file__, "dependency": sparkdep.__file__, "value": sparkdep.VALUE, "path": sys.path,
        "isolated": sys.flags.isolated, "cached": __spec__.cached, "is_compiled": os.path.exists(__spec__.cached),
        "threshold": gc.get_threshold()[0],
    }))
    return 7
"""


def _module(name: str) -> ModuleType:
    sys.path.insert(0, str(ACTION))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(ACTION))


@pytest.fixture(scope="session")
def stock() -> Path:
    """An interpreter with nothing installed."""
    return STOCK


@pytest.fixture(scope="session")
def ready() -> ModuleType:
    """`action/spark_ready.py`."""
    return _module("spark_ready")


@pytest.fixture
def uncompiled(ready: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of what is made, not of how fast it starts: a process for each compilation costs most of their time."""
    monkeypatch.setattr(ready, "compile_all", lambda folder: None)


@pytest.fixture(scope="session")
def unpacking() -> ModuleType:
    """`action/spark_unpack.py`."""
    return _module("spark_unpack")


@pytest.fixture(scope="session")
def building() -> ModuleType:
    """`action/build_zipapp.py`."""
    return _module("build_zipapp")


@pytest.fixture(scope="session")
def starting() -> ModuleType:
    """`action/start.py`."""
    return _module("start")


def _make_wheel(folder: Path, name: str, files: Mapping[str, str]) -> Path:
    about = f"{name}-1.0.dist-info"
    content = {
        **files,
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: by hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()},{len(text)}\n"
        for path, text in content.items()
    )
    wheel = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as packed:
        for path, text in {**content, f"{about}/RECORD": f"{record}{about}/RECORD,,\n"}.items():
            packed.writestr(path, text)
    return wheel


@pytest.fixture(scope="session")
def make_wheel() -> Callable[[Path, str, Mapping[str, str]], Path]:
    """A wheel 1.0 of that name in a folder, with these modules."""
    return _make_wheel


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the one package there is."""
    folder = tmp_path_factory.mktemp("wheels")
    _make_wheel(folder, "sparkdep", {"sparkdep.py": "VALUE = 'from the lock'\n"})
    return folder


@dataclass
class Runner:
    """A runner's folders and its environment."""

    home: Path
    action: Path
    workspace: Path
    env: dict[str, str]
    told: list[str] = field(default_factory=list)

    @property
    def cache(self) -> Path:
        return Path(self.env["RUNNER_TOOL_CACHE"]) / "spark"

    @property
    def kept(self) -> list[str]:
        """What lies in the cache, by the kind of it."""
        return sorted(path.name.partition("-")[0] for path in self.cache.iterdir()) if self.cache.exists() else []

    def start(self, **env: str) -> subprocess.CompletedProcess[str]:
        """The step as the runner runs it, in the workspace."""
        process = self.popen(**env)
        out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess([], process.returncode, out, err)

    def popen(self, **env: str) -> subprocess.Popen[str]:
        """The step, running."""
        command = [str(STOCK), "-I", str(self.action / "action" / "start.py")]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, cwd=self.workspace, env={**self.env, **env}, stdout=pipe, stderr=pipe, text=True
        )


@pytest.fixture
def runner(tmp_path: Path, wheels: Path) -> Runner:
    """A clean runner with uv and the package's folder in place of an index."""
    action, workspace = tmp_path / "action-checkout", tmp_path / "workspace"
    (action / "bot").mkdir(parents=True)
    workspace.mkdir()
    shutil.copytree(ACTION, action / "action", ignore=shutil.ignore_patterns("__pycache__"))
    (action / "bot" / "__init__.py").write_text('__version__ = "1.2.3"\n')
    (action / "bot" / "__main__.py").write_text(BOT)
    digest = hashlib.sha256((wheels / "sparkdep-1.0-py3-none-any.whl").read_bytes()).hexdigest()
    (action / "requirements").mkdir()
    (action / "requirements" / "action.txt").write_text(f"sparkdep==1.0 \\\n    --hash=sha256:{digest}\n")
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "uv").symlink_to(UV)
    env = {
        "PATH": str(tools),
        "HOME": str(tmp_path),
        "GITHUB_WORKSPACE": str(workspace),
        "RUNNER_TOOL_CACHE": str(tmp_path / "tool-cache"),
        "RUNNER_TEMP": str(tmp_path / "temp"),
        "GITHUB_OUTPUT": str(tmp_path / "outputs"),
        "UV_FIND_LINKS": str(wheels),
        "UV_NO_INDEX": "1",
        "UV_CACHE_DIR": str(tmp_path / "uv"),
        "UV_OFFLINE": "1",
        "PIP_FIND_LINKS": str(wheels),
        "PIP_NO_INDEX": "1",
        "PIP_CACHE_DIR": str(tmp_path / "pip"),
    }
    return Runner(home=tmp_path, action=action, workspace=workspace, env=env)


@pytest.fixture(scope="session")
def started() -> Callable[[subprocess.CompletedProcess[str]], dict[str, Any]]:
    """What `bot` told of its start."""

    def read(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
        line = next((line for line in done.stdout.splitlines() if line.startswith("STARTED ")), None)
        assert line is not None, done
        told: dict[str, Any] = json.loads(line.removeprefix("STARTED "))
        return told

    return read


@dataclass
class Release:
    """A server of release files on loopback. What it is asked for is counted."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    promised: dict[str, int] = field(default_factory=dict)
    """Lengths that it says instead of the true ones."""
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def release() -> Iterator[Release]:
    """Serves `files` by their names."""
    known = Release()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.removeprefix("/v1/")
            known.asked.append(name)
            content = known.files.get(name)
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(known.promised.get(name, len(content or b""))))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        known.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        yield known
        server.shutdown()
        thread.join()
