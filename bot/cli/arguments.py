"""The command line of each verb, and its help. Turns arguments into a request; runs nothing.

Refuses abbreviations and contradictions: an option that would be ignored is an error that says so.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final, NoReturn

from bot.errors import UserError
from bot.request import Ask, DiffAsk, PullAsk, RangeAsk, ReviewRequest, StagedAsk
from bot.review.model import Effort, Severity
from bot.settings import VARIABLES
from bot.settings.values import dollars, seconds

FORMATS: Final = ("text", "json", "sarif", "markdown", "html")
NEVER: Final = "never"
EFFORTS: Final = tuple(effort.value for effort in Effort)
LOG_STYLES: Final = ("text", "json")
GRACE: Final = 20.0
"""Seconds. Most reviews are over by then, and most supervisors wait 30 before they kill."""

_REVIEW_EXAMPLES: Final = """\
examples:
  spark review                          what this branch brings on top of the default branch
  spark review HEAD~1                   the last commit
  spark review v1.2..v1.3               from one revision to another
  spark review --staged                 what is about to be committed
  git diff | spark review --diff -      any diff
  spark review --pr OWNER/REPO#7        a pull request; with --post the review goes onto it
  spark review --no-model --sarif bandit.sarif --fail-on high
  spark review --format sarif --output spark.sarif

a range is read like this:
  A..B          from A to B
  A...B         what B brings since it left A
  REV           the same as REV...HEAD

exit codes:
  0 passed   1 the gate failed   2 your mistake   3 ours or the outside world's   130 interrupted
"""

_SERVE_EXAMPLES: Final = """\
examples:
  spark serve                           on this machine alone; settings from the environment or ./.env
  spark serve --host 0.0.0.0            for a reverse proxy or a container; set SPARK_PAGE_TOKEN and SPARK_PUBLIC_URL

SIGTERM (or Ctrl-C) takes no more deliveries, lets running reviews finish, and keeps the rest for the next start; a second
one does not wait. There is no App yet? spark setup makes it.

exit codes:
  0 stopped   2 your mistake   3 ours or the outside world's   130 interrupted
"""

_CONFIG_EXAMPLES: Final = """\
example:
  spark config check .github/spark.yml

