"""Does what the Dockerfile says, in a clean directory in the place of the image's root, and starts what comes out.

For machines without a container runtime: `python tests/deploy/build_by_hand.py [DIRECTORY]`. Every COPY and RUN is carried
out as it stands, with the image's folders moved below the directory; what needs a root of its own (apt-get, users) is left
out and said so. The interpreter is the one that runs this, not the image's. It takes a minute and needs the package index,
so the test suite holds the Dockerfile's facts alone (`test_dockerfile.py`).
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from dockerfile import ROOT, Step, context, stages

MOVED = ("/opt", "/build", "/data")
"""Folders of the image that the steps write to."""
LEFT_OUT = ("apt-get", "rm -rf /var", "groupadd", "useradd", "install --directory")
"""Beginnings of commands that only an image can run."""
SECRET = "a-secret-of-this-check"


class Build:
    """The image's folders below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = sorted(context())
        self.folder = root
        base = Path(sys.base_prefix) / "bin"
        self.env = {
            **{name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_", "SSL_"))},
            "HOME": str(root / "home"),
            "LANG": "C.UTF-8",
            "PATH": f"{base}:/usr/local/bin:/usr/bin:/bin",
        }

    def moved(self, text: str) -> str:
        """`text` with the image's folders below our root."""
        return re.sub(
            rf"(?:(?<=sqlite:///)|(?<![\w/.]))({'|'.join(MOVED)})(?![\w.-])",
            lambda found: f"{self.root}{found[1]}",
            text,
        )

    def do(self, step: Step) -> None:
        """Carry out one instruction; those that only describe the image do nothing here."""
        match step.keyword:
            case "WORKDIR":
                self.folder = Path(self.moved(step.text))
                self.folder.mkdir(parents=True, exist_ok=True)
            case "ENV":
                for word in step.words:
                    name, _, value = word.partition("=")
                    self.env[name] = self.moved(value).replace("$PATH", self.env["PATH"])
            case "COPY":
                self.copy(step)
            case "RUN":
                self.run(step)

    def copy(self, step: Step) -> None:
        *sources, target = step.words
        if sources[0].startswith("--from="):
            (source,) = sources[1:]
            there = Path(self.moved(source))
            assert source == target, "the stages share one root here"
            assert there.exists(), f"{source} was not made by the stage before"
            say(f"COPY {step.text}: it is there")
            return
        for source in sources:
            found = [path for path in self.files if path == source or path.startswith(f"{source}/")]
            assert found, f"{source} is not in the build's context"
            for path in found:
                name = Path(path).name if path == source else str(Path(path).relative_to(source))
                (self.folder / target / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / path, self.folder / target / name)
        say(f"COPY {step.text}")

    def run(self, step: Step) -> None:
        commands = [command.strip() for command in step.text.split("&&")]
        kept = [command for command in commands if not command.startswith(LEFT_OUT)]
        for command in commands:
            if command not in kept:
                say(f"left out: {command}")
        if kept:
            line, began = self.moved(" && ".join(kept)), time.monotonic()
            subprocess.run(["/bin/sh", "-ec", line], cwd=self.folder, env=self.env, check=True)
            say(f"RUN {line} ({time.monotonic() - began:.1f} s)")


def check(build: Build, entry: list[str], arguments: list[str], health: list[str]) -> None:
    """Start what was built, as the image would."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*entry, *words], cwd=build.folder, env=build.env, capture_output=True, text=True, timeout=60, check=False
        )

    told = run("--version")
    assert told.returncode == 0, told.stderr
    say(f"spark --version: {told.stdout.strip()}")
    told = run(*arguments)
    assert told.returncode == 2, told
    assert "SPARK_WEBHOOK_SECRET" in told.stderr, told.stderr
    say(f"without a secret: exit code 2, {told.stderr.splitlines()[0]}")

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    here = [{"0.0.0.0": "127.0.0.1", "8000": port}.get(word, word) for word in arguments]
    server = subprocess.Popen([*entry, *here], cwd=build.folder, env={**build.env, "SPARK_WEBHOOK_SECRET": SECRET})
    try:
        asked = [word.replace(":8000/", f":{port}/") for word in health]
        until = time.monotonic() + 30
        while subprocess.run(asked, env=build.env, capture_output=True, check=False).returncode:
            assert server.poll() is None, f"the server ended with {server.returncode}"
            assert time.monotonic() < until, "the server is not healthy after 30 s"
            time.sleep(0.2)
        say(f"the health check says yes on port {port}")
    finally:
        server.terminate()
    assert server.wait(60) == 0, server.returncode
    say("SIGTERM: exit code 0")


def main() -> None:
    given = Path(sys.argv[1]).absolute() if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory(prefix="spark-image-") as temporary:
        root = given or Path(temporary)
        (root / "home").mkdir(parents=True)
        build = Build(root)
        all_stages = stages((ROOT / "Dockerfile").read_text())
        for stage in all_stages:
            for step in stage.steps:
                build.do(step)
        size = sum(path.lstat().st_size for path in (root / "opt/spark").rglob("*"))
        say(f"/opt/spark: {size / 1e6:.0f} MB")
        last = all_stages[-1]
        entry = [str(root / "opt/spark/bin" / last.only("ENTRYPOINT").words[0])]
        health = last.only("HEALTHCHECK").text.partition("CMD ")[2]
        check(build, entry, last.only("CMD").words, Step("CMD", health).words)


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a script for people


if __name__ == "__main__":
    main()
