"""`spark demo`: the whole job on this machine, with nothing outside it.

A stand-in GitHub over real git and a stand-in endpoint at the speed of a fast one are started on loopback, a pull request
is opened, Spark reviews it and posts the review, and what was posted is read back and shown. The endpoint is rule-based:
what it finds says nothing about a model, what is done with it is Spark's real work.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from bot import wiring
from bot.cli import output
from bot.cli.arguments import EFFORTS
from bot.cli.terminal import TerminalListener
from bot.html.report import review_html
from bot.request import PullAsk, ReviewRequest
from bot.review.model import Effort, Review
from bot.sandbox import example
from bot.sandbox.endpoint import EndpointOptions, EndpointServer
from bot.sandbox.github import GitHubOptions, GitHubServer
from bot.settings import read_settings

TOKEN: Final = "demo-token"  # noqa: S105 - the stand-in's own
PRICES: Final = "codex-spark-preview=0.35/0.75"
"""What a fast open model costs at a public endpoint (see `bot/model/prices.py`), so that the demo shows a cost."""
LATENCY: Final = 0.080
"""Seconds a call to the stand-in GitHub takes, about as far away as the real one is."""


def configure_demo(parser: argparse.ArgumentParser) -> None:
    """The arguments of `spark demo`."""
    parser.description = (
        "The whole job on loopback: a pull request is opened, reviewed and shown. Nothing leaves the machine."
    )
    parser.add_argument("--keep", action="store_true", help="leave the pages up until Ctrl-C")
    parser.add_argument("--output", type=Path, default=Path("out/demo"), help="folder for the pages (%(default)s)")
    parser.add_argument("--effort", choices=EFFORTS, default="standard", help="%(default)s by default")
    parser.add_argument("--tps", type=float, default=1000.0, help="tokens per second of the endpoint (%(default)s)")
    parser.add_argument("--ttft", type=float, default=0.150, help="seconds to its first token (%(default)s)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The stand-ins with a pull request on them."""

    api_url: str
    graphql_url: str
    endpoint_url: str
    web_url: str
    pull: str
    """`owner/name#N`."""

    @property
    def page(self) -> str:
        """The pull request in a browser."""
        return f"{self.web_url}/{self.pull.replace('#', '/pull/')}"


@contextmanager
def stage(*, tps: float, ttft: float) -> Iterator[Stage]:
    """GitHub and the endpoint on loopback, with the example's pull request open. Gone when the `with` ends."""
    with (
        GitHubServer(GitHubOptions()) as github,
        EndpointServer(EndpointOptions(tps=tps, ttft=ttft)) as endpoint,
    ):
        world = github.world
        world.user(example.REVIEWER, TOKEN, bot=True)
        world.user(example.AUTHOR)
        repo = world.create_repo(example.REPO)
        repo.permission(example.AUTHOR, "write")
        repo.permission(example.REVIEWER, "write")
        base = repo.commit("main", _encoded(example.BEFORE), "Books and loans", example.AUTHOR)
        repo.branch(example.BRANCH, base)
        repo.commit(example.BRANCH, _encoded(example.AFTER), example.TITLE, example.AUTHOR)
        pull = repo.open_pull(
            title=example.TITLE, body=example.BODY, head=example.BRANCH, base="main", author=example.AUTHOR
        )
        github.latency = LATENCY
        yield Stage(
            api_url=github.api_url,
            graphql_url=github.graphql_url,
            endpoint_url=endpoint.url,
            web_url=github.web_url,
            pull=f"{example.REPO}#{pull.number}",
        )


