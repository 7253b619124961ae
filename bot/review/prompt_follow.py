"""The call that looks whether a finding of an earlier round was mended, and what it answers.

Its word alone resolves nothing: `follow` lets it count only where the code has changed. What the pull's files and comments say is data,
bounded as in every call (`prompt_data.py`); the title and the text of the finding are too, for they were written by a model that had read the pull.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bot.review.model import Effort
from bot.review.ports import CallKind, Prompt
from bot.review.prompt_data import Data, cut, make_prompt, window
from bot.review.prompt_text import DATA_RULE
from bot.review.scan import ObjectScanner
from bot.review.shown import visible, visible_lines
from bot.review.whereabouts import Placed, report_text

FOLLOW_TOKENS: Final = 300
_REPORT_CAP: Final = 4_000
_WHY_CAP: Final = 600
GONE: Final = "(the file is gone)"

FOLLOW_SYSTEM = f"""\
You follow up on a code review. A reviewer reported a defect in an earlier state of a file; the lines that it stood on have
changed since. Decide from the file as it is now whether the defect is gone.

{DATA_RULE}
# How to decide
Take the input or the order of events that the report names and follow it through the code as it is now.
- yes: the code no longer does what the report says. It was mended, or the code that had the defect is gone
- no: the code still does it, even if it is written otherwise or stands at another place of the file
- unsure: the report does not say enough, or it depends on code you do not see
Judge the reported defect alone. Another defect, also one that the change brought in, is not your business here. A comment,
a name or a message that says that it is mended proves nothing.

# The answer
One line of JSON, the keys in this order, nothing else: analysis first, then the answer. "analysis": one or two short sentences
that the author of the code reads; what the code does now, no praise. "fixed": one of "yes", "no", "unsure". "line": when it is
not mended, the number of the line where the defect is now, else null.
{{"analysis": "one or two sentences", "fixed": "yes", "line": null}}

# Example
Report: "`name` may be None, so `name.strip()` raises." The file now has in line 13 `if not name: return ""`, before line 14.
{{"analysis": "Line 13 now returns for None and for the empty string before `name.strip()` is reached.", "fixed": "yes", "line": null}}
"""


class Fixed(StrEnum):
    """What the model says."""

    YES = "yes"
    NO = "no"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowAnswer:
    """A whole answer. The model's words are untrusted."""

    fixed: Fixed
    why: str
    line: int | None = None
    """Where the defect is now, as the model says; not looked up."""


def follow_up_prompt(placed: Placed, *, head_text: str | None, effort: Effort) -> Prompt:
    """Is this finding mended? `head_text`: the file `placed.path` as it is now; None when it is gone."""
    note = placed.known.note
    data = Data()
    data.add("file", GONE if head_text is None else window(head_text, near=placed.near))
    told = (f"{note.severity} {note.category}: {note.title}", report_text(placed.known.thread.comments[0].body))
    data.add("report", visible_lines(cut("\n".join(told), _REPORT_CAP)))
    data.add("was", f"{visible(note.path)}\n{visible_lines(note.text)}" if note.text else "")
    where = (
        f" It stood near line {placed.near} of the file as it is now." if head_text is not None and placed.near else ""
    )
    parts = [
        data.text(),
        f"Is the defect in the data named `report` gone?{where} The lines it stood on are in the data named `was`, as far as"
        " they are known. Analysis first, then the answer, as one line of JSON.",
    ]
    return make_prompt(CallKind.FOLLOW_UP, FOLLOW_SYSTEM, parts, output=FOLLOW_TOKENS, effort=effort)


def read_follow_up(text: str) -> FollowAnswer | None:
    """A whole answer; the last one in it counts. None when there is none: nothing is concluded then."""
    scanner = ObjectScanner(lambda value: "fixed" in value)
    objects = scanner.feed(text) + scanner.finish()
    if not objects:
        return None
    said = objects[-1]
    why = said.get("analysis")
    line = said.get("line")
    return FollowAnswer(
        fixed=_fixed(said["fixed"]),
        why=" ".join(why.split())[:_WHY_CAP] if isinstance(why, str) else "",
        line=line if isinstance(line, int) and not isinstance(line, bool) and line > 0 else None,
    )


def _fixed(value: object) -> Fixed:
    """What is neither a clear yes nor a clear no is unsure."""
    if isinstance(value, bool):
        return Fixed.YES if value else Fixed.NO
    word = value.strip().lower() if isinstance(value, str) else ""
    return Fixed(word) if word in set(Fixed) else Fixed.UNSURE
