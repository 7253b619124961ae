"""A merge group inside Actions: its verdict, told in the run and as a commit status on the group's head."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from bot import log
from bot.action.event import GroupWork
from bot.action.inputs import Inputs
from bot.action.reviewing import Reviewed, Skipped, configured, request, wanted_model, warm
from bot.github.groups import Group
from bot.github.repo_memory import RepoMemory
from bot.review.ports import Listener, Stop
from bot.wiring import Shared
from bot.wiring.groups import GroupSkipped, review_group

WHERE: Final = "a merge group has no conversation"


def judge_group(
    shared: Shared,
    inputs: Inputs,
    work: GroupWork,
    *,
    listener: Listener,
    stop: Stop,
    fields: Mapping[str, log.Field] | None = None,
) -> Reviewed | Skipped:
    """The group's verdict; its findings are told in the run. Raises SparkError where there can be none."""
    warm(wanted_model(shared, inputs))
    place = shared.own_place(work.repo, 0)
    done = review_group(
        shared,
        place.client,
        Group(
            repo=work.repo,
            base_sha=work.base_sha,
            head_sha=work.head_sha,
            head_ref=work.head_ref,
            base_ref=work.base_ref,
        ),
        installation=place.installation,
        request=request(inputs),
        listener=listener,
        stop=stop,
        run=uuid.uuid4().hex[:12],
        configured=lambda opened: configured(opened, inputs.config),
        memory=RepoMemory(place.client, work.repo, stop=stop),
        fields=fields,
    )
    if isinstance(done, GroupSkipped):
        return Skipped(reason=done.reason, head=work.head_sha)
    review = replace(done.review, notices=(*done.review.notices, done.told))
    return Reviewed(review=review, began=done.began, untold=WHERE)
