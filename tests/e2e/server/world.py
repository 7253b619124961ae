"""A world for a server: repositories of their own for each test, an endpoint whose mood can change, and what must hold at
the end whatever happened: one complete review a pull, nothing said twice, no check left open, no dollar booked twice.
"""

from __future__ import annotations

import copy
import importlib.util
import json
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

from sqlalchemy import create_engine, text

from bot.sandbox.endpoint import Answer, EndpointRequest, Logged, reviewer

HERE = Path(__file__).parent
PRICES = (0.35, 0.75)
"""US dollars for a million tokens in and out, as the server is told."""
SMELLY = "def total(rows, seen=[]):\n    if rows == None:\n        return eval('0')\n    return seen\n"
WORSE = "import os\n\n\ndef wipe(name, args={}):\n    os.system(f'rm -r {name}')\n"


def load(path: Path, name: str) -> ModuleType:
    """A module of another test folder. There is one of it, so that its classes are the same for all."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


serving = load(HERE.parents[1] / "server" / "conftest.py", "spark_tests_serving")
"""`ServerProcess`, `Outside` and `wait_for`."""

Outside = serving.Outside
ServerProcess = serving.ServerProcess
wait_for = serving.wait_for


class Moods:
    """The endpoint's script: a reviewer by rules, which takes its time, or fails, for prompts with a certain word in them."""

    def __init__(self) -> None:
        self.by_word: dict[str, Callable[[Answer], Answer]] = {}
        self._review = reviewer()

    def __call__(self, request: EndpointRequest) -> Answer:
        answer = self._review(request)
        for word, change in list(self.by_word.items()):
            if word in request.user:
                answer = change(answer)
        return answer

    def slow(self, word: str, *, ttft: float = 0.05, tps: float = 150.0) -> None:
        """Prompts with this word are answered slowly."""
        self.by_word[word] = lambda answer: replace(answer, ttft=ttft, tps=tps)

    def better(self, word: str) -> None:
        """As all others again."""
        self.by_word.pop(word, None)


@dataclass
class Project:
    """A repository of its own in a world, and what the App did there."""

    outside: Any
    name: str
    files: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        world = self.outside.github.world
        self._in = copy.copy(self.outside)
        self._in.repo = world.create_repo(self.name)
        # An account of its own: writes to one installation are a second apart.
        self.installation = world.install(self.outside.app, self.name.partition("/")[0])
        self._in.repo.permission("alice", "write")
        self._in._branches = 0
        self.repo = self._in.repo
        # In each prompt, so that the endpoint can be in a mood for this repository alone.
        self.word = self.name.replace("/", "_")
        self.files = {f"{self.word}/one.py": SMELLY, f"{self.word}/two.py": WORSE}
        self._pushed = 0
        self._streams: list[Logged] = []
        self._looked = 0

    def configure(self, config: str) -> None:
        """`.github/spark.yml` on the main branch."""
        self.repo.commit("main", {".github/spark.yml": config.encode(), "README.md": b"# Demo\n"}, "Before", "alice")

    def open(self, **more: Any) -> Any:
        """A pull request with five findings; `draft`, `fork` (an owner's name)."""
        fork, draft = more.pop("fork", None), more.pop("draft", False)
        if fork is None and not draft:
            return self._in.open_pull(self.files, **more)
        if self.repo.git.resolve("main") is None:
            self.repo.commit("main", {"README.md": b"# Demo\n"}, "Before", "alice")
        place = self.repo if fork is None else self.repo.fork(f"{fork}/{self.repo.name}")
        author = fork or "alice"
        place.commit("topic", {path: content.encode() for path, content in self.files.items()}, "A change", author)
        return self.repo.open_pull(
            "A change", "", head="topic", author=author, draft=draft, head_repo=place if fork else None
        )

    def push(self, pull: Any) -> str:
        """A commit that adds a file with a finding of its own; the new head."""
        self._pushed += 1
        return str(self._in.push(pull, {f"{self.word}/more{self._pushed}.py": "def add(to=[]):\n    return to\n"}))

    def force_push(self, pull: Any) -> str:
        """The same change as another commit on the same parent, with a line more in each file; the new head."""
        git = self.repo.git
        base = git.resolve("main")
        tree = git.write_tree(base, {path: f"{content}\n# more\n".encode() for path, content in self.files.items()})
        author = self.repo.world.person(self.repo.world.user("alice"))
        sha = git.write_commit(tree=tree, parents=[base], message="Again", author=author)
        self.repo.push(pull.head_ref, sha, by="alice")
        return str(sha)

    def reviews(self, pull: Any) -> list[Any]:
        """The App's reviews of a pull."""
        return list(self._in.reviews(pull))

    def threads(self, pull: Any) -> list[Any]:
        """The App's threads on a pull."""
        return list(self._in.threads(pull))

    def checks(self, head: str) -> list[Any]:
        """The App's check runs on a commit."""
        return list(self._in.checks(head))

    def closed(self, head: str, number: int = 1) -> list[Any]:
        """Those, once there are so many and all are closed; an empty list before."""
        runs = self.checks(head)
        return runs if len(runs) >= number and all(run.status == "completed" for run in runs) else []

    def streams(self) -> list[Logged]:
        """What the endpoint was asked about this repository."""
        asked = self.outside.endpoint.requests
        # Prompts are long, and this is asked a hundred times a second.
        self._streams += [each for each in asked[self._looked :] if self.word in json.dumps(each.body)]
        self._looked = len(asked)
        return list(self._streams)

    def streaming(self) -> list[Logged]:
        """Those of them whose answer goes on and has begun."""
        return [each for each in self.streams() if each.ended is None and each.tokens > 0]

    def deliveries(self, event: str, action: str) -> list[Any]:
        """GitHub's deliveries of this kind about this repository."""
        return [
            each
            for each in list(self.outside.github.webhooks.deliveries)
            if (each.event, each.action) == (event, action) and each.repository_id == self.repo.id
        ]