def run(options: argparse.Namespace) -> int:
    """Show it. Returns 0; raises SparkError when the review cannot be made or posted."""
    console = Console(file=sys.stdout)
    with stage(tps=options.tps, ttft=options.ttft) as here:
        console.rule("Spark demo: everything on this machine")
        console.print(f"A stand-in GitHub, {LATENCY * 1000:.0f} ms a call:  {here.web_url}", highlight=False)
        console.print(
            f"A stand-in endpoint, {options.ttft * 1000:.0f} ms to the first token, {options.tps:,.0f} tokens/s: "
            f"{here.endpoint_url}\n(rules, not a model: it shows what Spark does with findings, not how good a model is; "
            "priced at $0.35 and $0.75 per million tokens in and out)",
            highlight=False,
        )
        console.print(
            f"mona opened {here.pull}, “{example.TITLE}”. spark review --pr {here.pull} --post\n", highlight=False
        )
        review = _review(here, Effort(options.effort), console)
        if review.failure is not None:
            raise review.failure
        _show_timeline(review, console)
        _show_posted(here, console)
        pages = _keep_pages(here, review, options.output)
        console.rule("Where to look")
        for name, path in pages.items():
            console.print(f"{name}: {path}", highlight=False, soft_wrap=True)
        if options.keep:
            console.print(f"In the browser: {here.page} (Ctrl-C ends the demo)", highlight=False, soft_wrap=True)
            threading.Event().wait()
        else:
            console.print("In the browser, live: make demo DEMO=--keep", highlight=False)
    return 0


def _review(here: Stage, effort: Effort, console: Console) -> Review:
    env = {
        "GITHUB_TOKEN": TOKEN,
        "GITHUB_API_URL": here.api_url,
        "GITHUB_GRAPHQL_URL": here.graphql_url,
        "SPARK_BASE_URL": here.endpoint_url,
        "SPARK_API_KEY": "demo",
        "SPARK_PRICES": PRICES,
    }
    settings = read_settings(env)
    with wiring.Shared(settings) as shared:
        shared.warm()
        request = ReviewRequest(ask=PullAsk(name=here.pull, post=True), effort=effort)
        return shared.job(request, TerminalListener(console)).run()


def _show_timeline(review: Review, console: Console) -> None:
    timing = review.timing
    patch = review.change.patch
    moments = [
        (timing.diff, f"the diff is read: {len(patch.files)} files, +{patch.added} -{patch.removed}"),
        (timing.first_token, "the model's first token"),
        (timing.first_finding, "the first finding is shown"),
        (timing.first_post, f"the review is posted: {len(review.findings)} findings"),
        (timing.done, "done"),
    ]
    console.rule("Timeline, in seconds from the start")
    whole = timing.done or 1.0
    happened = [(at, what) for at, what in moments if at is not None]
    for at, what in sorted(happened, key=lambda moment: moment[0]):
        console.print(f"{at:6.2f}  {'━' * max(1, round(at / whole * 20)):<20}  {what}", highlight=False)
    console.print()


def _show_posted(here: Stage, console: Console) -> None:
    """Read the review back over HTTP, as anybody could, and show it."""
    repo, _, number = here.pull.partition("#")
    base = f"{here.api_url}/repos/{repo}/pulls/{number}"
    reviews, comments = _get(f"{base}/reviews"), _get(f"{base}/comments?per_page=100")
    console.rule("What is on the pull request now")
    console.print(f"{len(reviews)} review, {len(comments)} line comments. The first ones:\n", highlight=False)
    for comment in comments[:3]:
        console.print(f"{comment['path']}:{comment['line']}", style="bold", highlight=False)
        console.print(comment["body"], highlight=False, markup=False)
        console.print()


def _keep_pages(here: Stage, review: Review, folder: Path) -> Mapping[str, Path]:
    """The pages as files, to be looked at when the demo is over."""
    folder.mkdir(parents=True, exist_ok=True)
    report, pull = folder / "report.html", folder / "pull-request.html"
    output.write(report, review_html(review))
    output.write(pull, _read(f"{here.page}/files").decode())
    return {"The report of `--format html`": report, "The pull request with its comments": pull}


def _get(url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(_read(url))
    return found


def _read(url: str) -> bytes:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {TOKEN}"})  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - as above
        data: bytes = answer.read()
    return data


def _encoded(files: Mapping[str, str]) -> dict[str, bytes | None]:
    return {path: text.encode() for path, text in files.items()}
