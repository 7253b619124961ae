"""The endpoint as a process of its own: `python -m bot.sandbox.endpoint`. Its first line of output is its URL."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

from bot.sandbox.endpoint.answers import Script, fixed
from bot.sandbox.endpoint.faults import Fault, parse_fault
from bot.sandbox.endpoint.options import EndpointOptions
from bot.sandbox.endpoint.reviewer import reviewer
from bot.sandbox.endpoint.scripts import recorded, tokens
from bot.sandbox.endpoint.server import EndpointServer


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM, SIGINT or, with `--until-eof`, the end of standard input. 2 for wrong arguments."""
    options, until_eof = _read(arguments)
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    try:
        server = EndpointServer(options)
    except OSError as error:
        sys.stderr.write(f"cannot listen on 127.0.0.1:{options.port}: {error.strerror}\n")
        return 2
    with server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        if until_eof:
            threading.Thread(target=_wait_for_eof, args=(done,), daemon=True).start()
        done.wait()
    return 0


def _wait_for_eof(done: threading.Event) -> None:
    sys.stdin.buffer.read()
    done.set()


def _read(arguments: list[str] | None) -> tuple[EndpointOptions, bool]:
    base = EndpointOptions()
    parser = argparse.ArgumentParser(prog="python -m bot.sandbox.endpoint", description=__doc__)
    parser.add_argument("--port", type=int, default=base.port, help="0 takes a free one")
    parser.add_argument("--ttft", type=float, default=base.ttft, help="seconds to the first token (%(default)s)")
    parser.add_argument("--tps", type=float, default=base.tps, help="tokens per second and stream (%(default)s)")
    parser.add_argument("--model", action="append", help="a model's name, again for more")
    parser.add_argument("--api-key", help="the one key that is accepted; all by default")
    parser.add_argument("--context", type=int, default=base.context, help="tokens of input and output (%(default)s)")
    parser.add_argument("--reject", action="append", default=[], help="a parameter to refuse, again for more")
    parser.add_argument("--fault", action="append", default=[], type=_fault, help="`cut:20`, for the next call; `none`")
    parser.add_argument("--fault-rate", type=float, default=0.0, help="probability of one of --chaos a call")
    parser.add_argument("--chaos", action="append", default=[], type=parse_fault, help="a fault for --fault-rate")
    parser.add_argument("--seed", type=int, default=base.seed)
    parser.add_argument("--time-info", action="store_true", help="tell the endpoint's own timing")
    parser.add_argument("--script", type=_script, help="`reviewer`, `tokens:600`, `file:PATH`, `recorded:FOLDER`")
    parser.add_argument("--until-eof", action="store_true", help="end when standard input does")
    given = parser.parse_args(arguments)
    options = EndpointOptions(
        script=given.script or reviewer(),
        ttft=given.ttft,
        tps=given.tps,
        models=tuple(given.model or base.models),
        api_key=given.api_key,
        context=given.context,
        rejects=frozenset(given.reject),
        faults=tuple(given.fault),
        fault_rate=given.fault_rate,
        fault_pool=tuple(given.chaos),
        seed=given.seed,
        time_info=given.time_info,
        port=given.port,
    )
    return options, given.until_eof


def _fault(text: str) -> Fault | None:
    return None if text == "none" else parse_fault(text)


def _script(text: str) -> Script:
    name, _, value = text.partition(":")
    match name:
        case "reviewer":
            return reviewer()
        case "tokens":
            return tokens(int(value))
        case "file":
            return fixed(Path(value).read_text(encoding="utf-8"))
        case "recorded":
            return recorded(Path(value))
        case _:
            raise ValueError(text)


if __name__ == "__main__":
    sys.exit(main())
