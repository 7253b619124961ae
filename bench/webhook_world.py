"""GitHub for the webhook bench, in a process of its own: the stand-in with a dozen installations, and what they send.

Deliveries are rendered by the stand-in from what happens in it, so a head that is delivered is a head that is there. Most of
what a busy installation sends is not for us: other Apps' checks, pushes, comments, labels. Those are rendered once and sent
again and again; orders for a review are each their own.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from webhook_load import pack
from webhook_parts import APP_ID, SECRET, SLUG, serve_lines

from bot.hooks.signature import sign
from bot.sandbox.github import GitHubOptions, GitHubServer, new_private_key
from bot.sandbox.github.gestures import label_pull
from bot.sandbox.github.happening import Happening
from bot.sandbox.github.payloads import payload_of
from bot.sandbox.github.records import App, CheckRun, CheckSuite, Installation, IssueComment, Pull, Review
from bot.sandbox.github.repo import Repo
from bot.sandbox.github.shapes import repo_json, user_json

OWNERS = 12
BODY = 30_000
"""Bytes that a delivery is filled up to."""
MIX = {"push": 20, "check_run": 26, "check_suite": 14, "issue_comment": 16, "review": 8, "edited": 8, "labeled": 8}
"""Of a hundred deliveries that are no orders. `labeled` is of pulls that were reviewed: known."""
SLOW = "slow"
"""In the path of files about which the endpoint writes slowly."""


@dataclass(slots=True)
class Plan:
    """A pull to come: its branch, its commits oldest first, and how many of them were pushed."""

    repo: Repo
    branch: str
    heads: list[str]
    pushed: int = 0
    pull: Pull | None = None


def module(number: int, heads: int) -> str:
    """A small Python file that grows with each head; 0 is the base's."""
    lines = [f'"""Part {number}."""', "", "import math", ""]
    for at in range(12):
        lines += ["", f"def step_{at}(value):", f'    """Step {at}."""', f"    return math.sqrt(value + {at})", ""]
        if at in {3, 9} and heads:
            lines += ["", f"def more_{at}(values):", "    total = 0"]
            lines += [f"    total += values[{index}]" for index in range(7 + heads)]
            lines += ["    return total", ""]
    return "\n".join(lines) + "\n"


