"""How a job ends: what its check run says and what the history keeps. Values and words; nothing is sent from here.

`failure` is the gate's word alone and `success` needs a pass; what is our fault or the world's is `neutral` with its reason,
unless the repository's gate asks for coverage (`gate.require_coverage`): then nothing that was not reviewed may look mergeable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote

from bot.diff.model import Patch
from bot.engine.model import Ended, Job, JobState, StopCause
from bot.errors import ConfigError, CredentialsError, SparkError
from bot.github.checks import Action, Conclusion
from bot.review.config import CONFIG_PATH
from bot.review.model import CommitSha, Pull, Verdict
from bot.review.render import words
from bot.review.render.check import closing_summary, closing_title, mistakes, plain, told
from bot.review.render.safe import Redactor, one_line
from bot.worker.kept import Result
from bot.worker.live_check import Closing

DEEP: Final = Action(label="Deep review", description="Three passes, each finding checked", identifier="deep")
"""The button on a closed check run; `decide` knows the identifier."""
ASK_AGAIN: Final = "To have it reviewed all the same, press Re-run."
_CONCLUSIONS: Final = {
    Verdict.PASS: Conclusion.SUCCESS,
    Verdict.FAIL: Conclusion.FAILURE,
    Verdict.NEUTRAL: Conclusion.NEUTRAL,
}
_TITLE: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """The end of a run of a job."""

    ended: Ended
    closing: Closing
    landed: bool = False
    """Something of it is on the pull request: being parked comes too late."""


def reviewed(result: Result, *, page: str | None, timing: Mapping[str, float | None]) -> Ending:
    """The review is made; `timing` in seconds from the delivery. It failed as a job when the endpoint or GitHub failed it:
    then a redelivery makes it anew.
    """
    judged = result.judged
    redactor = Redactor(Patch(files=()))
    usage = result.review["usage"]
    closing = Closing(
        conclusion=_CONCLUSIONS[judged.verdict],
        title=_headed(result, redactor),
        summary=closing_summary(
            result.text, judged.verdict, judged.reason, redactor, url=result.url, page=page, measures=result.measures
        ),
        annotations=result.annotations,
        actions=() if result.is_deep else (DEEP,),
    )
    ended = Ended(
        state=JobState.DONE if judged.failure is None else JobState.FAILED,
        why=judged.reason,
        verdict=judged.verdict.value,
        error="" if judged.failure is None else type(judged.failure).__name__,
        findings=result.findings,
        usd=usage["usd"],
        url=result.url or "",
        timing=_known(timing),
        tokens_per_second=result.tokens_per_second,
        usage={name: usage[name] for name in ("input_tokens", "cached_tokens", "output_tokens", "calls")},
    )
    return Ending(ended=ended, closing=closing, landed=result.url is not None)


def _headed(result: Result, redactor: Redactor) -> str:
    """The findings where all went well, else what fell short or failed."""
    judged = result.judged
    if judged.verdict is not Verdict.PASS:
        return closing_title(judged.verdict, judged.reason, redactor)
    count = result.findings
    return f"Pass: {words.count(count, 'finding')}" if count else "Pass: no findings"


def skipped(reason: str) -> Ending:
    """Nothing was to be done."""
    return Ending(
        ended=Ended(state=JobState.SKIPPED, why=reason),
        closing=Closing(
            conclusion=Conclusion.SKIPPED,
            title=_plain(f"Skipped: {reason}".replace("`", "")),
            summary=told(f"Not reviewed: {one_line(reason, 500)}. {ASK_AGAIN}"),
        ),
    )


def paused(by: str) -> Ending:
    """Somebody said `/spark pause` on the pull. Neutral, for nobody looked: green would say that somebody had."""
    why = f"the reviews of this pull request are paused by {by}"
    return Ending(
        ended=Ended(state=JobState.SKIPPED, why=why),
        closing=Closing(
            conclusion=Conclusion.NEUTRAL,
            title=_plain(f"Paused by {by}"),
            summary=told(f"Not reviewed: {_line(why)}. `/spark resume` in a comment goes on with them. {ASK_AGAIN}"),
        ),
    )


def moved(what: str, to: str) -> Ending:
    """Another head, or another base, is to be reviewed; its own delivery brings it."""
    why = f"the {what} moved to {to}"
    return Ending(ended=Ended(state=JobState.SUPERSEDED, why=why), closing=superseded(f"Superseded by {to}", why))


def superseded(title: str, why: str) -> Closing:
    """`cancelled`: nobody reviewed this head to its end, so a required check must not go green on it; and it says nothing
    about the newer head, which has a check run of its own.
    """
    return Closing(conclusion=Conclusion.CANCELLED, title=_plain(title), summary=told(f"Not reviewed: {_line(why)}."))


def stopped(cause: StopCause, newer: CommitSha | None) -> Closing:
    """The check run of a review that was told to stop."""
    if cause is StopCause.WITHDRAWN:
        return superseded("Withdrawn", "the pull request was closed or became a draft, or the App was removed")
    if newer is None:
        # Another base, a head asked for again, or a push that GitHub does not show yet.
        return superseded("Superseded by a newer review", "a newer review of this pull request is made instead")
    name = newer[:7]
    return superseded(f"Superseded by {name}", f"{name} is reviewed instead")


def cut_short(cause: StopCause) -> Ended:
    """The end of a run without a check run of its own that was told to stop."""
    if cause in {StopCause.PARKED, StopCause.LOST}:
        return Ended(state=JobState.QUEUED, why="it goes on in another run")
    return Ended(state=JobState.SUPERSEDED, why="it was withdrawn")


def misconfigured(error: ConfigError, pull: Pull) -> Ending:
    """`.github/spark.yml` of the base is wrong. FAILED, so that a redelivery, a reopened pull or the button tries again after
    it was mended; `action_required`, for nobody but the repository's people can mend it.
    """
    lines = error.what.split("\n")
    more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
    file = f"{pull.url.rpartition('/pull/')[0]}/blob/{quote(pull.base_ref)}/{CONFIG_PATH}"
    text = (
        f"Nothing was reviewed. Mend [{CONFIG_PATH}]({file}) on the base branch, then push to this pull request or press "
        f"Re-run.\n\n{mistakes(lines)}"
    )
    return Ending(
        ended=Ended(state=JobState.FAILED, why=f"{lines[0]}{more}", error="ConfigError"),
        closing=Closing(
            conclusion=Conclusion.ACTION_REQUIRED,
            title=f"{CONFIG_PATH} has {words.count(len(lines), 'mistake')}",
            summary=told(text),
        ),
    )


def failed(error: Exception, job: Job, *, require_coverage: bool = False) -> Ending:
    """The job could not be done. What only the server's owner can mend is not spelled out on the pull request."""
    kind = type(error).__name__
    why = str(error) if isinstance(error, SparkError) else f"A bug stopped it ({kind})"
    if isinstance(error, SparkError) and not isinstance(error, ConfigError | CredentialsError):
        public = error.what
    else:
        public = f"something in the server that runs Spark needs mending ({kind})"
    return Ending(
        ended=Ended(state=JobState.FAILED, why=why, error=kind),
        closing=Closing(
            conclusion=Conclusion.FAILURE if require_coverage else Conclusion.NEUTRAL,
            title=_plain(f"Not reviewed: {public}"),
            summary=told(
                f"The review could not be made: {_line(public)}. It can be tried again with Re-run.",
                reference=job.id,
            ),
        ),
    )


def timed(ended: Ended, **seconds: float | None) -> Ended:
    """With these moments too, where they are known."""
    return replace(ended, timing={**ended.timing, **_known(seconds)})


def _known(seconds: Mapping[str, float | None]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in seconds.items() if value is not None}


def _line(text: str) -> str:
    return one_line(Redactor(Patch(files=())).redact(text), 500)


def _plain(text: str) -> str:
    return " ".join(plain(text, Redactor(Patch(files=())), limit=_TITLE).split())
