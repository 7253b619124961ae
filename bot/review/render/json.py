"""A review as JSON: `--format json`, and what the page shows. The one place that knows this shape.

The shape is `docs/review.schema.json`, number 1: keys may be added, none may change or go. Text is as the model or the
tool wrote it, with secrets masked and nothing escaped: who shows it must escape it.
"""

from __future__ import annotations

from typing import Any

from bot.diff.model import Anchor, Patch, printable
from bot.review.model import Dropped, Earlier, Finding, Misplaced, Pull, Review
from bot.review.render.safe import Redactor
from bot.review.scope import Hole, Since, Skip

SCHEMA = 1


def review_json(review: Review, redactor: Redactor | None = None) -> dict[str, Any]:
    """The whole review. `redactor` spares the work of making one; it must be of the same patch."""
    patch = review.change.patch
    shape = _Shape(redactor or Redactor(patch))
    coverage, usage, timing = review.coverage, review.usage, review.timing
    return {
        "schema": SCHEMA,
        "pull": shape.pull(review.change.pull),
        "base": review.change.base,
        "head": review.change.head,
        "effort": review.effort.value,
        "model": review.model,
        "verdict": review.verdict.value,
        "reason": shape.text(review.reason),
        "findings": [shape.finding(finding) for finding in review.findings],
        "misplaced": [shape.misplaced(finding) for finding in review.misplaced],
        "dropped": [shape.dropped(dropped) for dropped in review.dropped],
        "coverage": {
            "hunks": coverage.hunks,
            "reviewed": coverage.reviewed,
            "whole": coverage.whole,
            "holes": [shape.hole(hole, patch) for hole in coverage.holes],
            "skipped": [shape.skip(skip) for skip in coverage.skipped],
            "difference": shape.text(coverage.difference),
            "earlier": coverage.earlier,
        },
        "usage": {
            "input_tokens": usage.input_tokens,
            "cached_tokens": usage.cached_tokens,
            "output_tokens": usage.output_tokens,
            "usd": usage.usd,
            "calls": usage.calls,
        },
        "timing": {
            "accepted": timing.accepted,
            "diff": timing.diff,
            "first_token": timing.first_token,
            "first_finding": timing.first_finding,
            "first_post": timing.first_post,
            "done": timing.done,
        },
        "endpoint_seconds": dict(review.endpoint_seconds),
        "garbled": review.garbled,
        "outside": dict(review.outside),
        "notices": [shape.text(notice) for notice in review.notices],
        "review_url": review.review_url,
        "round": _round(review.since),
        "earlier": [shape.earlier(one) for one in review.earlier],
    }


def _round(since: Since | None) -> dict[str, Any] | None:
    """Which of a pull's reviews it is; null where nobody remembers the others."""
    return None if since is None else {"number": since.round, "since": since.head, "why_all": since.why_all}


def finding_json(finding: Finding, redactor: Redactor) -> dict[str, Any]:
    """One finding, as in the JSON of a review, for who shows it before there is one."""
    return _Shape(redactor).finding(finding)


def pull_json(pull: Pull | None, redactor: Redactor) -> dict[str, Any] | None:
    """The pull request, as in the JSON of a review."""
    return _Shape(redactor).pull(pull)


def skip_json(skip: Skip, redactor: Redactor) -> dict[str, Any]:
    """A file that is not reviewed, as in the JSON of a review."""
    return _Shape(redactor).skip(skip)


class _Shape:
    """The parts, with the redactor at hand."""

    def __init__(self, redactor: Redactor) -> None:
        self.redactor = redactor

    def text(self, text: str) -> str:
        """Text that may be stored and sent: valid Unicode, no secret."""
        return printable(self.redactor.redact(text))

    def pull(self, pull: Pull | None) -> dict[str, Any] | None:
        """The pull request, or null for a local change."""
        if pull is None:
            return None
        return {
            "repo": pull.repo,
            "number": pull.number,
            "title": self.text(pull.title),
            "author": pull.author,
            "url": pull.url,
            "base_ref": pull.base_ref,
            "head_ref": pull.head_ref,
        }

    def finding(self, finding: Finding) -> dict[str, Any]:
        """One finding; a suggestion with a secret is null, since a masked one could not be applied."""
        suggestion = finding.suggestion
        withheld = suggestion is not None and self.redactor.has_secret(suggestion)
        note = "the suggested change contains a secret and so is not shown" if withheld else finding.note
        return {
            **self._place(finding.anchor),
            "severity": finding.severity.value,
            "category": finding.category.value,
            "title": self.text(finding.title),
            "body": self.text(finding.body),
            "suggestion": None if withheld or suggestion is None else printable(suggestion),
            "proven": finding.proven and not withheld,
            "parsed": finding.parsed and not withheld,
            "votes": None if finding.votes is None else {"for": finding.votes.in_favour, "of": finding.votes.of},
            "fingerprint": finding.fingerprint,
            "source": finding.source,
            "rule": finding.rule,
            "note": self.text(note),
            "status": finding.status.value,
            "excused": finding.excused,
            "thread": finding.thread,
            "dismissed": self.dismissed(finding),
        }

    def dismissed(self, finding: Finding) -> dict[str, Any] | None:
        """Who dismissed it, why and how; null where nobody is known."""
        if not finding.dismissed_by:
            return None
        return {
            "by": printable(finding.dismissed_by),
            "why": self.text(finding.dismissed_why),
            "how": finding.dismissed_how,
        }

    def earlier(self, one: Earlier) -> dict[str, Any]:
        """A finding of an earlier round that has no place in the diff of now."""
        return {
            "path": printable(one.path),
            "severity": one.severity.value,
            "category": one.category.value,
            "title": self.text(one.title),
            "thread": one.url,
            "is_certain": one.is_certain,
        }

    def misplaced(self, finding: Misplaced) -> dict[str, Any]:
        """A finding without a place."""
        return {
            "path": printable(finding.path),
            "claimed": self.text(finding.claimed),
            "reason": self.text(finding.reason),
            "severity": finding.severity.value,
            "category": finding.category.value,
            "title": self.text(finding.title),
            "body": self.text(finding.body),
            "source": finding.source,
        }

    def dropped(self, dropped: Dropped) -> dict[str, Any]:
        """A finding that was taken out, and why."""
        return {
            **self._place(dropped.finding.anchor),
            "severity": dropped.finding.severity.value,
            "category": dropped.finding.category.value,
            "title": self.text(dropped.finding.title),
            "reason": dropped.reason,
            "why": self.text(dropped.why),
        }

    def hole(self, hole: Hole, patch: Patch) -> dict[str, Any]:
        """A hunk that was not seen whole; lines after the change, or before it where there are none after."""
        file = patch.file(hole.hunk.file)
        hunk = file.hunks[hole.hunk.hunk]
        after = hunk.new_count > 0
        start, length = (hunk.new_start, hunk.new_count) if after else (hunk.old_start, hunk.old_count)
        return {
            "path": printable(file.path),
            "side": "RIGHT" if after else "LEFT",
            "start_line": start,
            "line": start + max(0, length - 1),
            "pass": hole.pass_name,
            "reason": self.text(hole.reason),
        }

    def skip(self, skip: Skip) -> dict[str, Any]:
        """A file that was not reviewed."""
        return {"path": printable(skip.path), "reason": skip.reason.value, "detail": self.text(skip.detail)}

    def _place(self, anchor: Anchor) -> dict[str, Any]:
        return {
            "path": printable(anchor.path),
            "side": anchor.side.value,
            "start_line": anchor.start_line,
            "line": anchor.line,
        }
