"""What the stand-in endpoint says to other tools: each in the form that its own prompt asks for.

As with Spark's answers, an answer to a review has `ANSWER_TOKENS` tokens with `FINDINGS` findings, whose title is `FINDING`. What comes behind a review (a score for each suggestion, a
sentence that sums up) is as long as its content: a few dozen tokens.

A prompt that is none of these is refused: a tool that asks for something else than we know would be measured wrongly.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bot.sandbox.endpoint.answers import Answer, EndpointRequest, Script
from bot.sandbox.endpoint.tokens import count
from race.model import ANSWER_TOKENS, FINDINGS

FINDING: Final = "A measured line"
"""The title of each finding, by which it is known again where it is posted."""
_HOLE = "\x00"
_FILE = re.compile(r"^## File:? '([^']+)'", re.MULTILINE)
_ADDED = re.compile(r"^(?:(\d+) +)?\+(.*)$")
_DIFF_HUNK = re.compile(r"^@@ -\d+(?:,\d+)? \+(\d+)(?:,\d+)? @@")
_NUMBERED = re.compile(r"^(\d+): (.*)$")
_KIND = re.compile(r"equivalent to type \$(\w+)")
_JOBS: Final = {
    "PRReview": "review",
    "PRDescription": "description",
    "PRFilesWalkthrough": "description",
    "PRCodeSuggestions": "suggestions",
}
_LISTED = re.compile(r"^suggestion \d+: (\{.*\})$", re.MULTILINE)
_LISTED_FILES = 8
"""Files that a description lists; more would not fit into its tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An added line as a prompt shows it. `number` is 0 where the prompt shows none."""

    path: str
    number: int
    code: str


def rivals(tokens: int = ANSWER_TOKENS) -> Script:
    """The script for PR-Agent (review, describe, improve and the scores behind it) and for gito (review, summary)."""

    def script(request: EndpointRequest) -> Answer:
        return Answer(text=answer(request.system, request.user, tokens=tokens))

    return script


def answer(system: str, user: str, *, tokens: int = ANSWER_TOKENS) -> str:
    """The answer to one prompt. ValueError for a prompt of no known form."""
    if "valid JSON array of issues" in user:
        return _gito_issues(gito_lines(user), tokens)
    if "Summarize the code review in one sentence" in user:
        return "The change adds steps to several parts; the measured lines should be looked at again before it is merged.\n"
    kind = _KIND.search(system)
    match kind and kind[1]:
        case "PRReview":
            return _review(_chosen(pr_agent_lines(user)), tokens)
        case "PRDescription" | "PRDescriptionHeaders" | "PRFilesWalkthrough":
            return _description(str(kind and kind[1]), files_shown(user), tokens)
        case "PRCodeSuggestions":
            return _suggestions(_chosen(pr_agent_lines(user)), tokens)
        case "PRCodeSuggestionsFeedback":
            return _scores(user)
        case _:
            raise ValueError(f"a prompt of no known form; it starts with {(system or user)[:80]!r}")


def job_of(system: str, user: str) -> str:
    """What a prompt that shows files is for: `review`, `description` or `suggestions`; empty for every other one."""
    if "valid JSON array of issues" in user:
        return "review"
    kind = _KIND.search(system)
    return _JOBS.get(kind[1], "") if kind else ""


# -- prompts -----------------------------------------------------------------------------------------------------


def files_shown(text: str) -> list[str]:
    """Paths of the files whose hunks a prompt shows, in order, each once. Both tools' forms are known."""
    found = _FILE.findall(text)
    if not found:
        found = re.findall(r"^\+\+\+ b/(.+)$", text, re.MULTILINE)
    return list(dict.fromkeys(found))


def pr_agent_lines(text: str) -> list[Line]:
    """Added lines of PR-Agent's form: a `## File: 'path'`, and hunks with or without numbers."""
    lines, path, new = [], "", False
    for raw in text.splitlines():
        if (file := _FILE.match(raw)) is not None:
            path, new = file[1], True
        elif raw.startswith(("__new hunk__", "@@")):
            new = True
        elif raw.startswith("__old hunk__"):
            new = False
        elif path and new and (added := _ADDED.match(raw)) is not None and added[2].strip():
            lines.append(Line(path=path, number=int(added[1] or 0), code=added[2]))
    return lines


def gito_lines(text: str) -> list[Line]:
    """Added lines of gito's form: git's diff of one file, or a new file as `path:` and numbered lines."""
    shown = text.partition("----CODEBASE CHANGES TO REVIEW----\n")[2].partition("\n--------\n")[0]
    paths = re.findall(r"^\+\+\+ b/(.+)$", shown, re.MULTILINE)
    if not paths:
        path = shown.partition(":\n")[0].strip()
        numbered = (_NUMBERED.match(raw) for raw in shown.splitlines())
        return [Line(path=path, number=int(m[1]), code=m[2]) for m in numbered if m is not None and m[2].strip()]
    lines, at = [], 0
    for raw in shown.splitlines():
        if (hunk := _DIFF_HUNK.match(raw)) is not None:
            at = int(hunk[1])
        elif at and raw[:1] in {"+", " "}:
            if raw[0] == "+" and raw[1:].strip():
                lines.append(Line(path=paths[0], number=at, code=raw[1:]))
            at += 1
    return lines


