"""Mutated deliveries through the real door: no 500, nothing unsigned gets in, every answer is what it must be.

    python bench/door_fuzz.py                      # 50,000 of them
    python bench/door_fuzz.py --count 1000 --seed 7

Each case takes one of GitHub's example payloads (`tests/data/webhooks`), does one thing to it and goes through the WSGI
application. The engine behind the door is a stand-in that raises or is full now and then. What must hold is worked out
beside the door: a signature is checked with `hmac` here, and every call to the stand-in is counted. Ends with 1 when
an answer breaks a rule. `tests/server/test_door_fuzz.py` runs the same.
"""

from __future__ import annotations

import argparse
import io
import json
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from flask import Flask

sys.path.insert(0, str(Path(__file__).parent))

from door_mutations import MUTATIONS, SECRETS, Sent, read_examples, signed

from bot.engine.model import Acceptance, AlreadyKnown, Delivery, JobId, JobState, QueueFull, Taken
from bot.hooks.decide import Rules
from bot.hooks.orders import Work
from bot.review.model import RepoName
from bot.server.door import blueprint

RULES = Rules(app_id=29310, app_slug="spark", allowed_repos=("Codertocat/*", "octo*/*", "electron/*", "github/*"))
STATUSES = {200, 202, 400, 401, 404, 405, 413, 415, 503}
FAULTS: tuple[Exception, ...] = (
    sqlite3.OperationalError("database is locked"),
    OSError(28, "No space left on device"),
    RuntimeError("closed"),
    TimeoutError(),
    RecursionError(),
    MemoryError(),
)


class Intake:
    """The engine's stand-in. `deliberate` is set when the next answer must be 503; `calls` counts what came in."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self.deliberate = False
        self.calls = 0
        self.taken = 0

    def _called(self) -> None:
        self.calls += 1
        if self._random.random() < 0.05:
            self.deliberate = True
            raise self._random.choice(FAULTS)

    def accept(self, delivery: Delivery, work: Work) -> Acceptance:
        """Taken, known or full."""
        self._called()
        # A database would take no NUL and no half of a surrogate pair.
        text = f"{delivery}{work}"
        assert "\\x00" not in text
        text.encode()
        match self._random.randrange(8):
            case 0:
                self.deliberate = True
                return QueueFull(retry_after=7)
            case 1:
                return AlreadyKnown(job=JobId("0" * 16), state=JobState.DONE, why="This head was reviewed already")
        self.taken += 1
        return Taken(job=JobId("1" * 16))

    def note(self, delivery: Delivery, answer: str) -> AlreadyKnown | None:
        """Known now and then."""
        self._called()
        assert "\0" not in f"{delivery.id}{delivery.event}{answer}"
        return AlreadyKnown(job=None, state=None, why="Noted before") if self._random.random() < 0.1 else None

    def stop_pull(self, repo: RepoName, number: int, why: str) -> int:  # noqa: ARG002 - the port's signature
        """Fails now and then."""
        self._called()
        return 1

    def stop_installation(self, installation: int, repos: tuple[RepoName, ...], why: str) -> int:  # noqa: ARG002 - as above
        """Fails now and then."""
        self._called()
        return 0

    def reviews_drafts(self, repo: RepoName) -> bool:
        """For half of the repositories."""
        return len(repo) % 2 == 0


@dataclass(slots=True)
class Report:
    """What came of a run."""

    statuses: Counter[int] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    mutations: dict[str, Counter[int]] = field(default_factory=dict)
    deliberate: int = 0
    problems: list[str] = field(default_factory=list)


class Fuzz:
    """The door with its stand-in, and the cases of one seed."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.intake = Intake(self.random)
        self.report = Report()
        self._pool = read_examples()
        self._app = Flask("fuzz")
        self._app.register_blueprint(
            blueprint(
                intake=self.intake,
                secrets=SECRETS,
                rules=lambda: RULES,
                seen=self._seen,
                is_open=lambda: True,
            )
        )

    def _seen(self, _event: str, outcome: str) -> None:
        self.report.outcomes[outcome] += 1

    def run(self, count: int) -> Report:
        """`count` cases, every mutation in its turn."""
        names = list(MUTATIONS)
        for at in range(count):
            name = names[at % len(names)]
            event, payload = self.random.choice(self._pool)
            self._one(name, MUTATIONS[name](self.random, event, payload))
        return self.report

    def _one(self, mutation: str, sent: Sent) -> None:
        before, taken = self.intake.calls, self.intake.taken
        self.intake.deliberate = False
        status, headers, body = call(self._app, sent)
        report = self.report
        report.statuses[status] += 1
        report.mutations.setdefault(mutation, Counter())[status] += 1
        report.deliberate += self.intake.deliberate
        wrong = list(self._wrong(sent, status, headers, body, reached=self.intake.calls > before))
        if (status == 202) != (self.intake.taken > taken):
            wrong.append("202 and a stored job do not go together")
        if wrong:
            told = {name: value[:80] for name, value in sent.headers.items()}
            shown = f"{mutation}, {sent.method} {sent.path!r} {told} {sent.body[:200]!r} -> {status} {body[:200]!r}"
            report.problems.append(f"{'; '.join(wrong)}: {shown}")

    def _wrong(self, sent: Sent, status: int, headers: dict[str, str], body: bytes, *, reached: bool) -> Iterable[str]:
        if status not in STATUSES:
            yield f"status {status}"
        if (status == 503) != self.intake.deliberate:
            yield "503 without a reason" if status == 503 else "a failed intake was not told"
        if reached and not signed(sent):
            yield "a delivery without a right signature reached the engine"
        if status in {200, 202, 400, 415} and not signed(sent) and "ended early" not in body.decode():
            yield "something was told about a delivery without a right signature"
        if status == 503 and "Retry-After" not in headers:
            yield "503 without Retry-After"
        # A host name that can be none is refused by Flask before it looks for a route.
        bare = status == 404 or sent.method == "HEAD" or (status == 400 and "Host" in sent.headers)
        if not bare:
            try:
                answer = json.loads(body)
            except ValueError:
                yield "no JSON"
                return
            if headers.get("Content-Type") != "application/json" or "delivery" not in answer:
                yield "no JSON with the delivery"
            if not {"job", "reason", "error"} & set(answer):
                yield "an answer without a reason"


