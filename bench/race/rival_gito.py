"""gito in the race: `gito review && gito github-comment --pr N` in a checkout of the pull's branch, a person at a terminal.

It reviews a working copy against `origin/main`, one call to the endpoint for each file, up to 40 at once, then one for a summary, and
posts one comment in the conversation. The checkout is made before the run and not counted: a person who reviews at a terminal
has one, and in its workflow another step makes it. Two commands, as in its workflow, since `gito review --post-comment` of 4.5.0
sends the comment without the token (the default of a command-line option takes the token's place), so that GitHub refuses it.

Its settings, by its documented environment variables: `LLM_API_TYPE=openai`, `LLM_API_BASE`, `LLM_API_KEY` and `MODEL`
for the endpoint; `GITHUB_TOKEN` for the comment. GitHub's address is written into its code, so it gets to the stand-in by
`HTTPS_PROXY` (`detour.py`). All else is as it comes; a second of its time is a pause of its own before it looks for older comments.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from race.detour import Detour
from race.install import GITO, TOOLS, install
from race.model import Place, Product, Run, World
from race.rival_run import KEY, Rival, base_env
from race.world import MODEL, Stage

NAME = "gito, process"


def settings(endpoint: str, token: str) -> dict[str, str]:
    """For its process: the endpoint, and who comments."""
    return {
        "LLM_API_TYPE": "openai",
        "LLM_API_BASE": endpoint,
        "LLM_API_KEY": KEY,
        "MODEL": MODEL,
        "GITHUB_TOKEN": token,
    }


def checkout(bare: str, place: Place, folder: Path) -> None:
    """A clone as a person has it: the pull's branch, and a remote at github.com."""
    git = ["git", "-c", "advice.detachedHead=false"]
    branch = f"topic-{place.number}"
    subprocess.run([*git, "clone", "--quiet", "--branch", branch, f"file://{bare}", str(folder)], check=True)
    origin = f"https://github.com/{place.repo}.git"
    subprocess.run([*git, "-C", str(folder), "remote", "set-url", "origin", origin], check=True)


@dataclass(slots=True, kw_only=True)
class _Gito(Rival):
    home: Path

    def review(self, place: Place, *, speed: str, shape: str) -> Run:
        """From the start of the process to its end."""
        with tempfile.TemporaryDirectory(prefix="checkout-", dir=self.home) as folder:
            tree = Path(folder) / "work"
            checkout(self.stage.folder(place), place, tree)
            env = base_env(self.way, self.home)
            env |= settings(self.world.endpoints[self.name], self.world.github["user_token"])
            post = f'"$0" github-comment --gh-repo {place.repo} --pr {place.number}'
            command: list[str | Path] = ["sh", "-c", f'"$0" review && {post}', GITO.folder / "bin" / "gito"]
            return self.raced(command, env=env, cwd=tree, place=place, speed=speed, shape=shape)


@contextmanager
def gito(stage: Stage, world: World, _effort: str) -> Iterator[Product]:
    """The product, for one speed."""
    for tool in TOOLS:
        # PR-Agent too: the tokenizer's files come with it.
        install(tool)
    with tempfile.TemporaryDirectory(prefix="spark-race-") as home, Detour(world.github["api"]) as way:
        yield _Gito(name=NAME, version=GITO.version, stage=stage, world=world, way=way, home=Path(home))
