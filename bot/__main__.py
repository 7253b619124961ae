"""The `spark` command: finds the verb, runs it, and turns every way it can end into an exit code.

0 passed, 1 the gate failed, 2 the user's mistake, 3 ours or the outside world's, 130 interrupted (also when the reader
of our output has gone away).
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bot import __version__, cli
from bot.errors import SparkError, UserError

if TYPE_CHECKING:
    from bot.cli.arguments import Parser

OURS = 3
INTERRUPTED = 130
OBJECTS = 200_000
"""That may come before the interpreter looks for some that can go; the imports make about as many. Its default is 700."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run `spark` with these arguments (those of the process by default); returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    # Packages that are there by chance may ask to see everything that pydantic reads; to look for them takes 5 ms too.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # A process that ends gives its memory back at once; looking first for what in it could be freed takes 0.3 s.
    atexit.register(gc.freeze)
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character shows a stand-in; it must not stop a review.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        return _dispatch(arguments)
    except SparkError as error:
        _complain(str(error), debug=debug)
        return error.exit_code
    except KeyboardInterrupt:
        _complain("interrupted", debug=debug)
        return INTERRUPTED
    except BrokenPipeError:
        # The interpreter flushes standard output once more at its end; that must not fail again.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return INTERRUPTED
    except SystemExit as leaving:
        # argparse leaves like this after --help.
        return leaving.code if isinstance(leaving.code, int) else 0
    except Exception as error:  # noqa: BLE001 - the outermost loop: whatever it is, it is told in one line with its code
        told = f"internal error: {type(error).__name__}: {error}"
        _complain(f"{told}. Run it again with --debug, and report what it shows.", debug=debug)
        return OURS


def _dispatch(arguments: list[str]) -> int:
    while arguments and arguments[0].startswith("-"):
        flag = arguments.pop(0)
        if flag in {"--version", "-V"}:
            print(f"spark {__version__}")  # noqa: T201 - what was asked for
            return 0
        if flag in {"--help", "-h"}:
            return _help([])
        if flag != "--debug":
            raise UserError(f"spark has no option {flag} before the verb", remedy="See spark help.")
    if not arguments:
        raise UserError("Say what to do: " + ", ".join(cli.VERBS), remedy="See spark help.")
    name, *rest = arguments
    if name == "help":
        return _help(rest)
    verb = _verb(name)
    if not cli.VERBS[verb].lasts:
        # What is imported stays. Looking through it again and again for what can go takes a seventh of the imports' time.
        gc.set_threshold(OBJECTS, *gc.get_threshold()[1:])
    options = _parser(verb).parse_args(rest)
    return cli.run(name, options)


def _help(names: list[str]) -> int:
    if names:
        _parser(_verb(names[0])).print_help()
        return 0
    from bot.cli.arguments import settings_help  # noqa: PLC0415 - brings the types of a review

    verbs = "\n".join(f"  {name:<10}{verb.summary}" for name, verb in cli.VERBS.items())
    text = (
        "usage: spark [--version] [--help] [--debug] VERB ...\n\n"
        "Code review in seconds: line-level findings and proven patches, streamed from a fast endpoint.\n\n"
        f"verbs:\n{verbs}\n\nspark help VERB, or spark VERB --help, shows the arguments of one.\n\n"
        "examples:\n  spark review\n  spark review --staged --fail-on high\n  spark review --pr OWNER/REPO#7 --post\n\n"
        f"{settings_help()}"
    )
    print(text, end="")  # noqa: T201 - what was asked for
    return 0


def _verb(name: str) -> str:
    if name in cli.VERBS:
        return name
    import difflib  # noqa: PLC0415 - most verbs exist

    near = difflib.get_close_matches(name, [*cli.VERBS, "help"], 1)
    meant = f"Did you mean {near[0]}? " if near else ""
    shown = "".join(char if char.isprintable() else "?" for char in name[:60])
    raise UserError(f"There is no verb {shown!r}", remedy=f"{meant}See spark help.")


def _parser(name: str) -> Parser:
    from bot.cli.arguments import Parser  # noqa: PLC0415 - as above

    parser = Parser(prog=f"spark {name}", description=cli.VERBS[name].summary)
    cli.configure(name, parser)
    return parser


def _complain(text: str, *, debug: bool) -> None:
    if debug:
        import traceback  # noqa: PLC0415 - for one who looks for a fault

        traceback.print_exc()
    for line in text.split("\n"):
        print(f"spark: {line}", file=sys.stderr)  # noqa: T201 - where errors go


if __name__ == "__main__":
    sys.exit(main())
