"""What Spark writes on a pull request: line comments, the summary, and the summary after GitHub refused something.

One function for each situation. Everything that comes from a model, an analyzer or the diff goes through the redactor and
`safe` first. Bodies stay under GitHub's limit by shortening texts, never by leaving out a finding without saying so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

from bot.diff.model import Patch, Side, is_utf8
from bot.review.model import CommitSha, Finding, FindingStatus, Misplaced, Review
from bot.review.recall import note_of
from bot.review.render import words
from bot.review.render.frame import suggestion_diff
from bot.review.render.markers import (
    ReviewMarker,
    finding_marker,
    note_marker,
    read_finding_markers,
    read_review_marker,
    review_marker,
    split_ending,
)
from bot.review.render.safe import Redactor, code, fence, hides, one_line, prose
from bot.review.render.threads import shown_note

__all__ = [
    "ReviewMarker",
    "comment_body",
    "entry",
    "levels",
    "read_finding_markers",
    "read_review_marker",
    "summary_body",
    "summary_parts",
    "with_refused",
]

BODY_LIMIT = 60_000
"""GitHub refuses a body above 65,536 characters; the rest is room for what a later version appends."""
_HARD_LIMIT = 65_000
_LONGEST_SUGGESTION = 20_000
_COMMENT_TEXT = (8_000, 3_000, 1_000)
LEVELS = ((4_000, 400), (1_200, 400), (300, 400), (0, 1_000), (0, 300), (0, 60), (0, 20), (0, 5))
"""Tried in turn until a summary fits: characters of each finding's text, and how many items a list may have."""

_URL = re.compile(r"https?://[A-Za-z0-9._~:/?#=&%+-]{1,500}")
_STILL = 8
"""So many findings that are still open are named."""
_WHO = 240
"""Characters of who dismissed a finding, and why."""
_OPEN = 5
"""A longer list is folded: who reads a pull request sees the headline first."""


def comment_body(finding: Finding, redactor: Redactor, *, patch: Patch | None = None) -> str:
    """A line comment: title, text, the suggestion to commit where there is a proven one, small print, marks.

    One mark names the finding, the other carries it into later rounds. `patch`: where the finding lies, so that those can
    tell equal places apart.
    """
    suggestion, problem = _suggestion(finding, redactor)
    small = [*words.small_print(finding)] if not problem else [*_unproven_print(finding), problem]
    note = shown_note(note_of(finding, patch), redactor, suggestion=bool(suggestion))
    body = ""
    for limit in _COMMENT_TEXT:
        parts = [
            f"**{words.label(finding)} · {_title(finding, redactor)}**",
            prose(redactor.redact(finding.body), limit=limit),
            suggestion,
            _small(redactor, small),
            f"{note_marker(note)}\n{finding_marker(finding.fingerprint)}",
        ]
        body = _joined(parts)
        if len(body) <= BODY_LIMIT:
            break
    return body


def entry(finding: Finding, redactor: Redactor) -> str:
    """A finding as a part of the summary: place, title, text, and its suggestion as a diff that nobody can commit."""
    return _entry(finding, redactor, limit=4_000)


def summary_body(review: Review, *, redactor: Redactor, run: str, marks: Sequence[str] = ()) -> str:
    """The review's body: headline and verdict, findings without a line comment, coverage, measured seconds, marker.

    Times that are not known yet (`first_post`, `done`) are left out. At most 60,000 characters, less a reserve for
    line comments that GitHub may refuse. `marks`: more hidden marks, behind the review's.
    """
    inline = sum(finding.status is FindingStatus.POSTED for finding in review.findings)
    limit = BODY_LIMIT - min(20_000, 300 * inline)
    marker = review_marker(
        ReviewMarker(head=CommitSha(review.change.head), base=CommitSha(review.change.base), run=run)
    )
    body = ""
    for text, items in levels(review, limit):
        parts = summary_parts(review, redactor, text=text, items=items)
        body = _joined([*parts, _footer(review), "\n".join([marker, *marks])])
        if len(body) <= limit:
            break
    return body


def levels(review: Review, room: int) -> Iterator[tuple[int, int]]:
    """`LEVELS`, without those at which the findings' texts alone are longer than `room`: rendering them takes a while."""
    told = [
        *(len(finding.body) for finding in review.findings if finding.status is FindingStatus.OVER_LIMIT),
        *(len(lost.body) for lost in review.misplaced),
    ]
    for text, items in LEVELS:
        if not text or sum(min(size, text) for size in told[:items]) <= room:
            yield text, items


