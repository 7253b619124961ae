"""`spark demo`: the whole job on this machine, with nothing outside it.

A stand-in GitHub over real git, a stand-in endpoint at the speed of a fast one, and `spark serve` as a process of its own. A
pull request is opened, its signed webhook is delivered, the server reviews it; what is seen meanwhile, on GitHub and in
the server's live stream, is shown as it comes. The endpoint is rule-based: what it finds says nothing about a model, what
is done with it is Spark's real work.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from bot import wiring
from bot.cli import output
from bot.cli.arguments import EFFORTS
from bot.cli.blocks import STYLES
from bot.cli.demo_stage import LATENCY, TOKEN, Server, Stage, check_packages, ended_in_order, server, stage
from bot.cli.demo_watch import Moment, OnGitHub, Watch
from bot.errors import OutsideError, UserError
from bot.html.report import review_html
from bot.live.events import LiveKind
from bot.request import PullAsk, ReviewRequest
from bot.review.model import Effort, Severity
from bot.review.options import Deaf
from bot.review.render import words
from bot.review.render.safe import clean
from bot.sandbox import example
from bot.settings import read_settings

_ANSWER_SECONDS: Final = 10.0
"""What GitHub waits for an answer to a webhook."""
_CLOSING_SECONDS: Final = 20
"""How long the check may stay open after the review."""
_PLACE: Final = 22
"""Characters of the example's longest path and line."""
_STYLESHEET: Final = re.compile(r'<link[^>]*\bhref="(/[^"]+\.css[^"]*)"[^>]*>')
_SCRIPT: Final = re.compile(r"<script\b[^>]*>.*?</script>", re.DOTALL)


def configure_demo(parser: argparse.ArgumentParser) -> None:
    """The arguments of `spark demo`."""
    parser.description = (
        "The whole job on loopback: a server is started, a pull request is opened, its webhook is delivered, and the review "
        "is shown as it comes. Nothing leaves the machine."
    )
    parser.add_argument("--keep", action="store_true", help="leave everything up until Ctrl-C")
    parser.add_argument("--output", type=Path, default=Path("out/demo"), help="folder for the pages (%(default)s)")
    parser.add_argument("--effort", choices=EFFORTS, default="standard", help="%(default)s by default")
    parser.add_argument("--tps", type=float, default=1000.0, help="tokens per second of the endpoint (%(default)s)")
    parser.add_argument("--ttft", type=float, default=0.150, help="seconds to its first token (%(default)s)")


def run(options: argparse.Namespace) -> int:
    """Show it. Returns 0; raises SparkError when the server does not start, or the review is not made or not posted."""
    check_packages()
    _make(options.output)
    show = _Show(Console(file=sys.stdout))
    with ended_in_order(), stage(tps=options.tps, ttft=options.ttft) as here, ExitStack() as stack:
        show.stage(here, options)
        began = time.monotonic()
        with show.waiting("spark serve starts"):
            process = stack.enter_context(server(here.env(options.effort)))
            # Meanwhile, what the report will need.
            shared = stack.enter_context(wiring.Shared(read_settings({"GITHUB_TOKEN": TOKEN, **here.review_env})))
            shared.warm()
            process.wait()
        here.deliver_to(process.url)
        show.server(process, time.monotonic() - began)
        job, check = _review(here, process, show)
        show.posted(here, check)
        pages = {
            "the live page, as it ended": ("live.html", _self_contained(process.url, f"/reviews/{job}")),
            "the pull request with its comments": ("pull-request.html", _read(f"{here.page}/pull/1/files").decode()),
            "its check": ("check.html", _read(f"{here.page}/runs/{check['id']}").decode()),
            "the same by spark review --format html": ("report.html", _report(here, shared, Effort(options.effort))),
        }
        for name, text in pages.values():
            output.write(options.output / name, text)
        show.pages({what: options.output / name for what, (name, _) in pages.items()})
        if options.keep:
            show.addresses(here, process, job, check)
            while True:
                process.check()
                time.sleep(0.5)
        show.line("See it live in the browser: make demo DEMO=--keep", "dim")
    return 0


