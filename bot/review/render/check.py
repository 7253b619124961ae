"""What a check run says: while the review is being written, and when it is over. Markdown for GitHub, made harmless as ever.

The words are those of the summary on the pull request (`comments`), so that nothing is told in two ways.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.diff.model import Anchor, Side, printable
from bot.review.model import Finding, FindingStatus, Pull, Review, Verdict
from bot.review.render import words
from bot.review.render.comments import levels, summary_parts
from bot.review.render.safe import Redactor, clean, code, one_line, shorten

LIMIT = 50_000
"""Characters of a summary; GitHub takes 65,535."""
_TITLE = 200
_LISTED = 60
"""Findings that are named one by one while the review runs; the others are counted."""
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Growing:
    """How far a review is."""

    pull: Pull
    findings: Sequence[Finding]
    chunks_done: int
    chunks: int
    at: float
    """Seconds since it began."""
    tokens_per_second: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckText:
    """What a finished review leaves to say when its check run is closed: markdown, harmless already."""

    headline: str
    details: str


def growing_title(state: Growing) -> str:
    """`Reviewing… 3 findings so far`; plain text."""
    if state.findings:
        return f"Reviewing… {words.count(len(state.findings), 'finding')} so far"
    return f"Reviewing… {state.chunks_done} of {words.count(state.chunks, 'chunk')}"


def growing_summary(state: Growing, redactor: Redactor, *, page: str | None) -> str:
    """Counts, the findings so far with links to their lines, how much has been seen, the speed."""
    counts = words.by_severity(state.findings)
    told = words.count(len(state.findings), "finding")
    rate = f" · {state.tokens_per_second:,.0f} tokens/s" if state.tokens_per_second else ""
    return _joined(
        [
            f"**{told} so far: {counts}**" if counts else "**No findings so far**",
            _listed(state.findings, state.pull, redactor, most=_LISTED),
            f"{state.chunks_done} of {words.count(state.chunks, 'chunk')} reviewed{rate} · {words.seconds(state.at)}",
            _live(page),
        ]
    )


def check_text(review: Review, redactor: Redactor) -> CheckText:
    """The text of a finished review, without what is not known before it is posted."""
    pull = review.change.pull
    posted = [one for one in review.findings if one.status is FindingStatus.POSTED] if pull is not None else []
    headline, details = "", ""
    for text, items in levels(review, LIMIT):
        headline, _, *rest = summary_parts(review, redactor, text=text, items=items)
        listed = _listed(posted, pull, redactor, most=items) if pull is not None else ""
        details = _joined([listed, *rest])
        if len(details) <= LIMIT:
            break
    return CheckText(headline=headline, details=details)


def closing_title(verdict: Verdict, reason: str, redactor: Redactor) -> str:
    """`Pass: all 3 hunks were reviewed, no findings`; plain text."""
    said = f"{verdict.value.capitalize()}: {reason}" if reason else verdict.value.capitalize()
    return plain(said, redactor, limit=_TITLE)


def closing_summary(
    text: CheckText,
    verdict: Verdict,
    reason: str,
    redactor: Redactor,
    *,
    url: str | None,
    page: str | None,
    measures: str,
) -> str:
    """The whole text of a check run that is over; its last line has the measured seconds, the cost and the coverage."""
    said = one_line(redactor.redact(f"{verdict.value.capitalize()}: {reason}"), 500)
    links = [f"[The review on the pull request]({url})"] if url else []
    links += [f"[How it was written]({page})"] if page else []
    return _joined([text.headline, said, " · ".join(links), text.details, f"<sub>{measures}</sub>"])


def told(sentence: str, *, page: str | None = None, reference: str = "") -> str:
    """The text of a check run that has no review to show: one sentence, and what to name when asking about it."""
    small = f"<sub>Reference: {code(reference)}</sub>" if reference else ""
    return _joined([sentence, _live(page), small])


def mistakes(lines: Sequence[str]) -> str:
    """The mistakes of a configuration as a list; each names its line and key."""
    rows = [f"- {code(shorten(clean(line), 300))}" for line in lines[:50]]
    more = [f"- … and {len(lines) - 50} more"] if len(lines) > 50 else []
    return "\n".join([*rows, *more])


def plain(text: str, redactor: Redactor, *, limit: int) -> str:
    """Untrusted text as one line, or several where it has them, for places that show no markdown."""
    return shorten(clean(redactor.redact(text)), limit)


def line_url(pull: Pull, anchor: Anchor) -> str:
    """The anchored lines at the head; for removed lines, which no file at the head has, the pull's files."""
    if anchor.side is Side.LEFT:
        return f"{pull.url}/files"
    lines = f"#L{anchor.start_line}" + (f"-L{anchor.line}" if anchor.line > anchor.start_line else "")
    repository = pull.url.rpartition("/pull/")[0]
    return f"{repository}/blob/{pull.head_sha}/{_escaped(anchor.path)}{lines}"


def _listed(findings: Sequence[Finding], pull: Pull, redactor: Redactor, *, most: int) -> str:
    rows = [
        f"- **{words.label(one)}** · [{code(redactor.redact(words.place(one.anchor)))}]({line_url(pull, one.anchor)})"
        f" · {one_line(redactor.redact(one.title)) or '(no title)'}"
        for one in findings[:most]
    ]
    more = [f"- … and {len(findings) - most} more ({words.by_severity(findings[most:])})"]
    return "\n".join([*rows, *(more if len(findings) > most else [])])


def _escaped(path: str) -> str:
    """The path inside a URL; not by the library for it, which would be the only word of the network in this room."""
    return "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in printable(path).encode())


def _live(page: str | None) -> str:
    return f"[Watch it live]({page})" if page else ""


def _joined(parts: Sequence[str]) -> str:
    return "\n\n".join(part for part in parts if part)