def _chosen(lines: Sequence[Line]) -> list[Line]:
    """The first added line of each file, then further ones, until there are enough."""
    first = list({line.path: line for line in reversed(lines)}.values())[::-1]
    rest = [line for line in lines if line not in first]
    return [*first, *rest][:FINDINGS]


# -- answers -----------------------------------------------------------------------------------------------------


def _filled(text: str, tokens: int) -> str:
    """`text` with as many words in its hole as make it `tokens` long."""
    room = tokens - count(text.replace(_HOLE, ""))
    if room < 0:
        raise ValueError(f"an answer of {tokens - room} tokens shall have {tokens}")
    return text.replace(_HOLE, " more" * room)


def _review(lines: Sequence[Line], tokens: int) -> str:
    said = ["```yaml", "review:", "  estimated_effort_to_review_[1-5]: 2", "  relevant_tests: |", "    No"]
    said += ["  key_issues_to_review:"] if lines else ["  key_issues_to_review: []"]
    for at, line in enumerate(lines):
        said += ["    - relevant_file: |", f"        {line.path}", "      issue_header: |", f"        {FINDING}"]
        said += ["      issue_content: |", f"        Measured{_HOLE if at == 0 else ''}."]
        said += [f"      start_line: {line.number}", f"      end_line: {line.number}"]
    said += ["  security_concerns: |", f"    No{'' if lines else _HOLE}", "```", ""]
    return _filled("\n".join(said), tokens)


def _description(kind: str, files: Sequence[str], tokens: int) -> str:
    said = ["```yaml"]
    if kind != "PRFilesWalkthrough":
        said += ["type:", "- Enhancement", "description: |", f"  - Steps that are measured{_HOLE}", "title: |"]
        said += ["  More steps", "changes_diagram: |", "  ```mermaid", "  flowchart LR", '    a["steps"]']
        said += ['    b["more steps"]', '    a -- "adds" --> b', "  ```"]
    if kind != "PRDescriptionHeaders":
        said += ["pr_files:"]
        for at, path in enumerate(files[:_LISTED_FILES]):
            hole = _HOLE if at == 0 and kind == "PRFilesWalkthrough" else ""
            said += ["- filename: |", f"    {path}", "  changes_summary: |", f"    - Adds steps{hole}"]
            said += ["  changes_title: |", "    More steps", "  label: |", "    enhancement"]
    return _filled("\n".join([*said, "```", ""]), tokens)


def _suggestions(lines: Sequence[Line], tokens: int) -> str:
    said = ["```yaml", "code_suggestions:" if lines else "code_suggestions: []"]
    for at, line in enumerate(lines):
        said += ["- relevant_file: |", f"    {line.path}", "  language: |", "    python"]
        said += ["  existing_code: |", f"    {line.code}", "  suggestion_content: |"]
        said += [f"    Measured{_HOLE if at == 0 else ''}.", "  improved_code: |", f"    {line.code}  # measured"]
        said += ["  one_sentence_summary: |", f"    {FINDING}", "  label: |", "    general"]
    return _filled("\n".join([*said, "```", ""]), tokens)


def _scores(user: str) -> str:
    """A score and a place for each suggestion; PR-Agent lists them as Python's `str` shows a dictionary."""
    numbers = {(line.path, line.code.strip()): line.number for line in pr_agent_lines(user)}
    said = ["```yaml", "code_suggestions:"]
    for listed in _LISTED.findall(user):
        suggestion = ast.literal_eval(listed)
        path = suggestion["relevant_file"].strip()
        at = numbers[path, suggestion["existing_code"].strip()]
        said += ["- suggestion_summary: |", f"    {FINDING}", f'  relevant_file: "{path}"']
        said += [f"  relevant_lines_start: {at}", f"  relevant_lines_end: {at}", "  suggestion_score: 7"]
        said += ["  why: |", "    It is a measured line."]
    return "\n".join([*said, "```", ""])


def _gito_issues(lines: Sequence[Line], tokens: int) -> str:
    """Findings, and behind them one that gito leaves out, as it does with all of which its model is not sure.

    That one has the words that make up the length. In the findings they would make gito's one comment longer than GitHub
    takes from 25 files on.
    """
    issues = [_gito_issue(line, FINDING, "Measured.", confidence=1) for line in lines[:FINDINGS]]
    if not issues:
        return "[]\n"
    issues.append(_gito_issue(lines[-1], "Perhaps", f"Not sure{_HOLE}.", confidence=3))
    text = json.dumps(issues, ensure_ascii=False, indent=1)
    return _filled(text.replace(json.dumps(_HOLE)[1:-1], _HOLE) + "\n", tokens)


def _gito_issue(line: Line, title: str, details: str, *, confidence: int) -> dict[str, object]:
    return {
        "title": title,
        "details": details,
        "tags": ["bug"],
        "severity": 2,
        "confidence": confidence,
        "affected_lines": [{"start_line": line.number, "end_line": line.number, "proposal": line.code}],
    }


script = rivals()
"""What the stand-in endpoint runs, by name."""
