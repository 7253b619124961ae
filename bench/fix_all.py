"""`/spark fix all` on 20 findings in a pull of 60 files: a real `spark serve`, seconds against the physical limit.

Two processes stand in for the world on loopback: GitHub at 80 ms a call, which sends the signed webhook of the comment
itself, and an endpoint that takes 150 ms to the first token and then streams 1,000 tokens a second. The server is warm. 18
findings have patches of their own; two have patches of the same line that contradict each other, and the model declines to
bring them together: the lesser one must be named in the answer. Each commit is checked: it is one, made on the head that
was there, changes the patched files and no others, has every patch, and every file parses.

The limit is what no client can beat: one read, the edit that is asked for, the review of the combined change, the commit.

    python bench/fix_all.py                          # the table
    python bench/fix_all.py --runs 9 --json out.json
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from webhook_parts import (
    APP_ID,
    SECRET,
    SLUG,
    Child,
    Server,
    child,
    database,
    serve_lines,
    settings,
    spark_serve,
    wait_for,
)

LATENCY = 0.080
TTFT = 0.150
TPS = 1000.0
FILES = 60
FINDINGS = 20
REVIEW_TOKENS = 200
"""Of the second review's answer about one file."""
FIX_TOKENS = 100
"""Of the answer about the two patches that contradict each other."""
TO_COMMIT = LATENCY + (TTFT + FIX_TOKENS / TPS) + (TTFT + REVIEW_TOKENS / TPS) + LATENCY
TO_ANSWER = TO_COMMIT + LATENCY
WARM = 2
REST = 0.5
"""Seconds between two runs."""
LINE = "    if rows == None:"
PATCH = "    if rows is None:"
RIVAL = "    if not rows:"
RIVAL_TITLE = "An empty list is not met"


def path(number: int) -> str:
    """A file of the pull."""
    return f"src/part_{number}.py"


def source(number: int, *, changed: bool) -> str:
    """A module; the change adds a function with a mistake."""
    lines = [f'"""Part {number}."""', "", "import math", ""]
    for at in range(12):
        lines += ["", f"def step_{at}(value):", f'    """Step {at}."""', f"    return math.sqrt(value + {at})", ""]
        if changed and at == 5:
            lines += ["", f"def more_{number}(rows):", LINE, "        return 0", f"    return len(rows) + {number}", ""]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """One `/spark fix all`, in seconds from the moment GitHub sent the comment's delivery."""

    seen: float
    """The reaction that acknowledges it."""
    read: float
    """The use case has its findings and files."""
    model: float
    """Patches that touch each other are brought together, or not."""
    review: float
    """The combined change was reviewed again."""
    commit: float
    """GitHub had answered the commit."""
    answer: float
    """GitHub had answered the comment."""
    github: float
    """Seconds that the stand-in itself took to make the commit, beyond its latency; part of `commit`."""
    cpu: float
    """Of the server."""
    calls: int
    """To the model."""
    requests: int
    """To GitHub."""


# -- the world ------------------------------------------------------------------------------------------------------


