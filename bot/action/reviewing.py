"""A pull request reviewed inside Actions: read, held against the base's configuration, reviewed, and posted where that may be done.

The server's review behind another door: the same reading, the same use case, the same post. A token that may write nothing is
no fault here: the review is made all the same, with what is known of earlier rounds, and says why it was not posted.
"""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from bot import log
from bot.action.begin import Reading
from bot.action.event import ReviewWork
from bot.action.inputs import Inputs
from bot.errors import ConfigError, CredentialsError, NotPermittedError, SparkError
from bot.github.repo_memory import RepoMemory
from bot.model.client import SparkModel
from bot.request import ReviewRequest
from bot.review.config import CONFIG_PATH, Trigger, read_config
from bot.review.memory import Recall
from bot.review.model import CommitSha, Effort, Pull, Review
from bot.review.ports import Listener, Opened, Published, Publisher, Remembrance, ReviewDraft, Stop
from bot.review.wanted import unwanted
from bot.wiring import HEAD_IS_FRESH, Errand, PullPlace, Shared, load

LOOKS: Final = (0.5, 1.0, 2.0)
"""Pauses before the pull is read again when it does not show the head of the event: GitHub's answers may be older than its
events."""
PERMISSION: Final = "Give the job the permission pull-requests: write"
_PUSHES: Final = (Trigger.OPENED, Trigger.SYNCHRONIZE)
_NEW_HEADS: Final = frozenset({"opened", "synchronize"})
"""Actions before which no run can have judged the head of the event."""
NOT_WANTED: Final = "the input post is false"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """A review was made."""

    review: Review
    began: float
    """`Clock.now()` when it began."""
    untold: str = ""
    """Why it is not on the pull request although nothing failed, without a full stop; empty where it is."""
    remedy: str = ""
    """What has to be done to have it posted there; empty where that is as it should be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """No review was made, and nothing failed."""

    reason: str
    """Without a full stop."""
    is_short: bool = False
    """Somebody was to look and nobody did (a pause, a head that moved), which `require-coverage` does not let pass."""
    head: CommitSha | None = None
    """The head that this is about; None where that is not the pull's."""


def review_pull(
    shared: Shared,
    inputs: Inputs,
    work: ReviewWork,
    *,
    listener: Listener,
    stop: Stop,
    memory: Remembrance | None = None,
    full: str = "",
    effort: Effort | None = None,
    reading: Reading | None = None,
    fields: Mapping[str, log.Field] | None = None,
) -> Reviewed | Skipped:
    """One pull request to its end. `inputs` name files as the process finds them.

    `memory`: what the repository remembers; read from GitHub itself by default. `full`: why everything is reviewed anew, in
    words; empty looks at what is new. `effort`: asked for this review alone. `reading`: of this very pull. Raises SparkError where there can be no review.
    """
    began = shared.clock.now() if reading is None else reading.began
    known = dict(fields or {})
    model = wanted_model(shared, inputs)
    place = shared.own_place(work.repo, work.number)
    publisher = WhereItMay(
        reading.publisher
        if reading is not None
        else shared.pull_publisher(place, shared.posting(stop), fresh=HEAD_IS_FRESH, fields=known),
        forbidden=_forbidden(work, inputs),
        likely=work.read_only,
    )
    # The first requests are on their way while the endpoint's library is loaded, and all that works on their answers.
    publisher.begin()
    warm(model)
    load()
    opened = _opened(shared, place, work, stop, known, reading)
    if isinstance(opened, Skipped):
        return opened
    opened = configured(opened, inputs.config)
    refused = _refused(opened, work, inputs, publisher, known)
    if refused is not None:
        return refused
    errand = Errand(
        place=place,
        opened=opened,
        began=began,
        # Not the workflow run's id: one run may have several steps and several reviews, and each is posted.
        run=uuid.uuid4().hex[:12],
        stop=stop,
        publisher=publisher,
        keep=lambda _review, _draft: not stop.cancelled,
        memory=memory or RepoMemory(place.client, work.repo, stop=stop),
        fields=known,
    )
    review = shared.job(request(inputs, full=full, effort=effort), listener, errand=errand).run()
    return Reviewed(review=review, began=began, untold=publisher.untold, remedy=publisher.remedy)


def request(inputs: Inputs, *, full: str = "", effort: Effort | None = None) -> ReviewRequest:
    """What the inputs ask of a review. The effort of the inputs is in the settings, for all reviews of the run."""
    return ReviewRequest(
        effort=effort,
        fail_on=inputs.fail_on,
        never_fail=inputs.never_fail,
        require_coverage=inputs.require_coverage,
        paths_ignore=inputs.paths_ignore,
        sarif=inputs.analyzer_sarif,
        max_usd=inputs.max_usd,
        full=full,
    )


def wanted_model(shared: Shared, inputs: Inputs) -> SparkModel | None:
    """The model; None for analyzers alone. Raises CredentialsError where there is no key and the workflow requires one."""
    model = shared.model()
    # Also where the endpoint may want none: the workflow says that it has one.
    if inputs.require_key and not any(shared.settings.keys.values()):
        raise CredentialsError(
            "no API key is set, and the input require-key is true",
            remedy="Set the input api-key to a secret. Runs for forks and for Dependabot are given no secrets of Actions.",
        )
    return model


def warm(model: SparkModel | None) -> None:
    """Load the endpoint's library in a thread of its own."""
    if model is None:
        return

    def load() -> None:
        # What is wrong with the settings is told when the model is asked.
        with contextlib.suppress(SparkError):
            model.warm()

    threading.Thread(target=load, name="warm", daemon=True).start()


