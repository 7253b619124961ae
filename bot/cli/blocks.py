"""A finding as terminal text: header, wrapped body, code frame, suggestion as a small diff, small print.

Everything untrusted goes through `plain`, so that no control character or escape sequence of a model, a tool or the diff
reaches a terminal, and nothing is read as markup. Gives `rich` texts; prints nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich.text import Text

from bot.diff.model import LineKind, Patch
from bot.review.model import Finding, Misplaced, Severity
from bot.review.render import words
from bot.review.render.frame import FrameLine, frame, suggestion_diff
from bot.review.render.safe import Redactor, clean

STYLES = {
    Severity.CRITICAL: "bold white on red",
    Severity.HIGH: "bold red",
    Severity.MEDIUM: "bold yellow",
    Severity.LOW: "bold cyan",
}
_BARS = {Severity.CRITICAL: "red", Severity.HIGH: "red", Severity.MEDIUM: "yellow", Severity.LOW: "cyan"}
_SIGNS = {LineKind.ADDED: "green", LineKind.REMOVED: "red", LineKind.CONTEXT: "dim"}
_INLINE_CODE = re.compile(r"`+([^`]+)`+")
_FENCE = re.compile(r"^\s*(?:`{3,}|~{3,})")
_ASCII = str.maketrans({"│": "|", "▌": ">", "…": "...", "·": "-", "•": "*", "–": "-", "→": "->"})


class Blocks:
    """Makes the texts of one review's findings."""

    def __init__(self, patch: Patch, redactor: Redactor, *, encoding: str) -> None:
        """`encoding` is the terminal's: what it cannot show becomes `?`, and our own signs ASCII."""
        self.patch = patch
        self._redactor = redactor
        self._encoding = encoding

    def plain(self, text: str) -> str:
        """Untrusted text as what may be written to the terminal: no secrets, no control characters."""
        text = clean(self._redactor.redact(text))
        if self._encoding.lower().replace("-", "") in {"utf8", "utf16", "utf32"}:
            return text
        return text.translate(_ASCII).encode(self._encoding, "replace").decode(self._encoding)

    def finding(self, finding: Finding) -> list[Text]:
        """The whole block, a blank line at the end."""
        head = self._head(finding, words.place(finding.anchor))
        out = [head, *self._body(finding.body), Text("")]
        out += self._frame(finding)
        if finding.suggestion is not None:
            out += [Text(""), *self._suggestion(finding, finding.suggestion)]
        small = words.small_print(finding)
        if small:
            out.append(Text(self.plain(f"  {' · '.join(small)}"), style="dim"))
        return [*out, Text("")]

    def misplaced(self, finding: Misplaced) -> list[Text]:
        """A finding without a line, with why."""
        head = self._head(finding, f"{finding.path} {finding.claimed}".strip())
        why = Text(self.plain(f"  no line of the diff: {finding.reason}"), style="dim")
        return [head, *self._body(finding.body), why, Text("")]

    def _head(self, finding: Finding | Misplaced, where: str) -> Text:
        head = Text()
        head.append(finding.severity.value.upper(), style=STYLES[finding.severity])
        head.append(f" {finding.category.value}", style="dim")
        head.append(f" {self._flat(where)}", style="bold blue")
        head.append(f"  {self._flat(finding.title)}", style="bold")
        return head

    def _flat(self, text: str) -> str:
        return " ".join(self.plain(text).split())

    def _body(self, body: str) -> Iterator[Text]:
        in_code = False
        for line in self.plain(body).strip("\n").split("\n"):
            if _FENCE.match(line):
                in_code = not in_code
            elif in_code:
                yield Text(f"      {line}", style="cyan")
            else:
                yield _with_code(line)

    def _frame(self, finding: Finding) -> Iterator[Text]:
        rows = frame(self.patch, finding.anchor, redact=self._redactor.redact)
        width = max(len(str(row.new or row.old or "")) for row in rows)
        for row in rows:
            yield self._row(row, width, _BARS[finding.severity])

    def _row(self, row: FrameLine, width: int, colour: str) -> Text:
        line = Text(no_wrap=True, overflow="ellipsis")
        line.append(self.plain("  ▌") if row.marked else "   ", style=colour)
        if row.kind is None:
            return line.append(self.plain(f" {'':>{width}} … {row.text}"), style="dim")
        number = row.old if row.kind is LineKind.REMOVED else row.new
        line.append(self.plain(f" {number or '':>{width}} │ "), style="dim")
        line.append(f"{row.kind.value} ", style=_SIGNS[row.kind])
        return line.append(self.plain(row.text), style="" if row.marked else "dim")

    def _suggestion(self, finding: Finding, suggestion: str) -> Iterator[Text]:
        if self._redactor.has_secret(suggestion):
            yield Text("  the suggested change contains a secret and so is not shown", style="dim")
            return
        yield Text("  suggestion", style="bold")
        styles = {"-": "red", "+": "green", " ": "dim"}
        for row in suggestion_diff(finding.anchor, suggestion, redact=self._redactor.redact):
            text = self.plain(row.text)
            yield Text(f"    {row.sign} {text}", style=styles[row.sign], overflow="fold")


def _with_code(line: str) -> Text:
    """A line of prose with its `code` coloured; the backticks go."""
    out, at = Text("  "), 0
    for match in _INLINE_CODE.finditer(line):
        out.append(line[at : match.start()])
        out.append(match.group(1), style="cyan")
        at = match.end()
    return out.append(line[at:])