@dataclass(slots=True)
class Bench:
    """The stand-in's repositories and what was planned in them."""

    server: GitHubServer
    key: str
    app: App
    ci: App
    repos: list[Repo] = field(default_factory=list)
    plans: dict[str, list[Plan]] = field(default_factory=dict)
    capture: list[bytes] | None = None
    """Where deliveries of pull requests go while somebody wants them."""
    play_thread: threading.Thread | None = None
    pushes: int = 0
    _live: Counter[str] = field(default_factory=Counter)

    # -- making it

    def prepare(self, *, quiet: int, slow: int, live: int, live_heads: int, flood: int, flood_heads: int) -> Any:
        """Repositories, and the commits of every pull to come."""
        world = self.server.world
        for at in range(OWNERS):
            owner = f"org-{at:02}"
            self.repos.append(world.create_repo(f"{owner}/service"))
            world.install(self.app, owner)
        wanted = {
            "quiet": (quiet, 1),
            "slow": (slow, 1),
            "live": (live, live_heads),
            "mixed": (flood // 2, 1),
            "flood": (flood, flood_heads),
            "burst": (flood, flood_heads),
        }
        for kind, (number, heads) in wanted.items():
            self.plans[kind] = []
            for at in range(number):
                self.plans[kind].append(Plan(self.repos[at % OWNERS], f"{kind}-{at}", [""] * heads))
        for repo in self.repos:
            self._import(repo)
        return {
            "key": self.key,
            "api": self.server.api_url,
            "graphql": self.server.graphql_url,
            "web": self.server.web_url,
        }

    def _import(self, repo: Repo) -> None:
        plans = [plan for kind in self.plans.values() for plan in kind if plan.repo is repo]
        stream = [_commit("refs/heads/main", None, {f"src/part_{at}.py": module(at, 0) for at in range(6)})]
        for plan in plans:
            path = f"src/{SLOW}.py" if plan.branch.startswith("slow") else f"src/part_{int(plan.branch[-1]) % 6}.py"
            before = "refs/heads/main"
            for at in range(len(plan.heads)):
                ref = f"refs/bench/{plan.branch}/{at}"
                stream.append(_commit(ref, before, {path: module(int(plan.branch[-1]) % 6, at + 1)}))
                before = ref
        repo.git.run("fast-import", "--quiet", data=b"".join(stream))
        names = dict(
            line.split(" ") for line in repo.git.text("for-each-ref", "--format=%(refname) %(objectname)").splitlines()
        )
        for plan in plans:
            plan.heads = [names[f"refs/bench/{plan.branch}/{at}"] for at in range(len(plan.heads))]

    # -- what happens

    def heard(self, happening: Happening) -> None:
        """A listener of the stand-in's world."""
        if self.capture is not None and happening.event == "pull_request":
            self.capture.append(self.frame("order", happening))

    def frame(self, kind: str, happening: Happening) -> bytes:
        """A signed delivery of what happened."""
        assert happening.repo is not None
        installation = self._installation(happening.repo)
        payload = payload_of(self.server.site.urls, happening, installation)
        return self.signed(kind, happening.event, payload)

    def signed(self, kind: str, event: str, payload: dict[str, Any]) -> bytes:
        """A signed delivery of a payload, filled up with words in the place where people write."""
        raw = json.dumps(payload, separators=(",", ":")).encode()
        place = next(
            (
                payload[name]
                for name in ("comment", "review", "pull_request", "check_run", "head_commit")
                if name in payload
            ),
            None,
        )
        if place is not None and len(raw) < BODY:
            words = "Words of somebody who explains the change. " * ((BODY - len(raw)) // 43)
            if event == "check_run":
                place["output"]["summary"] = words
            elif event == "push":
                place["message"] += words[: len(words) // 2]
            else:
                place["body"] = (place.get("body") or "") + words
            raw = json.dumps(payload, separators=(",", ":")).encode()
        return pack(kind, event, sign(SECRET, raw), raw)

    def _installation(self, repo: Repo) -> Installation:
        installation = self.server.world.installation_of(self.app, repo)
        assert installation is not None
        return installation

    @contextmanager
    def captured(self, into: list[bytes]) -> Iterator[None]:
        """Deliveries of pull requests go into a list."""
        self.capture = into
        try:
            yield
        finally:
            self.capture = None

    def step(self, plan: Plan) -> None:
        """Open the pull, or push its next head."""
        head = plan.heads[plan.pushed]
        plan.pushed += 1
        if plan.pull is None:
            plan.repo.branch(plan.branch, head)
            plan.pull = plan.repo.open_pull(f"Work on {plan.branch}", "Adds steps.", head=plan.branch, author="mona")
        else:
            plan.repo.push(plan.branch, head, by="mona")

    def open(self, *, kind: str, into: str) -> int:
        """Open all pulls of a kind; their deliveries go into a file."""
        frames: list[bytes] = []
        with self.captured(frames):
            for plan in self.plans[kind]:
                self.step(plan)
        Path(into).write_bytes(b"".join(frames))
        return len(frames)

    def flood(self, *, kind: str, into: str, mixed_up: bool) -> int:
        """Every head of every pull of a kind as a delivery of its own, in the order of the pushes or in none at all.

        The stand-in is at the last head when they are sent: a review that begins for an older one finds it moved.
        """
        last: list[bytes] = []
        for plan in self.plans[kind]:
            self.step(plan)
            plan.pushed = len(plan.heads) - 1
            with self.captured(last):
                self.step(plan)
        frames = []
        for at in range(len(self.plans[kind][0].heads)):
            for plan, frame in zip(self.plans[kind], last, strict=True):
                raw = frame[frame.index(b"{", 8) :]
                older = raw.replace(plan.heads[-1].encode(), plan.heads[at].encode())
                before = plan.heads[at - 1] if at else plan.heads[0]
                older = older.replace(f'"before":"{plan.heads[0]}"'.encode(), f'"before":"{before}"'.encode())
                frames.append(pack("order", "pull_request", sign(SECRET, older), older))
        if mixed_up:
            Random(7).shuffle(frames)
        Path(into).write_bytes(b"".join(frames))
        return len(frames)

    def noise(self, *, into: str, orders: int, number: int) -> int:
        """A file of `number` deliveries as they come at a busy installation, `orders` of them for a review."""
        made = {kind: [self._noise(kind, plan) for plan in self.plans["quiet"]] for kind in MIX}
        row = [kind for kind, share in MIX.items() for _ in range(share)]
        # Spread evenly: 37 has no factor in common with the length of the row.
        frames = [made[row[at * 37 % len(row)]][at % len(self.plans["quiet"])] for at in range(number - orders)]
        if orders:
            own: list[bytes] = []
            with self.captured(own):
                for plan in self.plans["mixed"][:orders]:
                    self.step(plan)
            for at, frame in enumerate(own):
                frames.insert(at * number // orders, frame)
        Path(into).write_bytes(b"".join(frames))
        return len(frames)

    def _noise(self, kind: str, plan: Plan) -> bytes:
        world, repo, pull = self.server.world, plan.repo, plan.pull
        assert pull is not None
        mona = world.user("mona")
        with world.lock:
            match kind:
                case "check_run" | "check_suite":
                    suite = world.named("CS", lambda number, node: self._suite(number, node, repo, pull))
                    run = world.named("CR", lambda number, node: self._run(number, node, suite))
                    suite.runs.append(run)
                    subject: dict[str, object] = {"run": run} if kind == "check_run" else {"suite": suite}
                    happening = Happening(
                        event=kind, action="completed", repo=repo, sender=self.ci.bot, subjects=subject
                    )
                case "issue_comment":
                    comment = world.named("IC", lambda number, node: self._comment(number, node, pull))
                    happening = Happening(
                        event=kind,
                        action="created",
                        repo=repo,
                        sender=mona,
                        subjects={"comment": comment, "pull": pull},
                    )
                case "review":
                    review = world.named("PRR", lambda number, node: self._review(number, node, pull))
                    happening = Happening(
                        event="pull_request_review",
                        action="submitted",
                        repo=repo,
                        sender=mona,
                        subjects={"review": review},
                    )
                case "edited":
                    happening = Happening(
                        event="pull_request",
                        action="edited",
                        repo=repo,
                        sender=mona,
                        subjects={"pull": pull, "changes": {"body": {"from": ""}}},
                    )
                case "labeled":
                    frames: list[bytes] = []
                    with self.captured(frames):
                        label_pull(repo, pull.number, "ready", by="mona")
                        pull.labels.clear()
                    return frames[0].replace(b'["order"', b'["label"', 1)
                case _:
                    return self._push(repo, pull)
        return self.frame(kind, happening)

    def _suite(self, number: int, node: str, repo: Repo, pull: Pull) -> CheckSuite:
        return CheckSuite(
            id=number,
            node_id=node,
            repo=repo.full_name,
            head_sha=pull.head_sha,
            app=self.ci,
            created_at=self.server.world.now(),
        )

    def _run(self, number: int, node: str, suite: CheckSuite) -> CheckRun:
        now = self.server.world.now()
        return CheckRun(
            id=number,
            node_id=node,
            suite=suite,
            name="unit tests",
            status="completed",
            conclusion="success",
            started_at=now,
            completed_at=now,
            details_url=None,
            external_id="",
            title="Passed",
            summary="All passed.",
        )

    def _comment(self, number: int, node: str, pull: Pull) -> IssueComment:
        now = self.server.world.now()
        mona = self.server.world.user("mona")
        return IssueComment(
            id=number, node_id=node, pull=pull, author=mona, body="I see.", created_at=now, updated_at=now
        )

    def _review(self, number: int, node: str, pull: Pull) -> Review:
        now = self.server.world.now()
        return Review(
            id=number,
            node_id=node,
            pull=pull,
            author=self.server.world.user("mona"),
            body="I see.",
            state="COMMENTED",
            commit_id=pull.head_sha,
            created_at=now,
            submitted_at=now,
        )

    def _push(self, repo: Repo, pull: Pull) -> bytes:
        """The stand-in has no `push`: in GitHub's shape, of what it has."""
        urls, mona = self.server.site.urls, self.server.world.user("mona")
        installation = self._installation(repo)
        person = {"name": mona.name, "email": mona.email, "username": mona.login}
        commit = {
            "id": pull.head_sha,
            "tree_id": pull.base_sha,
            "distinct": True,
            "message": "More steps",
            "timestamp": self.server.world.now(),
            "url": f"{urls.web}/{repo.full_name}/commit/{pull.head_sha}",
            "author": person,
            "committer": person,
            "added": [],
            "removed": [],
            "modified": ["src/part_0.py"],
        }
        payload = {
            "ref": f"refs/heads/{pull.head_ref}",
            "before": pull.base_sha,
            "after": pull.head_sha,
            "repository": repo_json(urls, repo) | {"custom_properties": {}},
            "pusher": {"name": mona.login, "email": mona.email},
            "sender": user_json(urls, mona),
            "installation": {"id": installation.id, "node_id": f"MDIz{installation.id}"},
            "created": False,
            "deleted": False,
            "forced": False,
            "base_ref": None,
            "compare": f"{urls.web}/{repo.full_name}/compare/{pull.base_sha[:12]}...{pull.head_sha[:12]}",
            "commits": [commit],
            "head_commit": commit,
        }
        return self.signed("push", "push", payload)

    # -- pulls that are opened and pushed to while everything runs

    def play(self, *, to: str, rate: float, seconds: float) -> bool:
        """For so long, `rate` times a second: a pull is opened, or pushed to; each is told to the sender at once."""
        self.play_thread = threading.Thread(target=self._play, args=(to, rate, seconds), daemon=True)
        self.play_thread.start()
        return True

    def _play(self, to: str, rate: float, seconds: float) -> None:
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        for _ in range(200):
            try:
                line.connect(to)
                break
            except OSError:
                time.sleep(0.01)
        began, done = time.monotonic(), 0
        fresh = iter(self.plans["live"])
        opened: list[Plan] = []
        while done < seconds * rate:
            time.sleep(max(0.0, began + done / rate - time.monotonic()))
            frames: list[bytes] = []
            # Two of five are pushes: to the newest pull, whose review is under way, and to an older one.
            pushable = [plan for plan in opened[-12:] if plan.pushed < len(plan.heads)]
            plan = pushable[-1 if done % 5 == 1 else 0] if done % 5 in {1, 3} and pushable else next(fresh, None)
            if plan is None:
                break
            if plan.pull is None:
                opened.append(plan)
            with self.captured(frames):
                self.step(plan)
            for frame in frames:
                line.sendall(frame)
                self.pushes += 1
            done += 1
        line.close()

    # -- afterwards

    def audit(self) -> Any:
        """For each pull: how often its newest head was reviewed, and whether any head was reviewed twice."""
        if self.play_thread is not None:
            self.play_thread.join()
        missing, twice, number, open_checks = [], [], 0, []
        with self.server.world.lock:
            for plan in (plan for kind in self.plans.values() for plan in kind):
                if plan.pull is None:
                    continue
                number += 1
                name = f"{plan.repo.full_name}#{plan.pull.number} ({plan.branch})"
                count = Counter(
                    review.commit_id
                    for review in plan.repo.reviews.values()
                    if review.pull is plan.pull and review.author is self.app.bot and review.state != "PENDING"
                )
                if not count[plan.pull.head_sha]:
                    missing.append(name)
                twice += [f"{name} {head[:7]}" for head, times in count.items() if times > 1]
            for repo in self.repos:
                runs = [run for suite in repo.suites.values() if suite.app is self.app for run in suite.runs]
                open_checks += [run.external_id for run in runs if run.status != "completed"]
        calls = len(self.server.requests)
        return {"pulls": number, "missing": missing, "twice": twice, "open_checks": open_checks, "calls": calls}


def _commit(ref: str, parent: str | None, files: dict[str, str]) -> bytes:
    """For `git fast-import`."""
    parts = [f"commit {ref}\ncommitter mona <mona@example.com> 1760000000 +0000\ndata 10\nMore steps\n"]
    if parent is not None:
        parts.append(f"from {parent}\n")
    for path, text in files.items():
        parts.append(f"M 100644 inline {path}\ndata {len(text.encode())}\n{text}\n")
    return "".join(parts).encode()


def main() -> None:
    """Serve until standard input ends."""
    key = new_private_key()
    with GitHubServer(GitHubOptions()) as server:
        server.latency = 0.080
        app = server.world.app(APP_ID, key, SLUG)
        ci = server.world.app(15_000, None, "some-ci")
        server.world.user("mona")
        bench = Bench(server, key, app, ci)
        server.world.listeners.append(bench.heard)
        actions = (bench.prepare, bench.open, bench.flood, bench.noise, bench.play, bench.audit)
        serve_lines({each.__name__: each for each in actions})


if __name__ == "__main__":
    main()
