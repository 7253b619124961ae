"""`spark review`: asks the wiring for a review, shows it live, and writes what was asked for.

Nothing but data goes to standard output unless the format is text: what is live then goes to standard error.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final, NoReturn, Protocol, TextIO

from bot import wiring
from bot.cli import output
from bot.cli.arguments import review_request
from bot.errors import UserError
from bot.request import RangeAsk, ReviewRequest
from bot.review.model import Review, Verdict
from bot.settings import read_settings

if TYPE_CHECKING:
    from bot.review.events import ReviewEvent

GATE_FAILED: Final = 1


class _Watching(Protocol):
    """A listener that shows something before the first event, and takes it away at the end."""

    def wait(self) -> None: ...

    def on(self, event: ReviewEvent) -> None: ...

    def close(self) -> None: ...


def run(options: argparse.Namespace) -> int:
    """Review, show, write. Returns 0, or 1 when the gate failed.

    Raises SparkError for everything that stops a review, and for what kept a finished one from being whole: its findings
    are shown and written before.
    """
    request = review_request(options)
    settings = read_settings(os.environ, dotenv=Path(".env"))
    target = Path(options.output) if options.output not in {None, "-"} else None
    if target is not None:
        output.check(target)
    render = _renderer(options.format)
    listener: _Watching | None = None
    try:
        with wiring.Shared(settings) as shared:
            # A pull is read while the rest is loaded.
            ahead = shared.ahead(request)
            listener = _live(options.format, has_target=target is not None)
            job = shared.job(request, listener, ahead=ahead)
            if listener is not None:
                listener.wait()
            try:
                review = job.run()
            finally:
                # After Ctrl-C the streams that are still open must not be waited for.
                job.cancel()
    finally:
        if listener is not None:
            listener.close()
    if render is not None or target is not None:
        text = render(review) if render is not None else _plain(review)
        if target is None:
            output.put(text)
        else:
            output.write(target, text)
            _tell(f"wrote {target}")
    _hint(request, review)
    if review.failure is not None and review.verdict is not Verdict.FAIL:
        raise review.failure
    if review.failure is not None:
        # Finding 1 in the place of 3 is safe; the other way round, trouble outside would open the gate.
        _tell(str(review.failure))
    return GATE_FAILED if review.verdict is Verdict.FAIL else 0


def _renderer(name: str) -> Callable[[Review], str] | None:
    """Makes the document of a format; None for text, which is shown as it comes."""
    if name == "html":
        # Imported before the review, so that a missing package is not found out after it.
        render: Callable[[Review], str] = _optional("bot.html.report").review_html
        return render
    if name == "text":
        return None
    # One of three is wanted, and none of them by most.
    from bot.review.render.json import review_json  # noqa: PLC0415 - as above
    from bot.review.render.markdown import review_markdown  # noqa: PLC0415 - as above
    from bot.review.render.sarif import review_sarif  # noqa: PLC0415 - as above

    table: Mapping[str, Callable[[Review], str]] = {
        "json": lambda review: output.as_json(review_json(review)),
        "sarif": lambda review: output.as_json(review_sarif(review)),
        "markdown": review_markdown,
    }
    return table[name]


def _plain(review: Review) -> str:
    """The text format for a file: as in a terminal, without colour."""
    file = io.StringIO()
    terminal = _optional("bot.cli.terminal")
    terminal.show_review(_console(file), review)
    return file.getvalue()


def _live(name: str, *, has_target: bool) -> _Watching | None:
    """Who shows the review while it runs; None where that would be in the way of data, or nobody would see it."""
    if name == "text":
        stream = sys.stdout
    elif has_target or sys.stderr.isatty():
        stream = sys.stderr
    else:
        return None
    try:
        terminal = _optional("bot.cli.terminal")
    except UserError:
        if name == "text":
            raise
        # Data can be written without the packages that draw a terminal.
        return None
    listener: _Watching = terminal.TerminalListener(_console(stream))
    return listener


def _console(stream: TextIO) -> object:
    console = importlib.import_module("rich.console").Console(file=stream)
    # Rich would leave with 1, which is the gate's.
    console.on_broken_pipe = _gone
    return console


def _gone() -> NoReturn:
    raise BrokenPipeError


def _optional(module: str) -> ModuleType:
    """A module that needs the packages of the `cli` extra."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise UserError(
            f"This format needs {error.name}, which is not installed",
            remedy="Install spark-review[cli], or use --format json, sarif or markdown.",
        ) from error


def _hint(request: ReviewRequest, review: Review) -> None:
    """What to do when there was nothing to review, and the user named nothing."""
    if isinstance(request.ask, RangeAsk) and request.ask.range is None and not review.change.patch.files:
        _tell(f"nothing differs in {review.change.title}; name a range such as HEAD~1, or use --staged")


def _tell(text: str) -> None:
    print(f"spark: {text}", file=sys.stderr)  # noqa: T201 - for people, beside the data
