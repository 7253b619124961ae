"""What the demo shows: lines of a terminal or a pipe. Whatever came over a wire is cleaned before it is printed."""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from bot.cli.blocks import STYLES
from bot.cli.demo_stage import LATENCY, Server, Stage, read
from bot.cli.demo_watch import Moment, OnGitHub
from bot.errors import OutsideError
from bot.live.events import LiveKind
from bot.review.model import Severity
from bot.review.render import words
from bot.review.render.safe import clean
from bot.sandbox import example

_PLACE: Final = 22
"""Characters of the example's longest path and line."""


class Show:
    """Everything that the terminal shows."""

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

    def talk(self) -> None:
        """People begin to talk back."""
        self._rule("Talk to it, in seconds from each comment")

    def said(self, seconds: float, text: str, quoted: Sequence[str] = ()) -> None:
        """Somebody said or did something; `quoted` are lines of it."""
        self._at(seconds, text)
        for line in quoted:
            self.line(clean(f"{'':10}{line}"))

    def posted(self, here: Stage, check: Mapping[str, Any]) -> None:
        """Read the review back over HTTP, as anybody could, and show it."""
        base = f"{here.github.api_url}/repos/{here.repo.full_name}/pulls/1"
        reviews, comments = json.loads(read(f"{base}/reviews")), json.loads(read(f"{base}/comments?per_page=100"))
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