def with_refused(summary: str, entries: Sequence[tuple[str, str]]) -> str:
    """`summary` with the findings whose line comments GitHub refused: `(entry, GitHub's reason)`. Marks stay at the end.

    Entries are shortened to their first line, and at last counted, when the body would become too long.
    """
    if not entries:
        return summary
    text, marks = split_ending(summary)
    top, _, footer = text.rpartition("\n\n")
    if not footer.startswith("<sub>"):
        top, footer = text, ""
    head = f"**GitHub did not take {words.count(len(entries), 'line comment')}; what they say is here instead.**"
    room = _HARD_LIMIT - len(summary) - len(head) - 200
    whole = [f"{text}\n\n<sub>not in line: {one_line(reason, 300)}</sub>" for text, reason in entries]
    short = [
        f"{text.partition(chr(10))[0]} (shortened; not in line: {one_line(reason, 100)})" for text, reason in entries
    ]
    told = whole if _length(whole) <= room else short
    kept = [item for at, item in enumerate(told) if _length(told[: at + 1]) <= room]
    if len(kept) < len(told):
        kept.append(f"… and {len(told) - len(kept)} more that did not fit into this body.")
    elif told is short:
        kept.append(f"{words.count(len(short), 'entry', 'entries')} shortened to fit into this body.")
    return _joined([top, head, *kept, footer, marks])


def _suggestion(finding: Finding, redactor: Redactor) -> tuple[str, str]:
    """The block that GitHub can commit, or empty and why there is none although the finding has one."""
    text = finding.suggestion
    if text is None:
        return "", ""
    text = text.replace("\r\n", "\n").replace("\r", "")
    if finding.side is not Side.RIGHT or not finding.proven:
        return "", "the suggested change is not proven and so not shown"
    if redactor.has_secret(text):
        return "", "the suggested change contains a secret and so is not shown"
    if not is_utf8(text) or (hides(text) and not any(hides(line) for line in finding.anchor.text)):
        return "", "the suggested change contains invisible characters and so is not shown"
    if len(text) > _LONGEST_SUGGESTION:
        return "", f"the suggested change is too long to show ({len(text):,} characters)"
    note = (
        "\n\n<sub>The file has CRLF line ends; GitHub commits this change with LF.</sub>" if _is_crlf(finding) else ""
    )
    return fence(text, "suggestion") + note, ""


def _is_crlf(finding: Finding) -> bool:
    return any(line.endswith("\r") for line in finding.anchor.text)


def _unproven_print(finding: Finding) -> list[str]:
    return [part for part in words.small_print(finding) if not part.startswith("proven")]


def _title(finding: Finding | Misplaced, redactor: Redactor) -> str:
    return one_line(redactor.redact(finding.title)) or "(no title)"


def _small(redactor: Redactor, parts: Sequence[str]) -> str:
    return f"<sub>{' · '.join(_phrase(redactor.redact(part)) for part in parts)}</sub>" if parts else ""


@lru_cache(128)
def _phrase(text: str) -> str:
    """A part of small print. There are few different ones."""
    return one_line(text, 400)


def _entry(finding: Finding, redactor: Redactor, *, limit: int) -> str:
    where = code(redactor.redact(words.place(finding.anchor)))
    head = f"**{words.label(finding)}** · {where} · {_title(finding, redactor)}"
    if not limit:
        return head
    change = ""
    text = finding.suggestion
    if text is not None and len(text) <= limit and not redactor.has_secret(text):
        rows = suggestion_diff(finding.anchor, text, redact=redactor.redact)
        change = fence("\n".join(f"{row.sign}{row.text}" for row in rows), "diff")
    small = _small(redactor, _unproven_print(finding))
    return _joined([head, prose(redactor.redact(finding.body), limit=limit), change, small])


def _misplaced(finding: Misplaced, redactor: Redactor, *, limit: int) -> str:
    where = code(redactor.redact(f"{finding.path} {finding.claimed}".strip()))
    head = f"**{words.label(finding)}** · {where} · {_title(finding, redactor)}"
    if not limit:
        return head
    why = _small(redactor, [f"no line of the diff: {finding.reason}"])
    return _joined([head, prose(redactor.redact(finding.body), limit=limit), why])


def summary_parts(review: Review, redactor: Redactor, *, text: int, items: int) -> list[str]:
    """The summary in paragraphs, without footer and marker: the headline first, then the verdict. Some may be empty.

    `text`: characters of each finding's text; `items`: how many a list names.
    """

    def safe(sentence: str) -> str:
        return one_line(redactor.redact(sentence), 500)

    by = f" by {code(review.model)}" if review.model else ""
    over = [finding for finding in review.findings if finding.status is FindingStatus.OVER_LIMIT]
    aside = words.set_aside(review, known=False)
    lost = review.misplaced
    told: list[Finding | Misplaced] = [*over, *lost]
    shortened = sum(len(finding.body) > text for finding in told)
    return [
        f"**{words.headline(review)}**{by}",
        safe(words.verdict(review)),
        _still_open(review, redactor, items),
        *[f"> {safe(notice)}" for notice in review.notices[:items]],
        f"{safe(words.coverage(review))}{_difference(review, safe)}",
        *_section("Over the limit of line comments", over, [_entry(one, redactor, limit=text) for one in over[:items]]),
        *_section(
            "Findings without a line in this diff",
            lost,
            [_misplaced(one, redactor, limit=text) for one in lost[:items]],
        ),
        *_earlier(review, redactor, items),
        *_holes(review, redactor, items),
        *_skips(review, redactor, items),
        f"Not shown: {'; '.join(safe(phrase) for phrase in aside)}." if aside else "",
        _dismissed(review, redactor, items),
        f"The texts of {words.count(shortened, 'finding')} are shortened to fit." if shortened else "",
    ]