class World:
    """In a process of its own: GitHub, with pulls that have been reviewed."""

    def __init__(self, runs: int) -> None:
        from bot.sandbox.github import GitHubOptions, GitHubServer, new_private_key  # noqa: PLC0415 - only that process needs it

        self.key = new_private_key()
        self.server = GitHubServer(GitHubOptions()).start()
        world = self.server.world
        self.app = world.app(
            APP_ID,
            self.key,
            SLUG,
            events=("pull_request", "merge_group", "issue_comment", "pull_request_review_comment"),
        )
        # The commit's own review is another job, and not what is measured.
        self.server.webhooks.active = frozenset({"issue_comment", "pull_request_review_comment"})
        world.user("mona")
        self.repos = [self._repo(run) for run in range(runs)]
        self.sent = 0.0
        world.listeners.append(self._heard)
        self.server.latency = LATENCY

    def _repo(self, run: int) -> Any:
        """A repository with an installation of its own, for the writes of one are a second apart when there are many."""
        world = self.server.world
        repo = world.create_repo(f"many-{run}-org/service")
        repo.permission("mona", "write")
        world.install(self.app, f"many-{run}-org")
        base = repo.commit("main", {path(at): source(at, changed=False) for at in range(FILES)}, "Start", "mona")
        repo.branch("topic", base)
        after = {path(at): source(at, changed=True) for at in range(FILES)}
        repo.commit("topic", after, "More steps", "mona")
        pull = repo.open_pull("More steps", "Adds steps.", head="topic", author="mona")
        # What a review would have left: a thread for each finding.
        for at in range(FINDINGS - 1):
            self._finding(repo, pull.number, path(at), after[path(at)], "Compared with ==", PATCH, "medium")
        self._finding(repo, pull.number, path(0), after[path(0)], RIVAL_TITLE, RIVAL, "low")
        return repo

    def _finding(self, repo: Any, number: int, name: str, text: str, title: str, patch: str, severity: str) -> None:
        from bot.diff.model import Side  # noqa: PLC0415 - as above
        from bot.review.memory import FindingNote  # noqa: PLC0415
        from bot.review.model import Category, Fingerprint, Severity  # noqa: PLC0415
        from bot.review.recall import line_digest  # noqa: PLC0415
        from bot.review.render.markers import finding_marker, note_marker  # noqa: PLC0415
        from bot.sandbox.github import talk  # noqa: PLC0415

        note = FindingNote(
            fingerprint=Fingerprint(f"v1:{number}:{name}:{severity}"),
            path=name,
            side=Side.RIGHT,
            severity=Severity(severity),
            category=Category.BUG,
            title=title,
            source="model",
            lines=(line_digest(LINE),),
            suggestion=patch,
        )
        body = f"**{title}**\n\nAs said.\n\n```suggestion\n{patch}\n```\n\n{finding_marker(note.fingerprint)}\n{note_marker(note)}"
        line = text.split("\n").index(LINE) + 1
        talk.begin_thread(repo, number, body, by=f"{SLUG}[bot]", path=name, line=line)

    def _heard(self, _: object) -> None:
        # Behind the webhooks in the row of listeners: the delivery is rendered, signed and on its way.
        self.sent = self.sent or time.monotonic()

    def about(self) -> dict[str, str]:
        """For the server's settings."""
        server = self.server
        return {"key": self.key, "api": server.api_url, "graphql": server.graphql_url, "web": server.web_url}

    def point(self, *, url: str) -> bool:
        """Where deliveries go."""
        self.server.webhooks.point_to(f"{url}/webhook", SECRET)
        return True

    def say(self, *, run: int) -> dict[str, Any]:
        """Ask for it, and wait for the answer to the webhook."""
        from bot.sandbox.github import talk  # noqa: PLC0415 - as above

        repo = self.repos[run]
        (pull,) = repo.pulls.values()
        self.sent, head, before = 0.0, pull.head_sha, len(list(self.server.requests))
        talk.say(repo, pull.number, "/spark fix all", by="mona")
        self.server.webhooks.wait()
        delivery = self.server.webhooks.deliveries[-1]
        told: dict[str, Any] = json.loads(delivery.answer)
        made = {
            "number": pull.number,
            "head": head,
            "sent": self.sent,
            "status": delivery.status_code,
            "before": before,
        }
        return made | told

    def warm(self, *, run: int) -> bool:
        """Two people talk to each other: read by the server, which then has its token, and never answered."""
        from bot.sandbox.github import talk  # noqa: PLC0415 - as above

        repo = self.repos[run]
        (pull,) = repo.pulls.values()
        line = source(FILES - 1, changed=True).split("\n").index(LINE) + 1
        begun = talk.begin_thread(repo, pull.number, "Nice.", by="mona", path=path(FILES - 1), line=line)
        talk.reply(repo, begun, "Thanks!", by="mona")
        self.server.webhooks.wait()
        return True

    def heard(self, *, run: int) -> bool:
        """Whether that was read."""
        name = f"many-{run}-org".encode()
        return any(
            seen.path == "/graphql" and name in seen.body and b"reviewThreads" in seen.body
            for seen in list(self.server.requests)
        )

    def done(self, *, run: int, number: int, head: str, before: int) -> dict[str, Any]:
        """When GitHub had answered what, and what is on the branch."""
        found: dict[str, Any] = {"seen": None, "commit": None, "answer": None, "said": ""}
        requests = list(self.server.requests)[before:]
        for seen in requests:
            ended = seen.started + seen.seconds
            if seen.path == "/graphql" and b"addReaction" in seen.body:
                found["seen"] = found["seen"] or ended
            elif seen.path == "/graphql" and b"createCommitOnBranch" in seen.body:
                found["commit"], found["github"] = ended, seen.seconds - LATENCY
            elif seen.method == "POST" and seen.path.endswith(f"/issues/{number}/comments"):
                found["answer"], found["said"] = ended, seen.json["body"]
        found["requests"] = len(requests)
        if found["answer"] is not None:
            found["problem"] = self._problem(self.repos[run], number, head)
        return found

    def _problem(self, repo: Any, number: int, head: str) -> str:
        """What is wrong with the commit; empty when nothing is."""
        git, pull = repo.git, repo.pulls[number]
        commits = git.commits_between(head, pull.head_sha)
        if len(commits) != 1 or commits[0].parents != (head,):
            return f"{len(commits)} commits on {head}"
        old, new = (
            {entry.path: entry.sha for entry in git.tree(sha, recursive=True) if entry.kind == "blob"}
            for sha in (head, pull.head_sha)
        )
        changed = {name for name in {*old, *new} if old.get(name) != new.get(name)}
        if changed != {path(at) for at in range(FINDINGS - 1)}:
            return f"other files than asked for: {sorted(changed)}"
        for name in changed:
            before, after = (git.blob(shas[name]) or b"" for shas in (old, new))
            ast.parse(after)
            if after != before.replace(LINE.encode(), PATCH.encode()):
                return f"{name} is not as it should be"
        return ""