Each mistake is one line: file, line, key, and what is wrong. Exit code 0 when there is none, else 2.
"""


class Parser(argparse.ArgumentParser):
    """An argument parser whose mistakes are errors of ours, one line each, and which knows no abbreviations."""

    def __init__(self, *, prog: str, description: str, epilog: str = "") -> None:
        super().__init__(
            prog=prog,
            description=description,
            epilog=epilog,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        self.add_argument("--debug", action="store_true", help="show the trace of an error")

    def error(self, message: str) -> NoReturn:
        """Raise UserError instead of printing the usage and leaving."""
        raise UserError(f"{self.prog}: {message}", remedy=f"See {self.prog} --help.")


def settings_help() -> str:
    """The settings, one a line, for the end of a help text."""
    width = max(len(name) for name in VARIABLES) + 2
    lines = (f"  {name:<{width}}{meaning}" for name, meaning in VARIABLES.items())
    return "settings, from the environment or a .env file in the current directory:\n" + "\n".join(lines) + "\n"


def configure_review(parser: argparse.ArgumentParser) -> None:
    """The arguments of `spark review`."""
    parser.description = "Review a change. Findings appear while the model is still writing."
    parser.epilog = f"{_REVIEW_EXAMPLES}\n{settings_help()}"
    what = parser.add_argument_group("what to review (one of these; by default the current branch)")
    what.add_argument("range", nargs="?", metavar="RANGE", help="A...B, A..B or a revision; see below")
    what.add_argument("--staged", action="store_true", help="what is staged in the index")
    what.add_argument("--diff", metavar="FILE", help="a diff file, or - for standard input")
    what.add_argument("--pr", metavar="PULL", help="a pull request: its URL, or OWNER/REPO#N (needs GITHUB_TOKEN)")

    how = parser.add_argument_group("how")
    how.add_argument("--effort", choices=EFFORTS, metavar="|".join(EFFORTS), help="how much is spent on it")
    how.add_argument("--model", metavar="NAME", help="instead of SPARK_MODEL")
    how.add_argument("--base-url", metavar="URL", help="instead of SPARK_BASE_URL: a URL or a preset's name")
    how.add_argument("--no-model", action="store_true", help="analyzers alone")
    how.add_argument("--sarif", metavar="FILE", type=Path, action="append", default=[],
                     help="merge an analyzer's results on changed lines; may be given several times")  # fmt: skip
    how.add_argument("--config", metavar="FILE", type=Path, help="instead of the base's .github/spark.yml")
    how.add_argument("--deadline", metavar="SECONDS", type=_seconds, help="how long the review may take")
    how.add_argument("--max-usd", metavar="USD", type=_dollars, help="what the review may cost")

    out = parser.add_argument_group("what comes out")
    out.add_argument("--format", choices=FORMATS, default="text", metavar="|".join(FORMATS), help="text by default")
    out.add_argument("--output", metavar="FILE", help="write there; the terminal still shows the review live")
    gates = [*(severity.value for severity in Severity), NEVER]
    out.add_argument("--fail-on", choices=gates, metavar="|".join(gates), help="exit with 1 from this severity on")
    out.add_argument("--post", action="store_true", help="put the review on the pull request (with --pr)")
    out.add_argument(
        "--full", action="store_true", help="with --post: everything again, not only what the last review had not seen"
    )


def configure_config(parser: argparse.ArgumentParser) -> None:
    """The arguments of `spark config`."""
    parser.description = "Check a repository's configuration."
    parser.epilog = _CONFIG_EXAMPLES
    actions = parser.add_subparsers(dest="action", required=True, metavar="check", parser_class=argparse.ArgumentParser)
    check = actions.add_parser("check", help="name the mistakes of a file", allow_abbrev=False)
    check.error = parser.error  # type: ignore[method-assign]
    check.add_argument("file", metavar="FILE", help="such as .github/spark.yml, or - for standard input")


def configure_serve(parser: argparse.ArgumentParser) -> None:
    """The arguments of `spark serve`."""
    parser.description = "Webhook server, workers and live pages in one process."
    parser.epilog = f"{_SERVE_EXAMPLES}\n{settings_help()}"
    parser.add_argument("--host", default="127.0.0.1", help="where it listens: %(default)s by default")
    parser.add_argument("--port", type=_port, default=8000, help="%(default)s by default; 0 takes any that is free")
    parser.add_argument("--grace", metavar="SECONDS", type=_seconds, default=GRACE,
                        help="how long running reviews may go on after SIGTERM; %(default)g by default")  # fmt: skip
    parser.add_argument("--log", choices=LOG_STYLES, metavar="|".join(LOG_STYLES),
                        help="how log lines look: text on a terminal by default, else json")  # fmt: skip


def review_request(options: argparse.Namespace) -> ReviewRequest:
    """What the arguments of `spark review` ask for. UserError when they contradict each other."""
    if options.no_model:
        for flag, value in (
            ("--model", options.model),
            ("--base-url", options.base_url),
            ("--max-usd", options.max_usd),
        ):
            if value is not None:
                raise UserError(f"--no-model and {flag} contradict each other", remedy="Leave one of them out.")
    return ReviewRequest(
        ask=_ask(options),
        effort=Effort(options.effort) if options.effort is not None else None,
        fail_on=Severity(options.fail_on) if options.fail_on not in {None, NEVER} else None,
        never_fail=options.fail_on == NEVER,
        model=_named("--model", options.model),
        base_url=_named("--base-url", options.base_url),
        no_model=options.no_model,
        sarif=tuple(options.sarif),
        max_usd=options.max_usd,
        deadline=options.deadline,
        full="asked for with --full" if options.full else "",
        config=options.config,
    )


def _ask(options: argparse.Namespace) -> Ask:
    given = [
        name
        for name, present in (
            ("RANGE", options.range is not None),
            ("--staged", options.staged),
            ("--diff", options.diff is not None),
            ("--pr", options.pr is not None),
        )
        if present
    ]
    if len(given) > 1:
        raise UserError(f"{' and '.join(given)} each say what to review", remedy="Give one of them.")
    if options.post and options.pr is None:
        raise UserError("--post needs a pull request to post to", remedy="Add --pr OWNER/REPO#N.")
    if options.full and not options.post:
        raise UserError("--full says how a pull request is reviewed again", remedy="Add --pr OWNER/REPO#N --post.")
    if options.staged:
        return StagedAsk()
    if options.diff is not None:
        return DiffAsk(name=_named("--diff", options.diff) or "")
    if options.pr is not None:
        return PullAsk(name=_named("--pr", options.pr) or "", post=options.post)
    return RangeAsk(range=options.range)


def _named(flag: str, value: str | None) -> str | None:
    if value is not None and not value.strip():
        raise UserError(f"{flag} is empty", remedy="Give it a value, or leave it out.")
    return value


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 65_535):
        raise argparse.ArgumentTypeError(f"{text!r} is no port from 0 to 65535")
    return int(text)


def _seconds(text: str) -> float:
    try:
        return seconds(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0") from None


def _dollars(text: str) -> float:
    try:
        return dollars(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no amount of US dollars, such as 0.50") from None
