"""What a job keeps right before it posts: the draft, the review as the page shows it, and what its check run will say.

A later run of the job reads it back and posts this very review. What cannot be read is told and given up: the run markers on
the pull keep a review from being posted twice even then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from bot.engine.model import Checkpoint
from bot.errors import OutsideError, SparkError
from bot.github.checks import Annotation, Level
from bot.review.drafts import dump_draft, load_draft
from bot.review.judgement import Judgement, not_posted, weaken
from bot.review.model import Effort, Fingerprint, Review, Verdict
from bot.review.ports import Published, ReviewDraft
from bot.review.render import words
from bot.review.render.check import CheckText, check_text
from bot.review.render.json import review_json
from bot.review.render.safe import Redactor
from bot.worker.annotations import annotate

FORMAT: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A finished review, as far as its check run and the history need it."""

    judged: Judgement
    text: CheckText
    annotations: Mapping[Fingerprint, Annotation]
    measures: str
    review: Mapping[str, Any]
    """As JSON."""
    tokens_per_second: float | None
    began: float
    """When its run began, in seconds since 1970."""

    @property
    def findings(self) -> int:
        """Findings that stand on the pull, in a line or in a summary."""
        told = [one for one in self.review["findings"] if one["status"] in {"posted", "known", "over-limit"}]
        return len(told) + len(self.review["misplaced"]) + len(self.review["earlier"])

    @property
    def url(self) -> str | None:
        """Of the review on the pull; None where it is not there."""
        url: str | None = self.review["review_url"]
        return url

    @property
    def is_deep(self) -> bool:
        """Whether there is nothing deeper to offer."""
        return Effort(self.review["effort"]) is Effort.DEEP


def result_of(
    review: Review, redactor: Redactor, *, tokens_per_second: float | None, began: float, known: Result | None = None
) -> Result:
    """What stays of a review. `known`: the same before it was posted, whose words are the same."""
    return Result(
        judged=Judgement(verdict=review.verdict, reason=review.reason, failure=review.failure),
        text=known.text if known is not None else check_text(review, redactor),
        annotations=known.annotations if known is not None else annotate(review.findings, redactor),
        measures=words.measures(review),
        review=review_json(review, redactor),
        tokens_per_second=tokens_per_second,
        began=began,
    )


def posted(result: Result, published: Published | SparkError, *, now: float, stood: float | None) -> Result:
    """The result after it was posted, or could not be. `now`, and `stood` (when its first part was on GitHub, None where none
    is), in seconds since 1970.
    """
    notices = result.review["notices"]
    if isinstance(published, SparkError):
        judged, url = not_posted(result.judged, published), None
    else:
        judged, url = weaken(result.judged, published), published.url
        notices = [*notices, *published.unfollowed]
    done = round(now - result.began, 4)
    first_post = None if stood is None else round(stood - result.began, 4)
    timing = {**result.review["timing"], "first_post": first_post, "done": done}
    told = {
        "verdict": judged.verdict.value,
        "reason": judged.reason,
        "review_url": url,
        "timing": timing,
        "notices": notices,
    }
    return replace(result, judged=judged, review={**result.review, **told})


def dump(result: Result, draft: ReviewDraft) -> Checkpoint:
    """Both as JSON."""
    failure = result.judged.failure
    return Checkpoint(
        draft={
            "format": FORMAT,
            "post": dump_draft(draft),
            "headline": result.text.headline,
            "details": result.text.details,
            "annotations": [
                [key, each.path, each.start_line, each.end_line, each.level.value, each.title, each.message]
                for key, each in result.annotations.items()
            ],
            "measures": result.measures,
            "failure": failure.what if failure is not None else "",
            "tokens_per_second": result.tokens_per_second,
            "began": result.began,
        },
        review=result.review,
    )


def load(checkpoint: Checkpoint) -> tuple[Result, ReviewDraft]:
    """What was kept. ValueError when it is not what this version writes."""
    data, review = checkpoint.draft, checkpoint.review
    try:
        if data["format"] != FORMAT:
            raise ValueError(f"format {data['format']!r}")
        result = Result(
            judged=Judgement(
                verdict=Verdict(review["verdict"]),
                reason=review["reason"],
                failure=OutsideError(data["failure"]) if data["failure"] else None,
            ),
            text=CheckText(headline=data["headline"], details=data["details"]),
            annotations={Fingerprint(key): _annotation(*values) for key, *values in data["annotations"]},
            measures=data["measures"],
            review=review,
            tokens_per_second=data["tokens_per_second"],
            began=float(data["began"]),
        )
        return result, load_draft(data["post"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"it lacks {error}") from error


def _annotation(path: str, start: int, end: int, level: str, title: str, message: str) -> Annotation:
    return Annotation(path=path, start_line=start, end_line=end, level=Level(level), title=title, message=message)
