"""Sentences about a review that all outputs share, as plain text: the same fact has the same words everywhere.

Nothing here is escaped for a format; names of files are as the patch has them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from bot.diff.model import Anchor, HunkKey, Patch, Side
from bot.review.config import CONFIG_PATH
from bot.review.model import Change, Earlier, Finding, FindingStatus, Misplaced, Review, Severity, Timing, Usage
from bot.review.scope import Coverage, Plan, Since, Skip

_FATES = {
    FindingStatus.KNOWN: "already known from an earlier review",
    FindingStatus.DISMISSED: "dismissed earlier",  # By people; for what a rule dismisses see `_by_rules`.
    FindingStatus.BELOW_THRESHOLD: "below the severity that is shown",
    FindingStatus.HELD_BACK: "held back: low, and on code that was reviewed before",
}

_WAYS = {
    "resolved by hand": ", who resolved the thread",
    "thumbs down": " with 👎",
    "talked over": " in a reply",
}
"""What is said of a way to dismiss (`memory.Dismissal.how`); that of a command is its reason."""
_PULL = re.compile(r"/pull/(\d{1,10})(?:[#?/]|$)")
NAMED = 5
"""So many dismissed findings are named."""
_REASONS = 4
"""So many reasons of rules are told; a file may have two hundred."""


def count(number: int, what: str, many: str = "") -> str:
    """`1 file`, `2 files`, `12,345 tokens`."""
    return f"{number:,} {what if number == 1 else many or what + 's'}"


def opening(change: Change, plan: Plan, model: str | None) -> str:
    """`A title: 3 files, +40 -2, 5 hunks, 2 calls to codex`: what is about to be reviewed."""
    patch = change.patch
    size = f"{count(len(patch.files), 'file')}, +{patch.added:,} -{patch.removed:,}"
    by = f"{count(len(plan.chunks), 'call')} to {model}" if model else "no model"
    title = f"{change.title}: " if change.title else ""
    return f"{title}{size}, {count(len(plan.hunks), 'hunk')}, {by}"


def label(finding: Finding | Misplaced | Earlier) -> str:
    """`High · bug`."""
    return f"{finding.severity.value.capitalize()} · {finding.category.value}"


def lines(anchor: Anchor) -> str:
    """`42`, `40-44`, `17 (removed)`."""
    span = str(anchor.line) if anchor.start_line == anchor.line else f"{anchor.start_line}-{anchor.line}"
    return span if anchor.side is Side.RIGHT else f"{span} (removed)"


def place(anchor: Anchor) -> str:
    """`src/a.py:42`, in the form that editors and people read."""
    return f"{anchor.path}:{lines(anchor)}"


def hunk_place(patch: Patch, key: HunkKey) -> str:
    """`src/a.py, lines 10-24` for a hunk; after the change where it has lines there, else before."""
    file = patch.file(key.file)
    hunk = file.hunks[key.hunk]
    start, length = (hunk.new_start, hunk.new_count) if hunk.new_count else (hunk.old_start, hunk.old_count)
    return f"{file.path}, lines {start}-{start + max(0, length - 1)}"


def by_severity(findings: Iterable[Finding | Misplaced]) -> str:
    """`1 critical, 2 high`, most severe first; empty for none."""
    counts = Counter(finding.severity for finding in findings)
    ordered = sorted(counts, key=lambda severity: -severity.rank)
    return ", ".join(f"{counts[severity]} {severity.value}" for severity in ordered)


def severity_counts(findings: Iterable[Finding | Misplaced]) -> Mapping[Severity, int]:
    """How many of each severity, every severity named, most severe first."""
    counts = Counter(finding.severity for finding in findings)
    return {severity: counts[severity] for severity in sorted(Severity, key=lambda severity: -severity.rank)}


def headline(review: Review) -> str:
    """`3 findings: 1 critical, 2 high`, or that there are none and what that rests on."""
    told: list[Finding | Misplaced] = [*shown(review), *review.misplaced]
    still = still_open(review)
    if still and told:
        return f"{count(len(told), 'new finding')}: {by_severity(told)}, {len(still)} still open: {by_severity(still)}"
    if still:
        return f"No new findings, {len(still)} still open: {by_severity(still)}"
    if told:
        return f"{count(len(told), 'finding')}: {by_severity(told)}"
    if review.model is None and not review.findings:
        return "No findings from the analyzers"
    return "No findings" if not review.findings else "No new findings"


def still_open(review: Review) -> list[Finding]:
    """Findings of earlier rounds that stand, most severe first."""
    known = [one for one in review.findings if one.status is FindingStatus.KNOWN and one.lasting is None]
    return sorted(known, key=lambda one: -one.severity.rank)


def shown(review: Review) -> list[Finding]:
    """Findings that a reader is told of one by one."""
    return [
        finding for finding in review.findings if finding.status in {FindingStatus.POSTED, FindingStatus.OVER_LIMIT}
    ]


def verdict(review: Review) -> str:
    """`Fail: a high finding`."""
    return (
        f"{review.verdict.value.capitalize()}: {review.reason}" if review.reason else review.verdict.value.capitalize()
    )


def coverage(review: Review) -> str:
    """What was looked at, in one sentence that is also true when nothing was."""
    book = review.coverage
    gaps = sum(skip.is_gap for skip in book.skipped)
    chosen = len(book.skipped) - gaps
    skipped = f"; {count(chosen, 'file')} skipped" if chosen else ""
    skipped += f"; {count(gaps, 'file')} not reviewed in full" if gaps else ""
    if not book.hunks:
        what = "Nothing could be reviewed" if gaps else "Nothing was left to review"
        return f"{what}{skipped}." if book.skipped else "The change has no lines to review."
    if review.model is None and not book.reviewed:
        files = len({hole.hunk.file for hole in book.holes})
        return f"No model looked at the {count(book.hunks, 'hunk')} in {count(files, 'file')}{skipped}."
    since = review.since
    if since is not None and since.head:
        return f"{_since(since, book)}{skipped}."
    again = f" (round {since.round}, everything again: {since.why_all})" if since and since.round > 1 else ""
    return f"{book.reviewed:,} of {count(book.hunks, 'hunk')} reviewed{again}{skipped}."


def _since(since: Since, book: Coverage) -> str:
    """Of a round that looks at what is new."""
    whole = count(book.hunks, "hunk")
    name = f"{since.head[:7]} (round {since.round})"
    new, seen = book.hunks - book.earlier, book.reviewed - book.earlier
    if not new:
        were = "the one hunk was" if book.hunks == 1 else "both hunks were" if book.hunks == 2 else f"all {whole} were"
        return f"Nothing is new since {name}: {were} reviewed before"
    before = (
        f"; the other {'one was' if book.earlier == 1 else f'{book.earlier:,} were'} reviewed before"
        if book.earlier
        else ""
    )
    if seen == new:
        return f"Reviewed what changed since {name}: {new:,} of {whole}{before}"
    return f"Reviewed {seen:,} of the {count(new, 'hunk')} that changed since {name}{before}"


def earlier(review: Review) -> list[tuple[Earlier, str]]:
    """Each finding of an earlier round whose code changed, with what is known of it."""
    return [
        (
            one,
            "its code changed, and it is still there" if one.is_certain else "its code changed; it could not be judged",
        )
        for one in review.earlier
    ]


def who_dismissed(finding: Finding, *, where: str = "") -> str:
    """`by bob: the caller holds the lock`, `by ada in #12, who resolved the thread`; empty where nobody is known.

    `where`: of another pull, as ` in #12`. Who may not write is named as such: their word does not excuse from the gate.
    """
    by = finding.dismissed_by
    if not by:
        return ""
    rights = "" if finding.excused else " (may not write here)"
    why = " ".join(finding.dismissed_why.split()).rstrip(".")
    return f"by {by}{rights}{where}{_WAYS.get(finding.dismissed_how, '')}{f': {why}' if why else ''}"


def dismissed(review: Review) -> list[tuple[Finding, str]]:
    """What people dismissed, most severe first, and by whom; what one thread was dismissed for is one.

    What a rule of the configuration dismisses is not here: that may be hundreds, and `set_aside` counts it by its reason.
    """
    groups: dict[str, list[Finding]] = {}
    for at, one in enumerate(review.findings):
        if one.status is FindingStatus.DISMISSED and one.dismissed_by and one.lasting is None:
            groups.setdefault(one.thread or f"no thread {at}", []).append(one)
    out = []
    for group in groups.values():
        first = max(group, key=lambda one: one.severity.rank)
        likes = f"and {len(group) - 1} like it, " if len(group) > 1 else ""
        out.append((first, f"{likes}{who_dismissed(first, where=_elsewhere(first.thread, review))}"))
    return sorted(out, key=lambda told: -told[0].severity.rank)


def dismissed_lines(review: Review) -> list[str]:
    """The same, a line each with the URL of the thread: at most five, then how many more."""
    told = dismissed(review)
    lines = [f"{one.title} {who}{f' ({one.thread})' if one.thread else ''}" for one, who in told[:NAMED]]
    return [*lines, f"and {len(told) - NAMED} more"] if len(told) > NAMED else lines


def _elsewhere(url: str, review: Review) -> str:
    """` in #12` for a thread of another pull than the one that is reviewed."""
    found, pull = _PULL.search(url), review.change.pull
    return "" if found is None or (pull is not None and int(found[1]) == pull.number) else f" in #{found[1]}"


def holes(review: Review) -> list[tuple[str, str]]:
    """`(place, reason)` for each hunk that was not seen whole; passes that share a reason are one.

    None where no model was asked: `coverage` says that in one sentence.
    """
    if review.model is None:
        return []
    seen: dict[tuple[str, str], list[str]] = {}
    for hole in review.coverage.holes:
        key = (hunk_place(review.change.patch, hole.hunk), hole.reason)
        seen.setdefault(key, []).append(hole.pass_name)
    passes = {hole.pass_name for hole in review.coverage.holes}
    return [
        (where, reason if len(passes) == 1 else f"{reason} ({', '.join(names)})")
        for (where, reason), names in seen.items()
    ]


def skipped(book: Coverage) -> dict[str, list[Skip]]:
    """Skipped files by reason; shortfalls of ours first, then the most frequent reason."""
    groups: dict[str, list[Skip]] = {}
    for skip in book.skipped:
        groups.setdefault(skip.reason.value, []).append(skip)
    return dict(sorted(groups.items(), key=lambda group: (not group[1][0].is_gap, -len(group[1]), group[0])))


def set_aside(review: Review, *, known: bool = True) -> list[str]:
    """One phrase for each kind of finding that is not shown: refuted, merged, known, below, unreadable, on other lines. No
    list, no count of 0. `known`: with those that are still open.
    """
    out = []
    reasons = Counter(dropped.reason for dropped in review.dropped)
    words = {"refuted": "refuted by the check", "duplicate": "merged as duplicates"}
    one = {"duplicate": "merged as a duplicate"}
    out += [
        f"{number} {(words | one if number == 1 else words).get(reason, reason)}"
        for reason, number in reasons.most_common()
    ]
    for status, text in _FATES.items():
        group = [finding for finding in review.findings if finding.status is status and finding.lasting is None]
        if group and (known or status is not FindingStatus.KNOWN):
            out.append(f"{len(group)} {text} ({by_severity(group)})")
    out += _by_rules(review)
    if review.garbled:
        out.append(f"{count(review.garbled, 'line')} of the answers could not be read")
    for tool, number in review.outside.items():
        out.append(f"{count(number, 'result')} of {tool} outside the changed lines")
    return out


def _by_rules(review: Review) -> list[str]:
    """What the rules of the repository's configuration dismiss, a phrase for each reason; the rarest are one."""
    groups: dict[str, list[Finding]] = {}
    for finding in review.findings:
        if finding.lasting is not None:
            groups.setdefault(" ".join(finding.lasting.split()), []).append(finding)
    most = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
    out = []
    for reason, group in most[:_REASONS]:
        because = f": {reason}" if reason else ""
        out.append(f"{len(group)} dismissed by {CONFIG_PATH}{because} ({by_severity(group)})")
    if rest := [finding for _, group in most[_REASONS:] for finding in group]:
        out.append(f"{len(rest)} dismissed by {CONFIG_PATH} for other reasons ({by_severity(rest)})")
    return out