def configured(opened: Opened, path: str) -> Opened:
    """The change with the configuration that the input names. Raises ConfigError when it is missing, or has mistakes."""
    if path == CONFIG_PATH:
        return opened
    text = opened.base_text(path)
    if text is None:
        raise ConfigError(
            f"the input config names {path}, and the base branch has no such file",
            remedy=f"Put it on the base branch, or leave the input out to use {CONFIG_PATH}.",
        )
    # Its mistakes are told under its own name.
    read_config(text, name=path)
    return replace(opened, base_texts={**opened.base_texts, CONFIG_PATH: text})


class WhereItMay:
    """The `Publisher` of a token that may be read-only: what may not be posted is told to be so, and is no error.

    Whoever uses it tells the findings elsewhere where `untold` is not empty.
    """

    def __init__(self, inner: Publisher, *, forbidden: str = "", likely: str = "") -> None:
        """`forbidden`: why nothing may be posted; it is then not tried. `likely`: why a refusal is no surprise."""
        self._inner = inner
        self._forbidden = forbidden
        self._likely = likely
        self.untold = ""
        """Why nothing was posted, once that was to be done."""
        self.remedy = ""
        """What to do about it; empty where it is as it should be."""

    def begin(self) -> None:
        """See the port."""
        self._inner.begin()

    def recall(self) -> Recall:
        """See the port."""
        return self._inner.recall()

    def publish(self, draft: ReviewDraft) -> Published:
        """See the port; a refusal is given back as a review without a URL."""
        if not self._forbidden:
            try:
                return self._inner.publish(draft)
            except NotPermittedError as error:
                self.untold = _no_token(self._likely) if self._likely else error.what
                self.remedy = "" if self._likely else f"{PERMISSION}. {error.remedy}"
        else:
            self.untold = self._forbidden
        unposted = tuple((comment.fingerprint, self.untold) for comment in draft.comments)
        return Published(url=None, posted=(), unposted=unposted)


def _forbidden(work: ReviewWork, inputs: Inputs) -> str:
    if not inputs.post:
        return NOT_WANTED
    return _no_token(work.read_only) if work.is_certain else ""


def _no_token(why: str) -> str:
    return f"{why}, so the token of this run may write nothing"


def _opened(
    shared: Shared,
    place: PullPlace,
    work: ReviewWork,
    stop: Stop,
    fields: Mapping[str, log.Field],
    reading: Reading | None,
) -> Opened | Skipped:
    """The pull with the head of the event, or why not: a newer head has a run of its own, and its verdict is not this one's."""
    source = reading.source if reading else shared.pull_source(place, stop, branch=work.base_ref or None)
    looks = iter(LOOKS)
    while True:
        opened = shared.patiently(source.open, stop=stop, doing="reading the pull", fields=fields)
        pull = _pull(opened)
        if not pull.is_open:
            return Skipped(reason="the pull request is closed")
        if work.head_sha in {None, pull.head_sha}:
            return opened
        pause = next(looks, None)
        if pause is None or shared.pause(stop, pause):
            return Skipped(reason=f"the head moved to {pull.head_sha[:10]}, which has a run of its own", is_short=True)


def _refused(
    opened: Opened, work: ReviewWork, inputs: Inputs, publisher: Publisher, fields: Mapping[str, log.Field]
) -> Skipped | None:
    """Why there is to be no review of this pull; None when there is.

    A head that was reviewed is given its verdict in any case, which asks no model: a run that looked away, started by another
    label or after a pause, would otherwise turn its red job green. Where runs leave nothing on the pull nobody knows whether it
    was, so there a head whose push is reviewed is reviewed at such an event as well.
    """
    pull = _pull(opened)
    config = read_config(opened.base_texts.get(CONFIG_PATH, ""), name=inputs.config)

    def why_not(trigger: Trigger | None) -> str | None:
        return unwanted(
            config.review,
            trigger=trigger,
            label=work.label,
            draft=pull.draft,
            base_ref=pull.base_ref,
            author=pull.author,
        )

    reason = why_not(work.trigger)
    if work.trigger is None:
        return None
    is_pushs = _is_after(work) and None in [why_not(trigger) for trigger in _PUSHES]
    if is_pushs and (reason is not None or work.is_known_only) and (work.read_only or not inputs.post):
        return None
    try:
        recall = publisher.recall()
    except SparkError as error:
        if work.is_known_only:
            raise
        # A review finds out the same, and tells it; without one there is nothing to read it for.
        log.warning("action.recall_failed", why=str(error), **fields)
        recall = Recall()
    if recall.last is not None and recall.last.head == pull.head_sha:
        return None
    if work.is_known_only:
        return Skipped(reason="no review of this head is known")
    if reason is not None:
        # The run of the push speaks for its head, also where that ended in an error and left nothing to know it by.
        head = None if is_pushs else pull.head_sha
        return Skipped(reason=reason.replace(CONFIG_PATH, inputs.config), head=head)
    by = recall.paused_by
    if not by:
        return None
    return Skipped(reason=f"the reviews of this pull request are paused by {by}", is_short=True, head=pull.head_sha)


def _is_after(work: ReviewWork) -> bool:
    """Whether the event came when another run may have judged this head already."""
    return work.is_known_only or bool(work.action and work.action not in _NEW_HEADS)


def _pull(opened: Opened) -> Pull:
    pull = opened.change.pull
    assert pull is not None
    return pull
