"""Comments of the conversation, and the reactions under everything that is said, as GraphQL objects and mutations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from bot.sandbox.github import reactions
from bot.sandbox.github.access import sees
from bot.sandbox.github.call import Call
from bot.sandbox.github.graph_base import Node, connection, user
from bot.sandbox.github.records import IssueComment, Json, Reaction

if TYPE_CHECKING:
    from bot.sandbox.github.reactions import Reactable
    from bot.sandbox.github.repo import Repo

_REST = {name: rest for rest, name in reactions.GRAPHQL.items()}


def issue_comment(call: Call, repo: Repo, record: IssueComment) -> Node:
    """An IssueComment."""
    return {
        "__typename": "IssueComment",
        "id": record.node_id,
        "databaseId": record.id,
        "author": user(call, record.author),
        "body": record.body,
        "url": f"{call.urls.web}/{repo.full_name}/pull/{record.pull.number}#issuecomment-{record.id}",
        "createdAt": record.created_at,
        "updatedAt": record.updated_at,
        "isMinimized": record.minimized is not None,
        "minimizedReason": record.minimized,
        "viewerDidAuthor": record.author is call.who.user,
    } | reactable(call, repo, record, lambda: issue_comment(call, repo, record))


def reactable(call: Call, repo: Repo, record: Reactable, subject: Callable[[], Node]) -> Node:
    """The fields of Reactable. `subject` renders what is reacted to."""
    return {
        "viewerCanReact": call.who.user is not None and sees(call.world, call.who, repo),
        "reactionGroups": lambda _: groups(call, record, subject),
        "reactions": lambda _, **args: _reactions(call, record, subject, args),
    }


def groups(call: Call, record: Reactable, subject: Callable[[], Node]) -> list[Node]:
    """A ReactionGroup for each of the eight, also where nobody gave it."""
    return [_group(call, record, subject, content) for content in reactions.REACTIONS]


def _group(call: Call, record: Reactable, subject: Callable[[], Node], content: str) -> Node:
    found = [each for each in record.reactions if each.content == content]
    return {
        "content": reactions.GRAPHQL[content],
        "createdAt": found[0].created_at if found else None,
        "reactors": lambda _, **args: connection("reactors", found, lambda each: user(call, each.user), args),
        "subject": lambda _: subject(),
        "viewerHasReacted": any(each.user is call.who.user for each in found),
    }


def _reactions(call: Call, record: Reactable, subject: Callable[[], Node], args: Mapping[str, Json]) -> Node:
    wanted = args.get("content")
    found = [each for each in record.reactions if wanted in {None, reactions.GRAPHQL[each.content]}]
    order = args.get("orderBy")
    if order is not None and order["direction"] == "DESC":
        found.reverse()
    page = connection("reactions", found, lambda each: reaction(call, each, subject), args)
    return page | {"viewerHasReacted": any(each.user is call.who.user for each in found)}


def reaction(call: Call, record: Reaction, subject: Callable[[], Node]) -> Node:
    """A Reaction."""
    return {
        "__typename": "Reaction",
        "id": record.node_id,
        "databaseId": record.id,
        "content": reactions.GRAPHQL[record.content],
        "createdAt": record.created_at,
        "user": user(call, record.user),
        "reactable": lambda _: subject(),
    }


def reacted(call: Call, record: Reactable, given: Reaction | None, subject: Callable[[], Node]) -> Node:
    """The payload of addReaction and removeReaction."""
    return {
        "reaction": reaction(call, given, subject) if given is not None else None,
        "reactionGroups": groups(call, record, subject),
        "subject": subject(),
    }


def rest_name(content: str) -> str:
    """GraphQL's name of a reaction as REST has it."""
    return _REST[content]
