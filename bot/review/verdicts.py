"""One verdict for one head, base and configuration, however often it is asked for: kept in the review's mark and read again.

A model may answer differently each time, and a gate that can be thrown like dice is none. So a run that has the same before it
as an earlier one gives that one's verdict and asks nobody, unless somebody asked for a new look or a person has changed since
what decided it: dismissed a finding, or opened one again. What fell short (quota, time, a hole) is kept by nobody: it is tried
again. Pure.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Final

from bot.review.config import RepoConfig
from bot.review.gate import counts, stands
from bot.review.memory import Deciding, FindingNote, KnownFinding, Recall, StoredVerdict
from bot.review.model import Change, Earlier, Effort, Finding, FindingStatus, Fingerprint, Review, Severity, Verdict
from bot.review.render.verdict_mark import read_verdict_markers

MOST_DECIDING: Final = 60
"""A verdict that hangs on more findings, or has more of them in its text alone, is not kept: each is at most 600 characters."""
CARRIED: Final = 5
"""So many verdicts on other heads stay in a review whose text is replaced."""
CARRIED_ROOM: Final = 6_000
"""Characters of their marks together: the memory of a round may take half of what GitHub lets a body have."""


def key_of(
    change: Change,
    config: RepoConfig,
    *,
    rules: str,
    level: Severity | None,
    require_coverage: bool,
    effort: Effort,
    evidence: str = "",
) -> str:
    """Of everything that a verdict hangs on but the model's answers. 20 hex digits.

    `rules`: what the review goes by (`rounds.rules_of`). `level`: the gate's. `effort`: the usual one, for who asks for another
    asks anew. `evidence`: what was handed in beside the change (`Options.evidence`).
    """
    parts: list[object] = [
        change.head,
        change.base,
        config.model_dump_json(),
        rules,
        None if level is None else level.value,
        require_coverage,
        effort.value,
    ]
    if evidence:
        parts.append(evidence)
    # Escapes to ASCII, so that a text which was not UTF-8 can be hashed, too.
    return hashlib.sha256(json.dumps(parts).encode("ascii")).hexdigest()[:20]


def to_keep(
    key: str,
    verdict: Verdict,
    reason: str,
    *,
    findings: Sequence[Finding],
    still: Iterable[FindingNote],
    recall: Recall,
    level: Severity | None,
    min_votes: int,
    homeless: Collection[str] = (),
) -> StoredVerdict | None:
    """The verdict as later runs are to have it; None for one that is not to be kept.

    `homeless`: fingerprints of known findings that the review's text tells, for GitHub refused them a thread.
    """
    deciding: dict[Fingerprint, bool] = {}
    if level is not None:
        # A finding that is known by other words goes by the name of its thread, whose people decide about it.
        threads = {known.thread.url: known.note.fingerprint for known in recall.findings}
        for finding in findings:
            if counts(finding, level, min_votes):
                deciding.setdefault(threads.get(finding.thread, finding.fingerprint), stands(finding))
        for note in still:
            if counts(note, level, min_votes):
                deciding.setdefault(note.fingerprint, True)
    # A failure without a finding is one of coverage, which the next run may mend.
    is_kept = verdict is Verdict.PASS or (verdict is Verdict.FAIL and any(deciding.values()))
    over = [one for one in findings if one.status is FindingStatus.OVER_LIMIT or one.fingerprint in homeless]
    if not is_kept or len(deciding) + len(over) > MOST_DECIDING:
        return None
    return StoredVerdict(
        key=key,
        passed=verdict is Verdict.PASS,
        reason=reason,
        deciding=tuple(Deciding(fingerprint=name, stood=stood) for name, stood in deciding.items()),
        over_limit=tuple(
            Earlier(
                path=one.path,
                severity=one.severity,
                category=one.category,
                title=one.title,
                url="",
                is_certain=True,
            )
            for one in over
        ),
    )


def repeated(recall: Recall, key: str) -> StoredVerdict | None:
    """The verdict that was given on this very thing, where all that decided it stands as it stood; else None."""
    stored = recall.verdicts.get(key)
    if stored is None:
        return None
    threads: dict[Fingerprint, KnownFinding] = {}
    for known in recall.findings:
        for name in (known.note.fingerprint, *known.aliases):
            threads.setdefault(name, known)
    return stored if all(_stands_as_it_stood(one, threads.get(one.fingerprint)) for one in stored.deciding) else None


def is_newest(recall: Recall, key: str) -> bool:
    """Whether it is what our newest review says, so that there is nothing left to say."""
    newest = [] if recall.last is None else read_verdict_markers(recall.last.body)
    return bool(newest) and newest[0].key == key


def _stands_as_it_stood(one: Deciding, known: KnownFinding | None) -> bool:
    if known is None:
        # What no thread carries nobody can have dismissed since.
        return True
    return one.stood == (not known.closed and (known.dismissal is None or not known.dismissal.excuses))


def given_before(review: Review, stored: StoredVerdict) -> Review:
    """The review of a run that asked nobody, with the verdict that an earlier one gave."""
    where = f" of [that review]({stored.url})" if stored.url else ""
    told = f"The verdict{where} stands: the head, the base and the configuration are the same. `/spark review` has it looked at anew."
    verdict = Verdict.PASS if stored.passed else Verdict.FAIL
    return replace(
        review,
        verdict=verdict,
        reason=stored.reason,
        review_url=stored.url or None,
        earlier=(*review.earlier, *stored.over_limit),
        notices=(*review.notices, told),
    )
