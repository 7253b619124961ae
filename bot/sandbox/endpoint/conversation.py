"""The rule-based reviewer's words: questions answered, replies heard. It knows what it was shown, and little else.

A reply is argued with by looking: it is right when it names a guard that the shown code really has. What it claims, orders
or says of itself counts for nothing.
"""

from __future__ import annotations

import json
import re

from bot.sandbox.endpoint.second_look import reported
from bot.sandbox.endpoint.shown import numbered, plain, read_data, read_shown
from bot.sandbox.endpoint.smells import SMELLS

_QUESTION = re.compile(
    r"\?|^\W*(?:(?:why|how|what|where|when|which|who|explain)\b|(?:can|could|would|should|is|are|does|do) (?:you|it|this|that|we|i)\b)",
    re.IGNORECASE,
)
_DISPUTE = re.compile(
    r"\b(?:intended|intentional|intentionally|on purpose|by design|deliberate(?:ly)?|false positive|false alarm|wrong|disagree"
    r"|not an? (?:bug|issue|problem|defect)|can(?:no|')?t (?:happen|be)|never (?:be )?(?:empty|none|null)|because|guard(?:s|ed)?"
    r"|already (?:checked|handled|tested)|ignore (?:all |the )?(?:previous|above))\b",
    re.IGNORECASE,
)
_NAMED = re.compile(
    r"`([A-Za-z_][\w.]*)(?:\(\))?`|\b([A-Za-z_]\w*)\(\)|\b((?:guard|check|ensure|require|validate)\w*_\w+)\b"
)
_GUARD = re.compile(r"^\s*(?:(?:async\s+)?def|class|func|function|if|elif|assert|raise|while)\b")


def answer(prompt: str) -> str:
    """A few sentences that name the file and the lines shown."""
    data = read_data(prompt)
    asked = " ".join(plain(data.get("question", "")).split())
    where, code = _where(data)
    smell = reported(data)
    about = f"You asked: {asked[:200]}\n\n" if asked else ""
    if smell is not None:
        return f"{about}At `{where}` the report stands: {smell.body}{_quoted(code)}\n"
    shown = read_shown(data.get("change", ""))
    counts = {path: [0, 0] for path in dict.fromkeys(line.path for line in shown)}
    for line in shown:
        counts[line.path][0] += line.mark == "+"
        counts[line.path][1] += line.mark == "-"
    if code:
        return f"{about}This is `{where}`, {len(code)} line{'s' * (len(code) > 1)} of code.{_quoted(code)}\n"
    if not counts:
        return f"{about}No code is shown that this could be answered from.\n"
    files = "\n".join(
        f"- `{path}`: {added} lines added, {removed} removed" for path, (added, removed) in counts.items()
    )
    return f"{about}The change touches {len(counts)} file{'s' * (len(counts) > 1)}:\n\n{files}\n"


def reply(prompt: str) -> str:
    """Whether a reply asks for anything, the answer, and whether the report was wrong."""
    data = read_data(prompt)
    said = plain(data.get("reply", ""))
    where, _ = _where(data)
    disputes = bool(_DISPUTE.search(said))
    if not disputes and not _QUESTION.search(said):
        return _spoken(asks=False, text="", concede=False)
    guard = _guard(said, data) if disputes else None
    if guard is not None:
        number, code = guard
        text = f"You are right, the report was wrong: line {number} of the file has `{code.strip()}`."
        return _spoken(asks=True, text=text, concede=True)
    smell = reported(data) or next((each for each in SMELLS if each.title in data.get("conversation", "")), None)
    body = smell.body if smell is not None else "nothing in the code that is shown speaks against it."
    lead = "The report stands" if disputes else "About"
    return _spoken(asks=True, text=f"{lead} at `{where}`: {body}", concede=False)


def _spoken(*, asks: bool, text: str, concede: bool) -> str:
    return json.dumps({"asks": asks, "answer": text, "concede": concede}, ensure_ascii=False) + "\n"


def _where(data: dict[str, str]) -> tuple[str, dict[int, str]]:
    """`path:12-14` and the lines of the place; else the first file of the change."""
    head, _, rest = data.get("lines", "").partition("\n")
    lines = numbered(rest)
    path = head.rpartition(", ")[0]
    if path and lines:
        first, last = min(lines), max(lines)
        return f"{path}:{first}" + (f"-{last}" if last > first else ""), lines
    shown = read_shown(data.get("change", ""))
    return (path or (shown[0].path if shown else "the change")), {}


def _guard(said: str, data: dict[str, str]) -> tuple[int, str] | None:
    """The line, outside of the reported ones, that defines or tests something that the reply names."""
    _, place = _where(data)
    names = {name for found in _NAMED.findall(said) for name in found if len(name) > 2}
    for number, code in numbered(data.get("file", "")).items():
        has_it = number not in place and _GUARD.match(code)
        if has_it and any(re.search(rf"\b{re.escape(name)}\b", code) for name in names):
            return number, code
    return None


def _quoted(code: dict[int, str]) -> str:
    text = "\n".join(list(code.values())[:6])
    return f"\n\n```\n{text}\n```" if text.strip() else ""