def small_print(finding: Finding) -> list[str]:
    """What stands under a finding: proof, votes, where it comes from, and why something is missing."""
    out = []
    if finding.suggestion is not None and finding.proven:
        out.append("proven: applied and parsed" if finding.parsed else "proven: applied (no grammar for this file)")
    if finding.votes is not None:
        out.append(f"votes {finding.votes.in_favour}/{finding.votes.of}")
    if finding.source != "model":
        out.append(f"{finding.source} {finding.rule}".strip())
    if finding.note:
        out.append(finding.note)
    return out


def seconds(value: float) -> str:
    """`0.25 s`, `3.1 s`, `75 s`: as exact as it is useful."""
    return f"{value:.2f} s" if value < 1 else f"{value:.1f} s" if value < 60 else f"{value:,.0f} s"


def money(usd: float) -> str:
    """`$0.0041`, `$1.20`, `$0`."""
    return "$0" if usd == 0 else f"${usd:.4f}" if usd < 0.1 else f"${usd:,.2f}"


def measures(review: Review) -> str:
    """The last line of every output: seconds, calls, tokens, cost, coverage. What is not known yet is left out."""
    parts = [*_times(review.timing), *_spent(review.usage)]
    return " · ".join([*parts, f"{review.coverage.reviewed}/{review.coverage.hunks} hunks"])


def _times(timing: Timing) -> list[str]:
    known: Sequence[tuple[str, float | None]] = (
        ("diff", timing.diff),
        ("first token", timing.first_token),
        ("first finding", timing.first_finding),
        ("first post", timing.first_post),
        ("done", timing.done),
    )
    return [f"{name} {seconds(value)}" for name, value in known if value is not None]


def _spent(usage: Usage) -> list[str]:
    if not usage.calls:
        return ["no model calls"]
    cached = f" ({usage.cached_tokens:,} cached)" if usage.cached_tokens else ""
    return [
        count(usage.calls, "call"),
        f"{usage.input_tokens:,} tokens in{cached}",
        f"{usage.output_tokens:,} out",
        "cost unknown" if usage.usd is None else money(usage.usd),
    ]
