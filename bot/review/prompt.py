"""The calls to the model, as text: static rules first, then this review's data between boundary lines.

A boundary has a code of 16 hex digits: a hash over what is between its two lines. A text that wanted to close its boundary
would have to contain a hash of itself, so nobody can write one; no randomness is needed, and the same text is bounded the
same way in every call, so that endpoints can cache what calls begin with. Beyond that, no line of data begins like a line
of ours (see `shown.py`).

Config texts (`review.instructions`, path instructions, guidelines) come from the base branch and are the maintainers' own.
They say what to look for; the format and the rules about data stand above them, and the text says so.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Mapping

from bot.diff.anchors import tag
from bot.diff.model import Hunk, Side
from bot.review.config import RepoConfig, glob_spec
from bot.review.model import Change, Effort, Finding
from bot.review.ports import CallKind, Prompt
from bot.review.prompt_text import CHECK_SYSTEM, LENSES, REPAIR_SYSTEM, REVIEW_SYSTEM
from bot.review.scope import Chunk, PassName
from bot.review.shown import BOUNDARY, tokens, visible, visible_lines

CR = "\r"
TITLE_CAP = 300
DESCRIPTION_CAP = 4_000
GUIDELINES_CAP = 12_000
FAILED_CAP = 4_000
"""Characters of texts that help and are not what is reviewed; longer ones are cut, and say so."""
FILE_TOKENS = 12_000
"""A file up to this size is given whole to a check; of a larger one the lines around the finding."""
HUNK_LINES = 60
"""Lines of the hunk before and behind the finding that a check sees as a diff."""
REASONING_TOKENS = 2_000
"""Added to the output limit where the model may reason first: endpoints count that as output."""
CHECK_TOKENS = 300

_PASSES = {
    Effort.INSTANT: (PassName("review"),),
    Effort.STANDARD: (PassName("review"),),
    Effort.DEEP: (PassName("correctness"), PassName("security"), PassName("reliability")),
}


def passes(effort: Effort) -> tuple[PassName, ...]:
    """The looks at every hunk: one, or for `deep` three with different lenses."""
    return _PASSES[effort]


def review_prompt(
    change: Change,
    chunk: Chunk,
    *,
    pass_name: PassName,
    effort: Effort,
    config: RepoConfig,
    guidelines: Mapping[str, str] | None = None,
) -> Prompt:
    """One look at one chunk. `guidelines`: texts of the config's guideline files by name, as the base has them.

    KeyError for a pass that `passes` does not give.
    """
    lens = LENSES[pass_name]
    data = _Data()
    data.add("title", visible_lines(_cut(change.title, TITLE_CAP)) if change.title else "")
    data.add("description", visible_lines(_cut(change.description, DESCRIPTION_CAP)) if change.description else "")
    data.add("change", chunk.text)
    parts = [
        _wishes(chunk, config, guidelines or {}),
        data.text(),
        f"Review the data named `change`{' as said above' if lens else ''}. Answer in JSON Lines as agreed, end with"
        ' {"end": true}.',
    ]
    if lens:
        parts.insert(0, lens)
    return _prompt(
        CallKind.REVIEW,
        REVIEW_SYSTEM,
        parts,
        output=min(8_000, max(1_200, 400 + chunk.tokens // 2)),
        effort=effort,
    )


def check_prompt(change: Change, finding: Finding, *, file_text: str | None, effort: Effort) -> Prompt:
    """Is this finding real? With the whole file where it fits, and the hunk as a diff."""
    data = _Data()
    _add_code(data, change, finding, file_text)
    _add_report(data, finding)
    parts = [
        data.text(),
        "Is the defect in the data named `report` real? The lines it stands on are in the data named `lines`. Analysis"
        " first, then the verdict, as one line of JSON.",
    ]
    return _prompt(CallKind.CHECK, CHECK_SYSTEM, parts, output=CHECK_TOKENS, effort=effort)


def repair_prompt(
    change: Change, finding: Finding, *, file_text: str, failed: str, reason: str, effort: Effort
) -> Prompt:
    """A suggestion that did not hold (`failed`), why (`reason`): ask for a better one."""
    data = _Data()
    _add_code(data, change, finding, file_text)
    _add_report(data, finding)
    data.add("failed", visible_lines(_cut(failed, FAILED_CAP)))
    data.add("reason", visible_lines(_cut(reason, TITLE_CAP)))
    anchor = finding.anchor
    where = f"lines {anchor.start_line} to {anchor.line}" if anchor.start_line != anchor.line else f"line {anchor.line}"
    parts = [
        data.text(),
        f"The suggestion in the data named `failed` did not hold; `reason` says why. Write the new text of exactly {where}"
        " of the file, or null. One line of JSON.",
    ]
    size = max(tokens("\n".join(anchor.text)), tokens(failed))
    return _prompt(CallKind.REPAIR, REPAIR_SYSTEM, parts, output=min(4_000, 200 + 2 * size), effort=effort)


class _Data:
    """Named texts, each between boundary lines with a code made from it."""

    def __init__(self) -> None:
        self._named: list[tuple[str, str]] = []

    def add(self, name: str, text: str) -> None:
        """`text` is printed as it is: the caller has made its lines harmless. An empty one is left out."""
        if text:
            self._named.append((name, text))

    def text(self) -> str:
        """All of it, wrapped."""
        return "\n".join(_bounded(name, text) for name, text in self._named)


def _bounded(name: str, text: str) -> str:
    code = hashlib.sha256(f"{name}\0{text}".encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"[[{BOUNDARY} {name} {code} begin]]\n{text}\n[[{BOUNDARY} {name} {code} end]]"


def _wishes(chunk: Chunk, config: RepoConfig, guidelines: Mapping[str, str]) -> str:
    """What the maintainers ask for; the language of the findings."""
    lines = []
    if config.review.instructions.strip():
        lines.append(visible_lines(config.review.instructions.strip()))
    for glob, text in config.paths.instructions.items():
        spec = glob_spec([glob])
        if text.strip() and any(spec.match_file(path) for path in chunk.paths):
            lines.append(f"For files that match {visible(glob)}:\n{visible_lines(text.strip())}")
    for name, text in guidelines.items():
        if text.strip():
            lines.append(f"From {visible(name)}:\n{visible_lines(_cut(text.strip(), GUIDELINES_CAP))}")
    wishes = ""
    if lines:
        head = "The maintainers of this repository ask reviewers for this, within the rules and the format above:"
        wishes = "\n".join((head, *lines)) + "\n\n"
    return f"{wishes}Write `title` and `body` in this language: {visible(config.review.language)}."


def _add_report(data: _Data, finding: Finding) -> None:
    told = (f"{finding.severity} {finding.category}: {finding.title}", finding.body)
    data.add("report", visible_lines("\n".join(told)))
    if finding.suggestion is not None:
        data.add("suggestion", visible_lines(_cut(finding.suggestion, FAILED_CAP)))


def _add_code(data: _Data, change: Change, finding: Finding, file_text: str | None) -> None:
    """The file goes first: all checks of one file then begin alike, and its text is paid for once where prompts are cached."""
    anchor = finding.anchor
    if file_text is not None:
        # Removed lines are not in the file; the place where they were is near the hunk's start.
        near = anchor.line if anchor.side is Side.RIGHT else change.patch.hunk(anchor.hunk).new_start
        data.add("file", _window(file_text, near=near))
    side = "old file" if anchor.side is Side.LEFT else "file"
    data.add("hunk", _around(change.patch.hunk(anchor.hunk), finding))
    stood = (_numbered(number, line) for number, line in enumerate(anchor.text, start=anchor.start_line))
    data.add("lines", "\n".join((f"{visible(anchor.path)}, {side}", *stood)))


def _numbered(number: int, line: str) -> str:
    return f"{number}| {visible(line.removesuffix(CR))}"


def _around(hunk: Hunk, finding: Finding) -> str:
    """The hunk as a diff, of a long one the lines around the finding."""
    anchor = finding.anchor
    inside = [
        index
        for index, line in enumerate(hunk.lines)
        if line.side is anchor.side and anchor.start_line <= line.number <= anchor.line
    ]
    start = max(0, inside[0] - HUNK_LINES)
    lines = hunk.lines[start : inside[-1] + HUNK_LINES + 1]
    return "\n".join(visible(f"{line.kind}{tag(line)}|{line.text.removesuffix(CR)}") for line in lines)


def _window(text: str, *, near: int) -> str:
    """Numbered lines: all of them where they fit, else as many around line `near` as do."""
    lines = text.removesuffix("\n").split("\n")
    shown: deque[str] = deque()
    start = end = min(max(0, near - 1), len(lines) - 1)
    used = 0
    # Above and below in turn, so that the finding stays in the middle until one end is reached.
    for index in _outwards(near - 1, len(lines)):
        line = _numbered(index + 1, lines[index])
        used += tokens(line)
        if used > FILE_TOKENS and shown:
            break
        if index < start:
            shown.appendleft(line)
        else:
            shown.append(line)
        start, end = min(start, index), max(end, index)
    if start:
        shown.appendleft(f"({start} lines above are not shown)")
    if end < len(lines) - 1:
        shown.append(f"({len(lines) - end - 1} lines below are not shown)")
    return "\n".join(shown)


def _outwards(middle: int, count: int) -> Iterator[int]:
    """Every index below `count`, from the middle outwards, so that what came so far is always one range."""
    middle = min(max(0, middle), count - 1)
    yield middle
    for distance in range(1, count):
        if middle - distance >= 0:
            yield middle - distance
        if middle + distance < count:
            yield middle + distance


def _cut(text: str, cap: int) -> str:
    return text if len(text) <= cap else f"{text[:cap]}\n(the rest is not shown)"


def _prompt(kind: CallKind, system: str, parts: list[str], *, output: int, effort: Effort) -> Prompt:
    user = "\n\n".join(part for part in parts if part)
    reason = effort is not Effort.INSTANT
    return Prompt(
        kind=kind,
        system=system,
        user=user,
        max_output_tokens=output + (REASONING_TOKENS if reason else 0),
        reason=reason,
        tokens=tokens(system) + tokens(user),
    )
