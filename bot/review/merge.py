"""When two findings say the same, and what is left of them.

Nothing is lost in a merge: where two findings share a place and a kind but not their words, the words of both stay.
"""

from __future__ import annotations

import re
from dataclasses import replace

from bot.review.fingerprint import family
from bot.review.model import Finding, Votes
from bot.review.scope import PassName

_UNRELATED = 0.15
"""Below this share of common words, two texts are about different things."""
_ALIKE = 0.5
_FAMILY_BONUS = 0.25
_RANGE_BONUS = 0.1
_BODY_CAP = 4_000

_WORD = re.compile(r"[^\W_]{3,}")
_DULL = frozenset(
    re.findall(
        r"\w+",
        "the and for are but not you all any can has had was with this that from have will when then than into its may"
        " which their there been being were would could should does here line lines code value function method",
    )
)


def same(one: Finding, other: Finding) -> bool:
    """Whether both say the same: one fingerprint, or lines in common on one side and words in common.

    How many words must be common depends on the rest: more where the categories are of different families, fewer where
    the lines are exactly the same.
    """
    if one.fingerprint == other.fingerprint:
        return True
    here, there = one.anchor, other.anchor
    if (here.path, here.side, here.hunk) != (there.path, there.side, there.hunk):
        return False
    if here.start_line > there.line or there.start_line > here.line:
        return False
    one_family = family(one.category) == family(other.category)
    one_range = (here.start_line, here.line) == (there.start_line, there.line)
    if one_family and here.start_line == there.start_line and (one.source == "model") != (other.source == "model"):
        # A tool and the model seldom share words; about one kind of thing on one line, one comment is enough.
        return True
    needed = _ALIKE - _FAMILY_BONUS * one_family - _RANGE_BONUS * one_range
    return likeness(one, other) >= needed


def combine(first: Finding, other: Finding) -> Finding:
    """One finding out of two that are the same.

    The place and the suggestion are of one piece: those of the better suggestion (an analyzer's proven one, a proven
    one, any), else those of `first`. The words are the model's, which are about this code, before a tool's, which are about
    a rule; else those of the more severe, else the longer ones. The more severe counts. Votes grow by passes
    that had not reported it yet. What a tool said too stays the tool's finding (source, rule, fingerprint): it is the
    same whether or not the model said the same, so one finding has one thread. Of two of the model's, the smaller
    fingerprint stays, so that the order in which passes answer does not matter.
    """
    owner = _owner(first, other)
    place = max(first, other, key=_suggestion_rank)
    # A tool's finding that the model's word went into speaks as the model does.
    silent = owner if owner is not None and not owner.passes else None
    words = _spoken(first, other, silent)
    rest = other if words is first else first
    return replace(
        place,
        severity=max(first.severity, other.severity, key=lambda severity: severity.rank),
        category=words.category,
        title=words.title,
        body=_body(words, rest, is_tools=rest is silent),
        votes=_votes(first, other),
        passes=_passes(first, other),
        status=first.status,
        fingerprint=owner.fingerprint if owner else min(first.fingerprint, other.fingerprint),
        source=(owner or place).source,
        rule=(owner or place).rule,
    )


def _spoken(first: Finding, other: Finding, silent: Finding | None) -> Finding:
    """The one of the two whose words are told; never `silent`."""
    if silent is not None:
        return other if silent is first else first
    return max(first, other, key=lambda finding: (finding.severity.rank, len(finding.body)))


def _body(words: Finding, rest: Finding, *, is_tools: bool) -> str:
    """What is told, with what the other one says where that is something else."""
    if likeness(words, rest) >= _UNRELATED:
        return words.body
    also = f"{rest.source} {rest.rule}: {rest.title}" if is_tools else f"Also: {rest.title}\n\n{rest.body}".strip()
    said = rest.title if is_tools else rest.body
    if said in words.body or len(words.body) + len(also) + 2 > _BODY_CAP:
        return words.body
    return f"{words.body}\n\n{also}"


def likeness(one: Finding, other: Finding) -> float:
    """Share of common words, 0 to 1: of the titles or of the whole texts, whichever is more."""
    titles = _jaccard(_words(one.title), _words(other.title))
    return max(titles, _jaccard(_words(f"{one.title} {one.body}"), _words(f"{other.title} {other.body}")))


def alike(one: str, other: str) -> float:
    """Share of common words of two short texts, 0 to 1; 0 where either has no word and they are not the same."""
    if " ".join(one.lower().split()) == " ".join(other.lower().split()):
        return 1.0
    here, there = _words(one), _words(other)
    return _jaccard(here, there) if here and there else 0.0


def _words(text: str) -> frozenset[str]:
    """Words without their endings, so that `queries` and `query` meet."""
    found = (word.lower() for word in _WORD.findall(text))
    return frozenset(_stem(word) for word in found if word not in _DULL)


def _stem(word: str) -> str:
    for ending in ("ing", "ies", "ed", "es", "s", "y"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    if not one and not other:
        return 1.0
    return len(one & other) / len(one | other)


def _suggestion_rank(finding: Finding) -> int:
    if finding.suggestion is None:
        return 0
    if not finding.proven:
        return 1
    return 2 if finding.source == "model" else 3


def _owner(first: Finding, other: Finding) -> Finding | None:
    """The tool's one of the two; None when both are of tools or both of the model."""
    tools = [finding for finding in (first, other) if finding.source != "model"]
    return tools[0] if len(tools) == 1 else None


def _passes(first: Finding, other: Finding) -> tuple[PassName, ...]:
    return (*first.passes, *(name for name in other.passes if name not in first.passes))


def _votes(first: Finding, other: Finding) -> Votes | None:
    """The first one's votes and one for each pass that is new; an analyzer has no vote."""
    if first.votes is None:
        return other.votes
    gained = len(_passes(first, other)) - len(first.passes)
    return Votes(in_favour=first.votes.in_favour + gained, of=first.votes.of + gained)