def serve_github(runs: int) -> None:
    """The process of GitHub."""
    world = World(runs)
    try:
        serve_lines(
            {each.__name__: each for each in (world.about, world.point, world.warm, world.heard, world.say, world.done)}
        )
    finally:
        world.server.stop()


def serve_endpoint() -> None:
    """The process of the endpoint."""
    from bot.sandbox.endpoint import Answer, EndpointOptions, EndpointRequest, EndpointServer, tokens  # noqa: PLC0415 - as above
    from bot.sandbox.endpoint.tokens import count  # noqa: PLC0415

    nothing = tokens(REVIEW_TOKENS, findings=0)
    why = "They contradict each other"
    while count(_declined(why)) < FIX_TOKENS:
        why += " again"
    declined = Answer(text=_declined(why))

    def script(request: EndpointRequest) -> Answer:
        return declined if "`instruction`" in request.system else nothing(request)

    with EndpointServer(EndpointOptions(ttft=TTFT, tps=TPS, script=script)) as server:

        def calls(*, since: float) -> list[Any]:
            return [[each.started, each.ended] for each in server.requests if each.started >= since]

        serve_lines({"url": lambda: server.url, "calls": calls})


def _declined(why: str) -> str:
    return json.dumps({"none": True, "why": f"{why}."}) + '\n{"end": true}\n'


# -- measuring --------------------------------------------------------------------------------------------------------


def fixed(world: Child, endpoint: Child, server: Server, run: int) -> Fixed:
    """Ask once and follow it to the answer. RuntimeError when the commit or the answer is not as it should be."""
    world.ask("warm", run=run)
    wait_for(lambda: world.ask("heard", run=run), 10.0, "the repository is known")
    time.sleep(REST)
    cpu = server.cpu()
    told = world.ask("say", run=run)
    if told["status"] != 202:
        raise RuntimeError(f"not taken: {told}")
    last: dict[str, Any] = {}

    def answered() -> bool:
        last.update(world.ask("done", run=run, number=told["number"], head=told["head"], before=told["before"]))
        return last["answer"] is not None

    wait_for(answered, 30.0, "the comment is answered")
    _check(last)
    sent = told["sent"]
    parts = wait_for(lambda: [one for one in server.logs("fix_all.done") if one["job"] == told["job"]], 5.0, "logged")[
        0
    ]
    # The use case counts from its own beginning; its answer is the one that GitHub saw.
    began = last["answer"] - sent - parts["answer"]
    return Fixed(
        seen=last["seen"] - sent,
        read=began + parts["read"],
        model=began + parts["model"],
        review=began + parts["review"],
        commit=last["commit"] - sent,
        answer=last["answer"] - sent,
        github=last["github"],
        cpu=server.cpu() - cpu,
        calls=len(endpoint.ask("calls", since=sent)),
        requests=last["requests"],
    )


