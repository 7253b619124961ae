"""`spark action`: one run inside GitHub Actions, its inputs and its event in the environment. What `action.yml` starts.

A cancelled run is told by a signal, first SIGINT and seconds later SIGTERM; both end it the same way, and only the first counts.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

from bot.action.begin import begin

_IMPORTED: Final = time.monotonic()
_STARTED_FIELD: Final = 19
"""Where `/proc/self/stat` has the start of the process, counted behind its name. Source: proc_pid_stat(5)."""
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def configure_action(parser: argparse.ArgumentParser) -> None:
    """The arguments of `spark action`: none, for everything is in the environment."""
    parser.description = (
        "One run inside GitHub Actions: reviews the pull request of the event, answers a comment, or gives a merge group its "
        "verdict. The inputs of action.yml are in SPARK_INPUT_<NAME>, the event is where the runner puts it."
    )
    parser.epilog = "example, as a step of a workflow:\n  - uses: OWNER/spark@v1\n    with:\n      api-key: ${{ secrets.SPARK_API_KEY }}"


def run(_options: argparse.Namespace) -> int:
    """Do the run; returns its exit code. Raises UserError outside of Actions."""
    before = {number: signal.signal(number, _interrupt) for number in _SIGNALS}
    try:
        begun = begin(os.environ)
        from bot.action.run import run as act  # noqa: PLC0415 - while GitHub answers what was begun

        return act(os.environ, sys.stdout, age=_age(), begun=begun)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    # What is said at the end must not be interrupted too.
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _age() -> float:
    """Seconds since the process began; since this module was loaded where the system does not say."""
    try:
        stat = Path("/proc/self/stat").read_text(encoding="utf-8")
        ticks = int(stat.rpartition(")")[2].split()[_STARTED_FIELD])
        return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, AttributeError):
        return time.monotonic() - _IMPORTED
