"""`spark demo`: the whole job on this machine, with nothing outside it.

A stand-in GitHub over real git, a stand-in endpoint at the speed of a fast one, and `spark serve` as a process of its own. A
pull request is opened, its signed webhook is delivered, the server reviews it; what is seen meanwhile, on GitHub and in
the server's live stream, is shown as it comes. The endpoint is rule-based: what it finds says nothing about a model, what
is done with it is Spark's real work.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from bot import wiring
from bot.cli import output
from bot.cli.arguments import EFFORTS
from bot.cli.demo_show import Show
from bot.cli.demo_stage import TOKEN, Server, Stage, check_packages, ended_in_order, read, server, stage
from bot.cli.demo_talk import talk_back
from bot.cli.demo_watch import OnGitHub, Watch
from bot.errors import OutsideError, UserError
from bot.html.report import review_html
from bot.live.events import LiveKind
from bot.request import PullAsk, ReviewRequest
from bot.review.model import Effort
from bot.review.options import Deaf
from bot.settings import read_settings

_ANSWER_SECONDS: Final = 10.0
"""What GitHub waits for an answer to a webhook."""
_CLOSING_SECONDS: Final = 20
"""How long the check may stay open after the review."""
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
    show = Show(Console(file=sys.stdout))
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
            "the pull request with its comments": ("pull-request.html", read(f"{here.page}/pull/1/files").decode()),
            "its check": ("check.html", read(f"{here.page}/runs/{check['id']}").decode()),
            "the same by spark review --format html": ("report.html", _report(here, shared, Effort(options.effort))),
        }
        talk_back(here, process, show)
        talked = ("conversation.html", read(f"{here.page}/pull/1").decode())
        pages["the conversation, with the answers"] = talked
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


def _review(here: Stage, process: Server, show: Show) -> tuple[str, Mapping[str, Any]]:
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
    page = read(f"{server_url}{path}").decode()
    page = _STYLESHEET.sub(lambda link: f"<style>{read(f'{server_url}{link[1]}').decode()}</style>", page)
    return _SCRIPT.sub("", page)
