"""A review as one markdown file: everything, with code frames; for a file, a chat or a step summary.

Not what is posted on a pull request (see `comments`): there is no limit of length here and nothing can be committed from
it. Untrusted text is made harmless all the same, for it may be pasted anywhere.
"""

from __future__ import annotations

from bot.diff.model import Anchor, LineKind, Patch
from bot.review.model import Finding, Misplaced, Review
from bot.review.render import words
from bot.review.render.frame import frame, suggestion_diff
from bot.review.render.safe import Redactor, code, fence, one_line, prose


def review_markdown(review: Review, redactor: Redactor | None = None) -> str:
    """The whole review. `redactor` spares the work of making one; it must be of the same patch."""
    redactor = redactor or Redactor(review.change.patch)
    return "\n\n".join(part for part in _parts(review, redactor) if part) + "\n"


def _parts(review: Review, redactor: Redactor) -> list[str]:
    def safe(text: str) -> str:
        return one_line(redactor.redact(text), 1_000)

    change = review.change
    by = (
        f"Reviewed by {code(review.model)}, effort {review.effort.value}."
        if review.model
        else "Reviewed without a model."
    )
    parts = [
        f"# Spark: {words.headline(review)}",
        safe(change.title) and f"**{safe(change.title)}**",
        f"**{safe(words.verdict(review))}**",
        f"{by} {code(change.base[:12] or 'index')} to {code(change.head[:12] or 'index')}.",
        "\n".join(f"> {safe(notice)}" for notice in review.notices),
    ]
    findings = words.shown(review)
    parts += ["## Findings"] if findings else []
    for at, finding in enumerate(findings, start=1):
        parts += _finding(at, finding, change.patch, redactor)
    parts += ["## Findings without a line in this diff"] if review.misplaced else []
    for lost in review.misplaced:
        parts += _misplaced(lost, redactor)
    earlier = words.earlier(review)
    parts += ["## Findings of earlier rounds without a line in this diff"] if earlier else []
    parts.append(
        "\n".join(
            f"- {words.label(one)}: {code(redactor.redact(one.path))}: {safe(one.title)} ({safe(one.url)}): {what}"
            for one, what in earlier
        )
    )
    parts.append("## Coverage")
    parts.append(safe(words.coverage(review)))
    difference = review.coverage.difference
    parts.append(f"Partly reviewed: {safe(difference)}" if difference else "")
    parts.append(
        "\n".join(f"- not reviewed: {code(redactor.redact(at))}: {safe(why)}" for at, why in words.holes(review))
    )
    parts.append(
        "\n".join(
            f"- skipped, {reason}: "
            + ", ".join(code(skip.path) + (f" ({safe(skip.detail)})" if skip.detail else "") for skip in group)
            for reason, group in words.skipped(review.coverage).items()
        )
    )
    aside = words.set_aside(review)
    parts.append(f"Not shown: {'; '.join(safe(phrase) for phrase in aside)}." if aside else "")
    parts.append("\n".join(f"- dismissed: {safe(line)}" for line in words.dismissed_lines(review)))
    parts.append(words.measures(review))
    return parts


def _finding(at: int, finding: Finding, patch: Patch, redactor: Redactor) -> list[str]:
    title = one_line(redactor.redact(finding.title)) or "(no title)"
    return [
        f"### {at}. {words.label(finding)}: {title}",
        code(redactor.redact(words.place(finding.anchor))),
        *details(finding, patch, redactor),
    ]


def details(finding: Finding, patch: Patch, redactor: Redactor) -> list[str]:
    """What stands under a finding's title, in paragraphs: text, code frame, suggestion as a diff, small print. Some may be empty."""
    small = [one_line(redactor.redact(part), 400) for part in words.small_print(finding)]
    parts = [prose(redactor.redact(finding.body)), _frame(patch, finding.anchor, redactor)]
    if finding.suggestion is not None:
        diff = suggestion_diff(finding.anchor, finding.suggestion, redact=redactor.redact)
        parts += ["Suggestion:", fence("\n".join(line.sign + line.text for line in diff), "diff")]
    return [*parts, f"*{' · '.join(small)}*" if small else ""]


def _misplaced(finding: Misplaced, redactor: Redactor) -> list[str]:
    title = one_line(redactor.redact(finding.title)) or "(no title)"
    return [
        f"### {words.label(finding)}: {title}",
        f"{code(redactor.redact(f'{finding.path} {finding.claimed}'.strip()))}: "
        f"{one_line(redactor.redact(finding.reason), 400)}",
        prose(redactor.redact(finding.body)),
    ]


def _frame(patch: Patch, anchor: Anchor, redactor: Redactor) -> str:
    rows = frame(patch, anchor, redact=redactor.redact)
    width = max(len(str(row.new or row.old or "")) for row in rows)
    out = []
    for row in rows:
        if row.kind is None:
            out.append(f"> {'':>{width}} … {row.text}")
            continue
        number = row.old if row.kind is LineKind.REMOVED else row.new
        out.append(f"{'>' if row.marked else ' '} {number or '':>{width}} {row.kind.value}| {row.text}".rstrip())
    return fence("\n".join(out))