def _review(here: Stage, process: Server, show: _Show) -> tuple[str, Mapping[str, Any]]:
    """Open the pull request and watch until its check run is closed. Returns the job's id and the check run."""
    watch = Watch()
    here.on_happening(watch.happened)
    show.begin(here)
    here.open_pull()
    status, told = here.answer(_ANSWER_SECONDS)
    show.answered(status)
    if status != 202:
        raise OutsideError(f"The webhook was answered {status}: {told.get('error') or told.get('reason')}")
    watch.stream(f"{process.url}/reviews/{told['job']}/events")
    check: Mapping[str, Any] | None = None
    is_streaming, silent = True, 0
    while check is None or is_streaming:
        moment = watch.next(1.0)
        if moment is None:
            process.check()
            silent += not is_streaming
            if silent > _CLOSING_SECONDS:
                raise OutsideError("The review is over, and its check was not closed")
            continue
        show.moment(moment)
        is_streaming = is_streaming and moment.what is not None
        if moment.what is OnGitHub.CHECK_CLOSED:
            check = moment.data
        elif moment.what is LiveKind.STATE and moment.data["state"] == "failed":
            raise OutsideError(f"The review failed: {moment.data['why']}")
    return str(told["job"]), check


class _Show:
    """Everything that the terminal shows. Whatever came over a wire is cleaned before."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = 0.0
        self._has_tokens = False
        self._found: set[float] = set()

    def line(self, text: str | Text, style: str = "") -> None:
        """One line. A terminal cuts what does not fit, a pipe has no width."""
        shown = Text(text) if isinstance(text, str) else text
        if self._console.is_terminal:
            self._console.print(shown, style=style, highlight=False, no_wrap=True, overflow="ellipsis")
        else:
            self._console.print(shown, style=style, highlight=False, soft_wrap=True)

    @contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """Something moves while this takes its time, where there is a terminal."""
        with self._console.status(text) if self._console.is_terminal else nullcontext():
            yield

    def stage(self, here: Stage, options: argparse.Namespace) -> None:
        """The stand-ins that there are."""
        self._rule("Spark demo: everything on this machine")
        self.line(f"GitHub    {here.github.web_url}  a stand-in over real git, {LATENCY * 1000:.0f} ms a call")
        self.line(
            f"endpoint  {here.endpoint.url}  a stand-in by rules, no model: {options.ttft * 1000:.0f} ms, then "
            f"{options.tps:,.0f} tokens/s"
        )

    def server(self, process: Server, seconds: float) -> None:
        """The server that there is."""
        self.line(f"server    {process.url}  spark serve on a fresh SQLite file, ready after {seconds:.1f} s")

    def begin(self, here: Stage) -> None:
        """The clock starts."""
        self._rule("A pull request, in seconds from its webhook")
        self._began = time.monotonic()
        self._at(0.0, f"{example.AUTHOR} opens {here.repo.full_name}#1, “{example.TITLE}”")

    def answered(self, status: int) -> None:
        """The server answered the webhook."""
        self._at(time.monotonic() - self._began, f"the webhook is answered {status}: stored with its job")

    def moment(self, moment: Moment) -> None:
        """Something was seen."""
        at, data = moment.at - self._began, moment.data
        match moment.what:
            case LiveKind.STARTED:
                files = data["files"]
                added, removed = (sum(file[name] for file in files) for name in ("added", "removed"))
                size = f"{words.count(len(files), 'file')}, +{added} -{removed}"
                self._at(at, f"the diff is read: {size}; {words.count(data['chunks'], 'call')} to the endpoint")
            case LiveKind.PROGRESS if data["output_tokens"]:
                self._writes(at)
            # One that is told again at the end, with more words, has the moment at which it was found.
            case LiveKind.FOUND if data["at"] not in self._found:
                self._found.add(data["at"])
                if data["source"] == "model":
                    self._writes(at)
                self._finding(at, data)
            case LiveKind.FINISHED:
                self._measured(data["review"])
            case OnGitHub.CHECK_OPENED:
                self._at(at, f"the check {data['name']} is on the pull request, and grows")
            case OnGitHub.POSTED:
                self._at(at, "the review is posted")
            case OnGitHub.CHECK_CLOSED:
                self._at(at, f"the check is closed: {data['conclusion']}, “{data['title']}”")
            case None if data["why"]:
                raise OutsideError(f"The live stream broke off: {data['why']}")

    def posted(self, here: Stage, check: Mapping[str, Any]) -> None:
        """Read the review back over HTTP, as anybody could, and show it."""
        base = f"{here.github.api_url}/repos/{here.repo.full_name}/pulls/1"
        reviews, comments = json.loads(_read(f"{base}/reviews")), json.loads(_read(f"{base}/comments?per_page=100"))
        self._rule("On the pull request now")
        self.line(
            f"{words.count(len(reviews), 'review')} with {words.count(len(comments), 'line comment')}, "
            f"1 check: {check['conclusion']}. One of the comments:"
        )
        shown = next((each for each in comments if "```suggestion" in each["body"]), comments[0] if comments else None)
        if shown is not None:
            self.line("")
            self.line(clean(f"  {shown['path']}:{shown['line']}"), "bold")
            for line in re.sub(r"<!--.*?-->|</?sub>", "", shown["body"], flags=re.DOTALL).strip().splitlines():
                self.line(clean(f"  {line}"))

    def pages(self, pages: Mapping[str, Path]) -> None:
        """Where the pages are, as files."""
        self._rule("Where to look")
        width = max(map(len, pages))
        for name, path in pages.items():
            self._console.print(f"{name:<{width}}  {path}", highlight=False, soft_wrap=True, markup=False)

    def addresses(self, here: Stage, process: Server, job: str, check: Mapping[str, Any]) -> None:
        """Where the pages are, in the browser."""
        found = {
            "live page": f"{process.url}/reviews/{job}",
            "all reviews": f"{process.url}/",
            "pull request": f"{here.page}/pull/1/files",
            "its check": f"{here.page}/runs/{check['id']}  (its button Re-run sends a webhook: watch the live page)",
        }
        self.line("")
        for name, url in found.items():
            self._console.print(f"{name:<12}  {url}", highlight=False, soft_wrap=True, markup=False)
        self.line("Ctrl-C ends it.", "dim")

    def _writes(self, at: float) -> None:
        """Said once, by whatever shows it first."""
        if not self._has_tokens:
            self._has_tokens = True
            self._at(at, "the model writes")

    def _finding(self, at: float, data: Mapping[str, Any]) -> None:
        severity = Severity(data["severity"])
        place = f"{data['path']}:{data['line']}"
        text = Text(f"{at:6.2f}    ")
        text.append(f"{severity.value:<8}", STYLES[severity])
        text.append(clean(f"  {place:<{_PLACE}}"))
        text.append("  patch  " if data["proven"] else " " * 9, "green")
        text.append(clean(data["title"]))
        self.line(text)

    def _measured(self, review: Mapping[str, Any]) -> None:
        usage, coverage = review["usage"], review["coverage"]
        self.line(
            f"{'':10}{usage['calls']} calls, {usage['input_tokens']:,} tokens in, {usage['output_tokens']:,} out, "
            f"${usage['usd'] or 0:.4f} at $0.35 and $0.75 per million; {coverage['reviewed']} of {coverage['hunks']} hunks",
            "dim",
        )

    def _at(self, seconds: float, text: str) -> None:
        self.line(Text(f"{seconds:6.2f}  ").append(clean(text), "bold"))

    def _rule(self, title: str) -> None:
        self._console.print()
        self._console.rule(title, align="left", style="dim")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"--output {folder} cannot be made ({error.strerror})", remedy="Choose a place that you may write to."
        ) from error


def _report(here: Stage, shared: wiring.Shared, effort: Effort) -> str:
    """The report that `spark review --pr` makes of the same pull request."""
    request = ReviewRequest(ask=PullAsk(name=f"{here.repo.full_name}#1", post=False), effort=effort)
    return review_html(shared.job(request, Deaf()).run())


def _self_contained(server_url: str, path: str) -> str:
    """A page of the server with its style sheets in it and without its scripts, to be opened as a file."""
    page = _read(f"{server_url}{path}").decode()
    page = _STYLESHEET.sub(lambda link: f"<style>{_read(f'{server_url}{link[1]}').decode()}</style>", page)
    return _SCRIPT.sub("", page)


def _read(url: str) -> bytes:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {TOKEN}"})  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - as above
        data: bytes = answer.read()
    return data
