"""The endpoint in a process of its own, so that a benchmark's client does not share an interpreter with it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


@contextmanager
def endpoint_process(arguments: Sequence[str] = ()) -> Iterator[str]:
    """Run `python -m bot.sandbox.endpoint` with `arguments`; gives its URL. It ends with the block, or with us."""
    command = [sys.executable, "-m", "bot.sandbox.endpoint", "--until-eof", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            url = process.stdout.readline().strip()
            if not url:
                raise OSError(f"the endpoint did not start: exit code {process.wait()}")
            yield url
        finally:
            process.stdin.close()
            process.wait()