def said(threads: Sequence[Any]) -> Counter[tuple[str, int, str]]:
    """What the App's threads say and where; a finding that is said twice counts two."""
    return Counter((one.path, one.original_line, _title(one.comments[0].body)) for one in threads)


def _title(body: str) -> str:
    return next(line for line in body.splitlines() if line.strip())


def problems(project: Project, pull: Any, *, findings: int, reviews: int = 1) -> list[str]:
    """What is wrong about a pull that should have one complete review of its head, and every check closed."""
    found = []
    ours = project.reviews(pull)
    of_head = [review for review in ours if review.commit_id == pull.head_sha]
    if len(of_head) != reviews:
        found.append(f"{len(of_head)} reviews of the head")
    if bodies := [body for body, count in Counter(review.body for review in ours).items() if count > 1]:
        found.append(f"a review came twice: {bodies[0][:80]}")
    told = said(project.threads(pull))
    if twice := {place: count for place, count in told.items() if count > 1}:
        found.append(f"said twice: {twice}")
    if len(told) != findings:
        found.append(f"{len(told)} findings instead of {findings}")
    if any(one.comments[1:] for one in project.threads(pull)):
        found.append("answered itself")
    for head in (*pull.former_heads, pull.head_sha):
        runs = project.checks(head)
        if len(runs) > 1 or (head == pull.head_sha and not runs):
            found.append(f"{len(runs)} check runs on {head[:7]}")
        found += [f"check run on {head[:7]} is {run.status}" for run in runs if run.status != "completed"]
        found += [f"check run is called {run.name}" for run in runs if run.name != "spark"]
    (last,) = project.checks(pull.head_sha)[-1:] or [None]
    if last is not None and last.conclusion not in {"success", "failure"}:
        found.append(f"the head's check says {last.conclusion}: {last.title}")
    talk = [note for note in project.repo.issue_comments.values() if note.pull is pull]
    if talk:
        found.append(f"{len(talk)} comments in the conversation")
    return [f"#{pull.number}: {each}" for each in found]


def rows(url: str, query: str, **values: object) -> list[Any]:
    """What a query gives on a server's database, read from outside."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    try:
        with engine.connect() as connection:
            return list(connection.execute(text(query), values).all())
    finally:
        engine.dispose()


def unfinished(url: str) -> list[Any]:
    """Jobs that wait or run."""
    return rows(url, "SELECT id, lane, state FROM spark_jobs WHERE state IN ('queued', 'running')")


def minutes_ago(minutes: float) -> str:
    """As GitHub writes it."""
    return (datetime.now(UTC) - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def lives(pid: int) -> bool:
    """Whether there is a process of this number that is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def booked(url: str) -> dict[str, float]:
    """Dollars in the books, by job."""
    told: dict[str, float] = {}
    for row in rows(url, "SELECT id, usd FROM spark_spending"):
        job, is_booked, _ = row.id.partition("/")
        if is_booked:
            told[job] = told.get(job, 0.0) + row.usd
    return told


def cost(streams: Sequence[Logged], *, input_tokens: int) -> float:
    """The most that these calls can have cost, each with `input_tokens` at most."""
    per_call = input_tokens * PRICES[0] / 1e6
    return sum(per_call + each.tokens * PRICES[1] / 1e6 for each in streams)
