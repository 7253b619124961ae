"""What a GraphQL caller may touch: records by global id, permissions as REST has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from bot.sandbox.github import graph_objects as objects
from bot.sandbox.github.access import require, sees
from bot.sandbox.github.call import ApiError, Call
from bot.sandbox.github.graph_errors import FORBIDDEN, RefusedError, no_node

if TYPE_CHECKING:
    from bot.sandbox.github.repo import Repo

T = TypeVar("T")


def record_of(call: Call, node_id: str, kind: type[T], needs: str) -> tuple[Repo, T]:
    """The record of a global id and its repository. RefusedError when it is not there or not allowed."""
    record = call.world.nodes.get(node_id)
    repo = objects.repo_of(call, record)
    if repo is None or not isinstance(record, kind) or not sees(call.world, call.who, repo):
        raise no_node(node_id)
    may(call, repo, needs)
    return repo, record


def may(call: Call, repo: Repo, needs: str) -> None:
    """RefusedError FORBIDDEN when the caller may not do what `needs` names, such as `contents:write`."""
    try:
        require(call.world, call.who, repo, needs)
    except ApiError as error:
        raise RefusedError("FORBIDDEN", FORBIDDEN.get(call.who.kind, error.message)) from error