def call(app: Callable[..., Iterable[bytes]], sent: Sent) -> tuple[int, dict[str, str], bytes]:
    """The answer of the WSGI application to `sent`: status, headers, body."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": sent.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": sent.path,
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(sent.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in sent.headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"] = value
    if sent.terminated:
        environ["wsgi.input_terminated"] = True
    told: list[Any] = []
    answer = app(environ, lambda status, headers, _exc_info=None: told.extend((status, headers)))
    body = b"".join(answer)
    return int(told[0][:3]), dict(told[1]), body


def main() -> int:
    """Run, print, and say whether all rules held."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    fuzz = Fuzz(asked.seed)
    began = time.process_time()
    report = fuzz.run(asked.count)
    took = time.process_time() - began
    print(
        f"{asked.count:,} deliveries, seed {asked.seed}: {took:.1f} s of one core, {took / asked.count * 1e6:.0f} µs each"
    )
    print("by status: " + ", ".join(f"{status}: {count:,}" for status, count in sorted(report.statuses.items())))
    print("by outcome: " + ", ".join(f"{name}: {count:,}" for name, count in sorted(report.outcomes.items())))
    print(f"deliberate 503 (the engine raised or was full): {report.deliberate:,}")
    for name, statuses in report.mutations.items():
        print(f"  {name}: " + ", ".join(f"{status}: {count:,}" for status, count in sorted(statuses.items())))
    for problem in report.problems[:20]:
        print(f"WRONG {problem}")
    print(f"{len(report.problems)} answers broke a rule" if report.problems else "every answer kept the rules")
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
