"""What the repository has dismissed for good, by the rules under `dismiss` in its `.github/spark.yml`. Pure.

The file is read from the base branch, so these rules are the word of those who may merge there: what one of them names is
left out of the gate. More than it names is never: a rule has no likes, and nothing more severe than it says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from bot.review.config import CONFIG_PATH, DismissRule, glob_spec
from bot.review.config_keys import words_of
from bot.review.memory import Dismissal, FindingNote, ThreadId
from bot.review.model import Finding, FindingStatus
from bot.review.render import words
from bot.review.whereabouts import Placed

HOW: Final = "lasting rule"
"""How it was dismissed, among what people do."""


def lasting_rule(finding: Finding | FindingNote, rules: Sequence[DismissRule]) -> DismissRule | None:
    """The first rule of which everything it names is true of the finding; None for none."""
    return next((rule for rule in rules if _is_about(finding, rule)), None)


def _is_about(finding: Finding | FindingNote, rule: DismissRule) -> bool:
    return (
        finding.severity.rank <= rule.severity.rank
        and (rule.rule is None or rule.rule.casefold() == finding.rule.casefold())
        and (rule.category is None or rule.category is finding.category)
        and (rule.title is None or words_of(rule.title) <= words_of(finding.title))
        and (not rule.paths or glob_spec(rule.paths).match_file(finding.path))
    )


def dismissed_for_good(finding: Finding, rules: Sequence[DismissRule]) -> Finding | None:
    """The finding as it is under the rule that dismisses it, with the thread that it has; None where no rule does."""
    rule = lasting_rule(finding, rules)
    if rule is None:
        return None
    reason = rule.reason.strip().rstrip(".")
    one = replace(
        finding,
        status=FindingStatus.DISMISSED,
        excused=True,
        lasting=reason,
        dismissed_by=CONFIG_PATH,
        dismissed_why=reason,
        dismissed_how=HOW,
    )
    return replace(one, note=f"{finding.note} Dismissed {words.who_dismissed(one)}.".strip())


def let_be(
    placed: Sequence[Placed], found: Mapping[ThreadId, Finding], rules: Sequence[DismissRule]
) -> tuple[Placed, ...]:
    """Earlier findings; those that a rule dismisses are so marked, so that nothing is said or done in their threads.

    `found`: findings of this review by the thread they belong to; where there is one, it says what the thread is about now.
    """
    return tuple(_let_be(each, found.get(each.known.thread.id), rules) for each in placed)


def _let_be(placed: Placed, found: Finding | None, rules: Sequence[DismissRule]) -> Placed:
    known = placed.known
    rule = lasting_rule(found or placed.finding or known.note, rules)
    if rule is None or known.dismissal is not None:
        return placed
    said = Dismissal(by=CONFIG_PATH, reason=rule.reason, how=HOW, excuses=True)
    return replace(placed, known=replace(known, dismissal=said))
