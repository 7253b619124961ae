"""The calls to the model, as text: static rules first, then this review's data between boundary lines.

What the boundaries are and why nobody can write one is told in `prompt_data.py`.

Config texts (`review.instructions`, path instructions, guidelines) come from the base branch and are the maintainers' own.
They say what to look for; the format and the rules about data stand above them, and the text says so.
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.diff.anchors import tag
from bot.diff.model import Hunk, Side
from bot.review.config import RepoConfig, glob_spec
from bot.review.model import Change, Effort, Finding
from bot.review.ports import CallKind, Prompt
from bot.review.prompt_data import CR, Data, cut, make_prompt, numbered, window
from bot.review.prompt_text import CHECK_SYSTEM, LENSES, REPAIR_SYSTEM, REVIEW_SYSTEM
from bot.review.scope import Chunk, PassName
from bot.review.shown import tokens, visible, visible_lines

TITLE_CAP = 300
DESCRIPTION_CAP = 4_000
GUIDELINES_CAP = 12_000
FAILED_CAP = 4_000
"""Characters of texts that help and are not what is reviewed; longer ones are cut, and say so."""
HUNK_LINES = 60
"""Lines of the hunk before and behind the finding that a check sees as a diff."""
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
    data = Data()
    data.add("title", visible_lines(cut(change.title, TITLE_CAP)) if change.title else "")
    data.add("description", visible_lines(cut(change.description, DESCRIPTION_CAP)) if change.description else "")
    data.add("change", chunk.text)
    parts = [
        _wishes(chunk, config, guidelines or {}),
        data.text(),
        f"Review the data named `change`{' as said above' if lens else ''}. Answer in JSON Lines as agreed, end with"
        ' {"end": true}.',
    ]
    if lens:
        parts.insert(0, lens)
    return make_prompt(
        CallKind.REVIEW,
        REVIEW_SYSTEM,
        parts,
        output=min(8_000, max(1_200, 400 + chunk.tokens // 2)),
        effort=effort,
    )


def check_prompt(change: Change, finding: Finding, *, file_text: str | None, effort: Effort) -> Prompt:
    """Is this finding real? With the whole file where it fits, and the hunk as a diff."""
    data = Data()
    _add_code(data, change, finding, file_text)
    _add_report(data, finding)
    parts = [
        data.text(),
        "Is the defect in the data named `report` real? The lines it stands on are in the data named `lines`. Analysis"
        " first, then the verdict, as one line of JSON.",
    ]
    return make_prompt(CallKind.CHECK, CHECK_SYSTEM, parts, output=CHECK_TOKENS, effort=effort)


def repair_prompt(
    change: Change, finding: Finding, *, file_text: str, failed: str, reason: str, effort: Effort
) -> Prompt:
    """A suggestion that did not hold (`failed`), why (`reason`): ask for a better one."""
    data = Data()
    _add_code(data, change, finding, file_text)
    _add_report(data, finding)
    data.add("failed", visible_lines(cut(failed, FAILED_CAP)))
    data.add("reason", visible_lines(cut(reason, TITLE_CAP)))
    anchor = finding.anchor
    where = f"lines {anchor.start_line} to {anchor.line}" if anchor.start_line != anchor.line else f"line {anchor.line}"
    parts = [
        data.text(),
        f"The suggestion in the data named `failed` did not hold; `reason` says why. Write the new text of exactly {where}"
        " of the file, or null. One line of JSON.",
    ]
    size = max(tokens("\n".join(anchor.text)), tokens(failed))
    return make_prompt(CallKind.REPAIR, REPAIR_SYSTEM, parts, output=min(4_000, 200 + 2 * size), effort=effort)


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
            lines.append(f"From {visible(name)}:\n{visible_lines(cut(text.strip(), GUIDELINES_CAP))}")
    wishes = ""
    if lines:
        head = "The maintainers of this repository ask reviewers for this, within the rules and the format above:"
        wishes = "\n".join((head, *lines)) + "\n\n"
    return f"{wishes}Write `title` and `body` in this language: {visible(config.review.language)}."


def _add_report(data: Data, finding: Finding) -> None:
    told = (f"{finding.severity} {finding.category}: {finding.title}", finding.body)
    data.add("report", visible_lines("\n".join(told)))
    if finding.suggestion is not None:
        data.add("suggestion", visible_lines(cut(finding.suggestion, FAILED_CAP)))


def _add_code(data: Data, change: Change, finding: Finding, file_text: str | None) -> None:
    """The file goes first: all checks of one file then begin alike, and its text is paid for once where prompts are cached."""
    anchor = finding.anchor
    if file_text is not None:
        # Removed lines are not in the file; the place where they were is near the hunk's start.
        near = anchor.line if anchor.side is Side.RIGHT else change.patch.hunk(anchor.hunk).new_start
        data.add("file", window(file_text, near=near))
    side = "old file" if anchor.side is Side.LEFT else "file"
    data.add("hunk", _around(change.patch.hunk(anchor.hunk), finding))
    stood = (numbered(number, line) for number, line in enumerate(anchor.text, start=anchor.start_line))
    data.add("lines", "\n".join((f"{visible(anchor.path)}, {side}", *stood)))


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
