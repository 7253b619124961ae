"""The page of a run: a review as the markdown of a step's summary, for who opens the run instead of the pull request.

Where nothing may be written on the pull request this page is where the findings are, so it has them whole: text, code, suggested
change. Made of the same pieces as the review's own summary and the markdown report, and as harmless. Refuses to be larger than
GitHub takes: the least severe findings lose their details first, then their lines, and the page says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from bot.action.files import SUMMARY_LIMIT
from bot.review.model import Finding, FindingStatus, Misplaced, Review
from bot.review.render import words
from bot.review.render.check import line_url
from bot.review.render.comments import LEVELS, summary_parts
from bot.review.render.markdown import details
from bot.review.render.safe import Redactor, code, one_line

LIMIT: Final = SUMMARY_LIMIT - 65_536
"""Bytes of UTF-8; the rest is for what else the step writes."""
_OPEN: Final = 5
"""So many findings are unfolded where the page is the only place that has them."""
_WHOLE: Final = (8_000, 1_000)
"""Tried before `LEVELS`: characters of the text of a finding without a line, and items of a list."""


def summary(
    review: Review,
    redactor: Redactor | None = None,
    *,
    untold: str = "",
    unannotated: Sequence[Finding | Misplaced] = (),
    seconds_total: float | None = None,
    limit: int = LIMIT,
) -> str:
    """The page, in at most `limit` bytes of UTF-8: the verdict with its reason in the first line, seconds and cost in the last.

    `untold`: why nothing was posted on the pull request, in a sentence; empty where that was done or not wanted. `unannotated`:
    findings for which the run had no annotation left. `seconds_total`: of the whole run, which is more than the review.
    """
    redactor = redactor or Redactor(review.change.patch)
    findings = words.shown(review)
    titles = [_title(at, review, one, redactor) for at, one in enumerate(findings, start=1)]
    top: list[str] = []
    end: list[str] = []
    for text, items in (_WHOLE, *LEVELS):
        told, _, *rest = summary_parts(_with_all_inside(review), redactor, text=text, items=items)
        notices = 1 + len(review.notices[:items])  # What is still open, and each notice, come before the rest.
        top = [
            f"## Spark · {one_line(redactor.redact(words.verdict(review)), 500)}",
            f"{told}{_of(review, redactor)}",
            f"> {one_line(redactor.redact(untold), 500)}" if untold else "",
            _beyond(unannotated),
            *rest[:notices],
        ]
        run = f" · whole run {words.seconds(seconds_total)}" if seconds_total is not None else ""
        end = ["### What was reviewed", *rest[notices:], f"<sub>{words.measures(review)}{run}</sub>"]
        if _size([*top, *end]) <= limit // 2:
            break
    heading = "### Findings" if findings else ""
    room = limit - _size([*top, *end, heading, _short(len(findings)), _more(findings)])
    listed = _listed(review, findings, titles, redactor, room=room, unfold=0 if review.review_url else _OPEN)
    return _joined([*top, heading, *listed, *end]) + "\n"


def _with_all_inside(review: Review) -> Review:
    """The limit of line comments is none of this page: what is over it is listed with the others, and not once more."""
    return replace(
        review,
        findings=tuple(
            replace(one, status=FindingStatus.POSTED) if one.status is FindingStatus.OVER_LIMIT else one
            for one in review.findings
        ),
    )


def _of(review: Review, redactor: Redactor) -> str:
    """Which change it was, with links."""
    pull = review.change.pull
    title = one_line(redactor.redact(review.change.title), 200)
    parts = [f"[{pull.repo}#{pull.number}]({pull.url}){f' {title}' if title else ''}"] if pull is not None else [title]
    parts += [code(review.change.head[:12])] if review.change.head else []
    parts += [f"[the review on the pull request]({review.review_url})"] if review.review_url else []
    return "".join(f" · {part}" for part in parts if part)


def _title(at: int, review: Review, finding: Finding, redactor: Redactor) -> str:
    pull = review.change.pull
    where = code(redactor.redact(words.place(finding.anchor)))
    linked = f"[{where}]({line_url(pull, finding.anchor)})" if pull is not None else where
    return f"**{at}. {words.label(finding)}** · {linked} · {one_line(redactor.redact(finding.title)) or '(no title)'}"


def _listed(
    review: Review, findings: Sequence[Finding], titles: Sequence[str], redactor: Redactor, *, room: int, unfold: int
) -> list[str]:
    """Each finding with its details as long as there is room for the titles of all that follow, then titles, then a count."""
    out: list[str] = []
    spare = room - _size(titles)
    if spare < 0:
        for title in titles:
            room -= _size([title])
            if room < 0:
                break
            out.append(title)
        return [*out, _more(findings[len(out) :])]
    short = 0
    for at, (finding, title) in enumerate(zip(findings, titles, strict=True)):
        fold = _fold(finding, review, redactor, is_open=at < unfold)
        spare -= _size([fold])
        if spare < 0:
            short = len(findings) - at
            out += titles[at:]
            break
        out += [title, fold]
    return [*out, _short(short)] if short else out


def _fold(finding: Finding, review: Review, redactor: Redactor, *, is_open: bool) -> str:
    proven = finding.suggestion is not None and finding.proven
    what = "Why, the code, and a proven change" if proven else "Why, and the code"
    inside = details(finding, review.change.patch, redactor)
    return _joined([f"<details{' open' if is_open else ''}><summary>{what}</summary>", *inside, "</details>"])


def _beyond(unannotated: Sequence[Finding | Misplaced]) -> str:
    if not unannotated:
        return ""
    have = "has" if len(unannotated) == 1 else "have"
    told = f"{words.count(len(unannotated), 'finding')} ({words.by_severity(unannotated)})"
    return f"GitHub shows ten annotations of a level beside the code: {told} {have} none there."


def _short(number: int) -> str:
    return f"Of {words.count(number, 'finding')} only the title fits: GitHub takes no larger summary of a step."


def _more(findings: Sequence[Finding]) -> str:
    return f"… and {len(findings):,} more that did not fit here ({words.by_severity(findings)})."


def _size(parts: Sequence[str]) -> int:
    return sum(len(part.encode()) + 2 for part in parts)


def _joined(parts: Sequence[str]) -> str:
    return "\n\n".join(part for part in parts if part)
