"""The files through which a step of GitHub Actions hands on values and a page: `GITHUB_OUTPUT` and `GITHUB_STEP_SUMMARY`.

A file that is not there, or cannot be written, is no reason to end a run differently: these functions give that back as a
sentence. They only ever append, for another program of the same step may have written there.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bot.diff.model import printable

OUTPUTS_LIMIT: Final = 1_000_000
"""Bytes of all outputs of a job together: 1 MB by the documentation, measured in UTF-16."""
SUMMARY_LIMIT: Final = 1_048_576
"""Bytes of UTF-8 of one step's summary. The runner drops a larger one whole, with an error."""

_MARGIN: Final = 4_096
"""Bytes left for the names, the delimiters, and what else the step writes."""


def write_outputs(path: str | None, values: Mapping[str, str]) -> str:
    """Append the outputs; the longest are cut, with a word, where all would be too large.

    `path`: of `GITHUB_OUTPUT`; None or empty outside of Actions. Returns why nothing was written, or an empty string.
    """
    if not path:
        return "GITHUB_OUTPUT names no file, so the outputs were not written"
    text = outputs_text(fitted(values, OUTPUTS_LIMIT - _MARGIN))
    return _append(Path(path), text.encode(), "the outputs")


def write_summary(path: str | None, markdown: str) -> str:
    """Append the page, cut at a line where GitHub would not take it whole.

    `path`: of `GITHUB_STEP_SUMMARY`; None or empty outside of Actions. Returns why nothing was written, or an empty string.
    """
    if not path:
        return "GITHUB_STEP_SUMMARY names no file, so the summary was not written"
    file = Path(path)
    try:
        there = file.stat().st_size if file.exists() else 0
    except OSError as error:
        return _problem("the summary", error)
    # The line end that `_append` may put before it.
    text = cut_markdown(markdown, SUMMARY_LIMIT - there - 1)
    if not text:
        return f"the summary was not written: {there:,} bytes of other text leave no room for it"
    return _append(file, text.encode(), "the summary")


def outputs_text(values: Mapping[str, str]) -> str:
    """The values as the runner reads them: each between two lines with a random word that is in none of them."""
    whole = "\n".join(values.values())
    word = f"spark_{secrets.token_hex(16)}"
    while word in whole:
        word = f"spark_{secrets.token_hex(16)}"
    return "".join(f"{name}<<{word}\n{printable(value)}\n{word}\n" for name, value in values.items())


def fitted(values: Mapping[str, str], limit: int) -> dict[str, str]:
    """The values in `limit` bytes together, in UTF-8 as well as in UTF-16: short ones whole, long ones cut to equal lengths."""
    left, out = limit, {}
    ordered = sorted(values, key=lambda name: _size(values[name]))
    for at, name in enumerate(ordered):
        out[name] = _cut(values[name], left // (len(ordered) - at))
        left -= _size(out[name])
    return {name: out[name] for name in values}


def cut_markdown(text: str, limit: int) -> str:
    """`text` in at most `limit` bytes of UTF-8: cut behind a line, what is open there closed, and a sentence that says so.

    Empty when not even that sentence fits. Ends with a line end otherwise.
    """
    text = printable(text)
    text = text if text.endswith("\n") else f"{text}\n"
    if len(text.encode()) <= limit:
        return text
    lines = [f"{line}\n" for line in text[:-1].split("\n")]
    opened, size, best = _Opened(), 0, ""
    kept = 0
    for at in range(len(lines) + 1):
        end = f"{opened.closers()}\n{_missing(len(lines) - at, len(lines))}\n"
        if size + len(end.encode()) <= limit:
            kept, best = at, end
        if at < len(lines):
            opened.read(lines[at])
            size += len(lines[at].encode())
        if size > limit:
            break
    return "".join(lines[:kept]) + best if best else ""


def _missing(left_out: int, whole: int) -> str:
    return f"**Cut here:** {left_out:,} of {whole:,} lines are not shown, for GitHub takes no larger summary of a step."


class _Opened:
    """Which fence and which folds are open behind the lines read so far."""

    def __init__(self) -> None:
        self._fence = ""
        self._folds = 0

    def read(self, line: str) -> None:
        """One more line."""
        bare = line.strip()
        ticks = len(bare) - len(bare.lstrip("`"))
        if self._fence:
            if ticks >= len(self._fence) and ticks == len(bare):
                self._fence = ""
        elif ticks >= 3 and "`" not in bare[ticks:]:
            self._fence = bare[:ticks]
        else:
            self._folds += bare.startswith(("<details>", "<details ")) - (bare == "</details>")

    def closers(self) -> str:
        """What ends them."""
        fence = f"{self._fence}\n" if self._fence else ""
        return fence + "\n</details>\n" * max(0, self._folds)


def _size(text: str) -> int:
    """Bytes in the larger of the two encodings."""
    text = printable(text)
    return max(len(text.encode()), len(text.encode("utf-16-le")))


def _cut(text: str, limit: int) -> str:
    if _size(text) <= limit:
        return text
    word = f"… (cut, of {len(text):,} characters)"
    # A character takes four bytes at most, in either encoding.
    keep = max(0, limit - _size(word)) // 4
    while keep < len(text) and (more := (limit - _size(text[:keep]) - _size(word)) // 4) > 0:
        keep += more
    return (text[:keep] + word) if _size(word) <= limit else ""


def _append(file: Path, data: bytes, what: str) -> str:
    try:
        with file.open("ab+") as out:
            if out.tell():
                out.seek(-1, 2)
                data = data if out.read(1) == b"\n" else b"\n" + data
            out.write(data)
    except OSError as error:
        return _problem(what, error)
    return ""


def _problem(what: str, error: OSError) -> str:
    verb = "were" if what.endswith("s") else "was"
    return f"{what} {verb} not written: {error.strerror or error}"