def _still_open(review: Review, redactor: Redactor, items: int) -> str:
    still = words.still_open(review)
    most = min(_STILL, items)
    rows = [f"{_link(_title(one, redactor), one.thread)} ({one.severity.value})" for one in still[:most]]
    more = f", and {len(still) - most} more" if len(still) > most else ""
    return f"Still open: {', '.join(rows)}{more}" if rows else ""


def _dismissed(review: Review, redactor: Redactor, items: int) -> str:
    told = words.dismissed(review)
    most = min(words.NAMED, items)
    rows = [
        f"{_link(_title(one, redactor), one.thread)} {one_line(redactor.redact(who), _WHO)}" for one, who in told[:most]
    ]
    if len(told) > most:
        rows.append(f"and {len(told) - most} more")
    text = "; ".join(rows)
    return f"Dismissed: {text}{'' if text.endswith(('?', '!', '…')) else '.'}" if rows else ""


def _difference(review: Review, safe: Callable[[str], str]) -> str:
    return f" Partly reviewed: {safe(review.coverage.difference)}." if review.coverage.difference else ""


def _section(title: str, group: Sequence[Finding | Misplaced], rendered: Sequence[str]) -> list[str]:
    if not group:
        return []
    rest = group[len(rendered) :]
    more = [f"… and {len(rest)} more that did not fit here ({words.by_severity(rest)})."] if rest else []
    if len(group) <= _OPEN:
        return [f"**{title} ({len(group)})**", *rendered, *more]
    return [f"<details><summary><b>{title} ({len(group)})</b></summary>", *rendered, *more, "</details>"]


def _earlier(review: Review, redactor: Redactor, items: int) -> list[str]:
    told = words.earlier(review)
    if not told:
        return []
    rows = [
        f"- **{words.label(one)}** · {code(redactor.redact(one.path))} ·"
        f" {_link(one_line(redactor.redact(one.title), 200) or '(no title)', one.url)}: {what}"
        for one, what in told[:items]
    ]
    more = [f"- … and {len(told) - items} more"] if len(told) > items else []
    return ["\n".join([f"**Findings of earlier rounds without a line in this diff ({len(told)})**", "", *rows, *more])]


def _link(text: str, url: str) -> str:
    """`text` is harmless already. A URL that is none of GitHub's kind is not made one."""
    return f"[{text}]({url})" if _URL.fullmatch(url) else text


def _holes(review: Review, redactor: Redactor, items: int) -> list[str]:
    holes = words.holes(review)
    if not holes:
        return []
    shown = [f"- {code(redactor.redact(where))}: {one_line(redactor.redact(why))}" for where, why in holes[:items]]
    more = [f"- … and {len(holes) - items} more"] if len(holes) > items else []
    title = f"{words.count(len(holes), 'part')} of the change not reviewed"
    return (
        ["\n".join([f"**{title}**", "", *shown, *more])] if len(holes) <= _OPEN else [_folded(title, [*shown, *more])]
    )


def _skips(review: Review, redactor: Redactor, items: int) -> list[str]:
    groups = words.skipped(review.coverage)
    if not groups:
        return []
    rows = []
    for reason, group in groups.items():
        paths = [
            code(redactor.redact(skip.path)) + (f" ({one_line(redactor.redact(skip.detail))})" if skip.detail else "")
            for skip in group[:items]
        ]
        more = f" … and {len(group) - items} more" if len(group) > items else ""
        rows.append(f"- {reason} ({len(group)}): {', '.join(paths)}{more}")
    return [_folded(f"{words.count(len(review.coverage.skipped), 'file')} skipped", rows)]


def _folded(title: str, rows: Sequence[str]) -> str:
    return "\n".join([f"<details><summary>{title}</summary>", "", *rows, "", "</details>"])


def _footer(review: Review) -> str:
    return f"<sub>{words.measures(review)}</sub>"


def _joined(parts: Sequence[str]) -> str:
    return "\n\n".join(part for part in parts if part)


def _length(parts: Sequence[str]) -> int:
    return sum(len(part) + 2 for part in parts)
