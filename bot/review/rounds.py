"""Rounds of one pull: what of its change this review looks at, and what the next one must know of it. Pure.

Compares the pull's diff of now with what its diff of then had, line by line, never commits with commits: so a rebase, a
force-push, another base or a merge of main is no round of its own. It refuses to guess: what cannot be remembered is looked
at again, and the reason has a name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from bot.diff.model import Anchor, FilePatch, HunkKey, Patch, Side
from bot.review.config import RepoConfig
from bot.review.memory import Recall
from bot.review.model import Change, Effort, Finding, FindingStatus, Misplaced
from bot.review.render.markers import MOST_SEEN, read_finding_markers
from bot.review.scope import Since, Skip
from bot.review.seen import Numbered

CONVERGES_AT: Final = 3
"""From this round on, new low findings on code that was reviewed before are held back."""

SURE: Final = 30
"""So many comments come with the summary, which carries the memory; a longer review has further posts, and each may fail."""

FIRST: Final = "first review"
NO_MEMORY: Final = "the last review carries no memory"
OTHER_RULES: Final = "the rules of the review changed"
TOO_MANY: Final = "too many lines to remember"
HOMELESS: Final = "a finding of the last review stands in its summary alone"

Fresh = Mapping[HunkKey, frozenset[tuple[Side, int]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One round under way."""

    since: Since
    rules: str
    todo: tuple[FilePatch, ...]
    """The kept files, each with the hunks alone that are to be looked at."""
    earlier: frozenset[HunkKey]
    """Hunks of the kept files that an earlier round has seen as they are now."""
    fresh: Fresh | None
    """Changed lines that no earlier round has seen; None where nobody knows which those are."""
    carried: frozenset[int]
    """Digests of lines that stay seen, whatever becomes of this round."""


def rules_of(effort: Effort, config: RepoConfig, guidelines: Mapping[str, str]) -> str:
    """A hash of what a review goes by: with other rules, what was seen by the old ones counts as not seen. 8 hex digits."""
    review = config.review
    parts: list[object] = [
        effort.value,
        review.language,
        review.instructions,
        review.min_severity.value,
        sorted(config.paths.instructions.items()),
        sorted(guidelines.items()),
    ]
    if config.dismiss:
        # What a rule dismisses is seen and has no thread, so only a look at everything brings it back when the rule goes. Not
        # the reasons, which decide nothing; and nothing at all without rules, so that the hash of most repositories stays.
        parts.append(sorted(rule.model_dump_json(exclude={"reason"}) for rule in config.dismiss))
    # Escapes to ASCII, so that a text which was not UTF-8 can be hashed, too.
    return hashlib.sha256(json.dumps(parts).encode("ascii")).hexdigest()[:8]


def begin_round(
    recall: Recall,
    *,
    change: Change,
    kept: Sequence[FilePatch],
    rules: str | None,
    full: str = "",
    numbered: Numbered | None = None,
) -> Round:
    """What this review looks at: everything, with the reason, or the hunks that have lines no earlier round has seen.

    `rules` None: no model looks at anything, so nothing of what was seen is put aside and the rules stay the last ones.
    `full`: why everything is asked for. `numbered`: the lines of the change, where they may have numbers already.
    """
    last, numbered = recall.last, numbered or Numbered(change.patch)
    seen = None if last is None else last.seen
    fresh = None if seen is None else numbered.fresh_lines(seen)
    why_all = _why_all(recall, rules=rules, full=full)
    carried: frozenset[int] = frozenset()
    if seen is not None and (rules is None or not why_all):
        carried = numbered.still_seen(seen)
    number = 1 if last is None else last.round if last.head == change.head else last.round + 1
    known = "" if last is None else last.rules
    if why_all or last is None or fresh is None:
        todo, earlier = tuple(kept), frozenset[HunkKey]()
    else:
        todo, earlier = _only(kept, fresh)
    return Round(
        since=Since(round=number, head="" if why_all or last is None else last.head, why_all=why_all),
        rules=rules if rules is not None else known or "0",
        todo=todo,
        earlier=earlier,
        fresh=fresh,
        carried=carried,
    )


def _why_all(recall: Recall, *, rules: str | None, full: str) -> str:
    last = recall.last
    if last is None:
        return FIRST
    if full:
        return full
    if not last.rules:
        return NO_MEMORY
    if rules is not None and last.rules != rules:
        return OTHER_RULES
    if last.seen is None:
        return TOO_MANY
    return HOMELESS if has_homeless(recall) else ""


def has_homeless(recall: Recall) -> bool:
    """Whether a finding of the last review has no thread: GitHub refused its line comment after the memory was written, and so
    its lines count as seen.
    """
    threads = {name for known in recall.findings for name in (known.note.fingerprint, *known.aliases)}
    body = "" if recall.last is None else recall.last.body
    return any(name not in threads for name in read_finding_markers(body))


def _only(kept: Sequence[FilePatch], fresh: Fresh) -> tuple[tuple[FilePatch, ...], frozenset[HunkKey]]:
    """The files with their fresh hunks, and the keys of the others."""
    todo = []
    earlier: set[HunkKey] = set()
    for file in kept:
        hunks = tuple(hunk for hunk in file.hunks if hunk.key in fresh)
        earlier |= {hunk.key for hunk in file.hunks if hunk.key not in fresh}
        if hunks:
            todo.append(replace(file, hunks=hunks))
    return tuple(todo), frozenset(earlier)


def nothing_to_do(current: Round, kept: Sequence[FilePatch]) -> Round:
    """The round in which nothing is looked at, for its verdict was given before."""
    return replace(current, todo=(), earlier=frozenset(hunk.key for file in kept for hunk in file.hunks))


def is_old(current: Round | None, anchor: Anchor) -> bool:
    """Whether an earlier round has seen every changed line of the anchor as it is now; False where nobody knows."""
    if current is None or current.fresh is None:
        return False
    fresh = current.fresh.get(anchor.hunk, frozenset())
    return not any(side is anchor.side and anchor.start_line <= line <= anchor.line for side, line in fresh)


def seen_after(
    current: Round,
    patch: Patch,
    *,
    whole: Collection[HunkKey],
    findings: Sequence[Finding],
    misplaced: Sequence[Misplaced],
    skipped: Sequence[Skip],
    homeless: Collection[str] = (),
    numbered: Numbered | None = None,
) -> frozenset[int]:
    """Digests of what the next round need not look at: what every pass saw whole, and what is carried.

    Left out is what would be forgotten with it: hunks with a finding that has no thread (over the limit of comments, one of the
    fingerprints `homeless`, or in a post that may not come to pass), files with a finding that has no place, files that were
    shown in part. `numbered`: the lines of the patch, where they may have numbers already.
    """
    paths = {lost.path for lost in misplaced} | {skip.path for skip in skipped if skip.is_gap}
    hunks = {
        finding.anchor.hunk
        for finding in findings
        if finding.status is FindingStatus.OVER_LIMIT or finding.fingerprint in homeless
    }
    posted = [finding for finding in findings if finding.status is FindingStatus.POSTED]
    hunks |= {finding.anchor.hunk for finding in posted[SURE:]}
    settled = {key for key in whole if key not in hunks and patch.file(key.file).path not in paths}
    numbered = numbered or Numbered(patch)
    numbers = numbered.by_hunk
    seen = current.carried.union(*(numbers[key] for key in settled if key in numbers))
    return seen if len(seen) <= MOST_SEEN else numbered.in_short(seen)
