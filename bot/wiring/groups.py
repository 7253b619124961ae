"""A merge group reviewed: what merging made of its pulls, held against what was reviewed in them. For the server and the Action.

Nothing is posted on a pull: what is found is told where the group's check is. Knows no engine and no event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from bot import log
from bot.errors import SparkError
from bot.git.compare import compare_blobs
from bot.github.client import GitHubClient
from bot.github.groups import Group, GroupSource
from bot.model.budget import Purse
from bot.request import ReviewRequest
from bot.review.config import CONFIG_PATH, RepoConfig, Trigger, read_config
from bot.review.finish import fail_level
from bot.review.memory import Recall
from bot.review.model import Pull, Review, Severity
from bot.review.options import Options
from bot.review.ports import Listener, Opened, Published, Publisher, Remembrance, ReviewDraft, Stop
from bot.review.render import words
from bot.review.rounds import FIRST
from bot.review.together import together
from bot.review.wanted import unwanted
from bot.wiring import Errand, PullPlace, Shared

NEVER: Final = "Spark has not reviewed it before"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupReviewed:
    """The group has a verdict."""

    review: Review
    began: float
    """`Clock.now()` when it was begun."""
    told: str
    """What was looked at and what was not, in a sentence of Markdown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSkipped:
    """The configuration does not want the group's pull reviewed, and nobody has asked for it."""

    reason: str
    """Without a full stop."""


class GroupBoard:
    """The `Publisher` of a group: remembers what its pulls remember, and posts nothing."""

    def __init__(self, pull: Publisher | None) -> None:
        self._pull = pull
        self._recall: Recall | None = None

    def begin(self) -> None:
        """See the port."""
        if self._pull is not None:
            self._pull.begin()

    def recall(self) -> Recall:
        """See the port."""
        if self._recall is None:
            self._recall = Recall() if self._pull is None else self._pull.recall()
        return self._recall

    def add(self, others: list[Recall], *, level: Severity | None) -> None:
        """What was seen in further pulls of the group. `level`: the gate's."""
        self._recall = together(self.recall(), others, level=level)

    def publish(self, draft: ReviewDraft) -> Published:
        """Nothing goes onto a pull; who asked for the review tells it elsewhere."""
        del draft
        return Published(url=None, posted=())


def review_group(
    shared: Shared,
    client: GitHubClient,
    group: Group,
    *,
    installation: int,
    request: ReviewRequest,
    listener: Listener,
    stop: Stop,
    run: str,
    configured: Callable[[Opened], Opened] = lambda opened: opened,
    memory: Remembrance | None = None,
    purse: Purse | None = None,
    fields: Mapping[str, log.Field] | None = None,
) -> GroupReviewed | GroupSkipped:
    """The group's verdict. Raises SparkError where there can be none.

    Hunks that were seen in the pull as they are now are not looked at again; where all were, no model is asked.
    """
    known = dict(fields or {})
    began = shared.clock.now()
    place = PullPlace(client=client, installation=installation, repo=group.repo, number=group.number or 0)
    board = GroupBoard(None if group.number is None else shared.pull_publisher(place, stop, fields=known))
    board.begin()
    source = GroupSource(client, group, compare=compare_blobs, stop=stop, texts=shared.texts, fields=known)
    opened = configured(shared.patiently(source.open, stop=stop, doing="reading the merge group", fields=known))
    pull = opened.change.pull
    assert pull is not None
    config = read_config(opened.base_texts.get(CONFIG_PATH, ""), name=CONFIG_PATH)
    level = fail_level(config, Options(fail_on=request.fail_on, never_fail=request.never_fail))
    board.add(_others(shared, place, source.others, stop, known), level=level)
    if board.recall().last is None and (reason := _left_out(config, pull)) is not None:
        return GroupSkipped(reason=reason)
    errand = Errand(
        place=place,
        opened=opened,
        began=began,
        run=run,
        stop=stop,
        publisher=board,
        keep=lambda _review, _draft: not stop.cancelled,
        memory=memory,
        purse=purse,
        fields=known,
    )
    review = shared.job(request, listener, errand=errand).run()
    return GroupReviewed(review=review, began=began, told=_told(group, review, board.recall()))


def _others(
    shared: Shared, place: PullPlace, numbers: tuple[int, ...], stop: Stop, fields: Mapping[str, log.Field]
) -> list[Recall]:
    """What further pulls remember; one that cannot be read has its hunks looked at again."""
    boards = {number: shared.pull_publisher(replace(place, number=number), stop, fields=fields) for number in numbers}
    for board in boards.values():
        board.begin()
    found = []
    for number, board in boards.items():
        try:
            found.append(board.recall())
        except SparkError as error:
            log.warning("group.pull_unread", pull=number, why=error.what, **fields)
    return found


def _left_out(config: RepoConfig, pull: Pull) -> str | None:
    """Why nobody reviews such a pull here; None where a pull like this is reviewed when it is opened or pushed to."""
    reasons = [
        unwanted(config.review, trigger=trigger, draft=pull.draft, base_ref=pull.base_ref, author=pull.author)
        for trigger in (Trigger.OPENED, Trigger.SYNCHRONIZE)
    ]
    return reasons[0] if None not in reasons else None


def _told(group: Group, review: Review, recall: Recall) -> str:
    coverage, pull, last = review.coverage, review.change.pull, recall.last
    if group.number is None:
        name = "This merge group"
    else:
        name = f"[#{group.number}]({pull.url})" if pull is not None and pull.url else f"#{group.number}"
    if last is None or review.since is None or review.since.why_all:
        why = review.since.why_all if review.since is not None else FIRST
        return f"{name} was reviewed whole, as merging makes it: {NEVER if why == FIRST else why}."
    fresh = coverage.hunks - coverage.earlier
    if not fresh:
        where = f"[reviewed there]({last.url})" if last.url else "reviewed there"
        return f"Merging {name} brings nothing but what was {where}."
    it, was = ("it", "was") if fresh == 1 else ("they", "were")
    made = "it" if fresh == 1 else "them"
    return f"Merging {name} changes {fresh} of {words.count(coverage.hunks, 'hunk')}; {it} {was} reviewed as merging makes {made}."