def _check(found: Mapping[str, Any]) -> None:
    said = found["said"]
    if found["problem"]:
        raise RuntimeError(found["problem"])
    named = [line for line in said.split("\n") if line.startswith(f"- {RIVAL_TITLE}")]
    if len(named) != 1 or "could not be brought together" not in named[0]:
        raise RuntimeError(f"the conflict is not named:\n{said}")
    if f"{FINDINGS - 1} findings in {FINDINGS - 1} files" not in said:
        raise RuntimeError(f"not every finding went in:\n{said}")


def measure(kind: str, runs: int) -> list[Fixed]:
    """Everything, after runs that warm the server and its token."""
    with ExitStack() as stack:
        start = stack.enter_context
        world = start(child("fix_all.py", "--serve-github", str(runs + WARM)))
        endpoint = start(child("fix_all.py", "--serve-endpoint"))
        url, _ = start(database(kind))
        log = os.environ.get("BENCH_SERVER_LOG")
        env = settings(world.ask("about"), endpoint.ask("url")) | {"SPARK_DATABASE_URL": url}
        server = start(spark_serve(env, keep=Path(log) if log else None))
        world.ask("point", url=server.url)
        return [fixed(world, endpoint, server, run) for run in range(runs + WARM)][WARM:]


def table(runs: Sequence[Fixed]) -> str:
    """Medians as markdown; the longest in brackets."""

    def told(name: str) -> str:
        values = [getattr(each, name) for each in runs]
        return f"{statistics.median(values):.2f} s ({max(values):.2f})"

    commit, answer = (statistics.median(getattr(each, name) for each in runs) for name in ("commit", "answer"))
    rows = [
        "| from the comment's delivery to | |",
        "|---|---|",
        f"| the reaction | {told('seen')} |",
        f"| findings, files and diff read | {told('read')} |",
        f"| patches that touch each other asked about | {told('model')} |",
        f"| the combined change reviewed again | {told('review')} |",
        f"| the commit | {told('commit')} |",
        f"| (of it the stand-in's own work on the commit | {told('github')}) |",
        f"| the answer | {told('answer')} |",
        f"| × limit, commit ({TO_COMMIT:.2f} s) | {commit / TO_COMMIT:.2f} |",
        f"| × limit, answer ({TO_ANSWER:.2f} s) | {answer / TO_ANSWER:.2f} |",
        f"| server CPU | {told('cpu')} |",
        "",
        f"{FINDINGS} findings in a pull of {FILES} files, {runs[0].calls} calls to the model and {runs[0].requests} requests"
        f" to GitHub a run; {len(runs)} runs, medians, the longest in brackets. Load average {os.getloadavg()[0]:.1f} on"
        f" {os.cpu_count()} cores. In every run the commit parsed, applied, and the planted conflict was named.",
    ]
    return "\n".join(rows)


def main() -> int:
    """The table; raises when a commit or an answer is not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--serve-github", type=int, metavar="RUNS", help=argparse.SUPPRESS)
    parser.add_argument("--serve-endpoint", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve_github is not None:
        serve_github(given.serve_github)
        return 0
    if given.serve_endpoint:
        serve_endpoint()
        return 0
    runs = measure(given.database, given.runs)
    print(table(runs))
    if given.json:
        told = {"to_commit": TO_COMMIT, "to_answer": TO_ANSWER, "runs": [asdict(each) for each in runs]}
        given.json.write_text(json.dumps(told, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
