"""Which open findings have a patch that holds on the head as it is now, and why the others have none.

It reads and decides; it asks no model and writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bot.commands import fix_words
from bot.commands.call import Call
from bot.commands.commits import forbidden, new_secret
from bot.commands.fix_plan import FindingPatch, LeftOut, as_patch, unite
from bot.commands.fix_target import Refused, head_text
from bot.commands.mended import Mends
from bot.diff.edit import Proven, prove
from bot.diff.model import Side
from bot.review.memory import KnownFinding
from bot.review.ports import Opened
from bot.review.render.redact import Redactor
from bot.review.whereabouts import Fate, Placed, place_known


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """The open findings, sorted."""

    patches: tuple[FindingPatch, ...]
    texts: Mapping[str, str]
    """The head's files that have patches."""
    left: tuple[LeftOut, ...]
    without: tuple[KnownFinding, ...]


def gather(call: Call, opened: Opened, redactor: Redactor) -> Gathered:
    """The findings that nobody has dismissed or settled, with those of their patches that hold on this head."""
    open_now = [
        known
        for known in call.recall.findings
        if not known.closed and known.dismissal is None and not known.thread.is_resolved
    ]
    with_patch = [known for known in open_now if known.note.suggestion is not None]
    paths = {known.note.path for known in with_patch}
    opened.files.prefetch(sorted(paths))
    patches: list[FindingPatch] = []
    left: list[LeftOut] = []
    texts: dict[str, str] = {}
    # Lines that say the same are shared out among all findings of a file, so all of them are placed.
    beside = [known for known in call.recall.findings if known.note.path in paths]
    wanted = {known.thread.id for known in with_patch}
    mends = Mends(call=call)
    for placed in place_known(beside, opened.change.patch, opened.files.text):
        if placed.known.thread.id not in wanted:
            continue
        made = _patch(call, opened, redactor, placed, texts, mends)
        if isinstance(made, FindingPatch):
            patches.append(made)
        else:
            left.append(LeftOut(known=placed.known, reason=made))
    return Gathered(
        patches=tuple(unite(patches)),
        texts=texts,
        left=tuple(left),
        without=tuple(known for known in open_now if known.note.suggestion is None),
    )


def _patch(
    call: Call, opened: Opened, redactor: Redactor, placed: Placed, texts: dict[str, str], mends: Mends
) -> FindingPatch | str:
    """The finding's patch on this head, or why it has none."""
    suggestion = placed.known.note.suggestion
    assert suggestion is not None
    if placed.finding is None:
        if placed.fate is Fate.OUTSIDE:
            return "its lines are not in the diff any more"
        mended = mends.of(placed.known)
        if mended is not None:
            return fix_words.mended_why(mended.commit.sha, meant=mended.meant)
        return "the code that it was about has changed since"
    anchor = placed.finding.anchor
    if forbidden(anchor.path):
        return "I never commit to files under `.github/`"
    if anchor.side is not Side.RIGHT:
        return "it is about removed lines"
    if anchor.path not in texts:
        text = head_text(call, opened, anchor.path)
        if isinstance(text, Refused):
            return text.reason
        texts[anchor.path] = text
    proven = prove(texts[anchor.path], anchor, suggestion)
    if not isinstance(proven, Proven):
        return f"its patch does not hold on this head: {proven.reason}"
    made = as_patch(placed.known, anchor, texts[anchor.path], proven.suggestion)
    if made is None:
        return "its patch changes nothing on this head"
    if new_secret(redactor, texts[anchor.path], [line for span in made.spans for line in span.lines]):
        return "its patch would write a secret into the file"
    return made
