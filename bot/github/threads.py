"""The threads of a pull's line comments, as values. Read by GraphQL alone: REST knows neither threads nor who resolved one.

Changes nothing. What is ours is told as in `notes`; comments of a review that is not submitted are nobody's business yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bot.commands.grammar import parse
from bot.commands.model import Command, Verb
from bot.diff.model import Side
from bot.errors import NotPermittedError, OutsideError
from bot.github import limits
from bot.github.client import GitHubClient, GraphReply
from bot.github.faults import RateLimitedError
from bot.github.notes import BOT, is_by
from bot.review.memory import CommentId, Said, Thread, ThreadId
from bot.review.model import RepoName
from bot.review.ports import Stop

_COMMENT: Final = """fragment Comment on PullRequestReviewComment {
  id databaseId body url author { __typename login } reactionGroups { content viewerHasReacted } pullRequestReview { state }
}"""
_THREAD: Final = f"""fragment Thread on PullRequestReviewThread {{
  id path diffSide line startLine originalLine isResolved isOutdated resolvedBy {{ id login }}
  comments(first: {limits.PER_PAGE}) {{ pageInfo {{ hasNextPage endCursor }} nodes {{ ...Comment }} }}
  first: comments(first: 1) {{ nodes {{
    reactions(content: THUMBS_DOWN, first: {limits.THUMBS_READ}) {{ nodes {{ user {{ id login }} }} }}
  }} }}
}}
{_COMMENT}"""
_PAGE: Final = f"""query ($owner: String!, $name: String!, $number: Int!, $first: Int!, $after: String) {{
  repository(owner: $owner, name: $name) {{ pullRequest(number: $number) {{
    author {{ __typename login }}
    reviewThreads(first: $first, after: $after) {{ pageInfo {{ hasNextPage endCursor }} nodes {{ ...Thread }} }}
  }} }}
}}
{_THREAD}"""
_SOME: Final = f"query ($ids: [ID!]!) {{ nodes(ids: $ids) {{ ...Thread }} }}\n{_THREAD}"
_MORE: Final = f"""query ($id: ID!, $after: String) {{ node(id: $id) {{ ... on PullRequestReviewThread {{
  comments(first: {limits.PER_PAGE}, after: $after) {{ pageInfo {{ hasNextPage endCursor }} nodes {{ ...Comment }} }}
}} }} }}
{_COMMENT}"""
_HEEDED: Final = frozenset({"THUMBS_UP", "ROCKET"})
"""Reactions of ours that answer somebody. Eyes only say that we have seen it, and a confused face that we had no answer."""
_BOT_IDS: Final = ("BOT_", "MDM6Qm90")
"""How the ids of Apps' accounts begin, in GraphQL's new form and its old one. [seen] What has the type User may be one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadPage:
    """Some threads as GitHub gave them, not yet told apart by who we are."""

    nodes: Sequence[Mapping[str, Any]]
    author: str
    """Login of the pull's author; empty when the account is gone."""
    after: str | None
    """Where the next page begins; None for the last one."""


class Threads:
    """Reads the threads of one pull."""

    def __init__(self, client: GitHubClient, repo: RepoName, number: int, *, stop: Stop) -> None:
        self._client = client
        self._repo = repo
        self._number = number
        self._stop = stop
        self._doing = f"reading the threads of {repo}#{number}"

    def page(self, after: str | None = None) -> ThreadPage:
        """One page of threads, oldest first. Raises NotPermittedError and OutsideError."""
        try:
            return self._page(after, limits.PER_PAGE)
        except RateLimitedError:
            raise
        except OutsideError:
            if self._stop.left() <= 0:
                raise
            # What GraphQL cannot finish within its ten seconds is answered with a 502.
            return self._page(after, limits.THREADS_PER_SMALL_PAGE)

    def all(self, first: ThreadPage, ours: str | None) -> list[Thread]:
        """Every thread. `ours` is the login that we write as, None where GitHub does not say."""
        page = first
        threads = list(self._read(page.nodes, ours))
        while page.after is not None:
            page = self.page(page.after)
            threads += self._read(page.nodes, ours)
        return threads

    def some(self, ids: Sequence[ThreadId], ours: str | None) -> dict[ThreadId, Thread]:
        """Those of these threads that are still there, as they are now."""
        found: dict[ThreadId, Thread] = {}
        for start in range(0, len(ids), limits.PER_PAGE):
            asked = list(ids[start : start + limits.PER_PAGE])
            # A thread that is gone is null, with an error beside it.
            reply = self._client.graphql(_SOME, {"ids": asked}, stop=self._stop, doing=self._doing)
            nodes = [node for node in reply.data.get("nodes") or () if isinstance(node, Mapping) and node.get("id")]
            found |= {thread.id: thread for thread in self._read(nodes, ours)}
        return found

    def _page(self, after: str | None, size: int) -> ThreadPage:
        owner, _, name = self._repo.partition("/")
        given = {"owner": owner, "name": name, "number": self._number, "first": size, "after": after}
        reply = self._client.graphql(_PAGE, given, stop=self._stop, doing=self._doing)
        repository = reply.data.get("repository")
        pull = repository.get("pullRequest") if isinstance(repository, Mapping) else None
        if not isinstance(pull, Mapping):
            raise _nothing(reply, self._doing)
        nodes, following = _nodes(pull.get("reviewThreads"))
        author, _ = _account(pull.get("author"))
        return ThreadPage(nodes=nodes, author=author, after=following)

    def _read(self, nodes: Sequence[Mapping[str, Any]], ours: str | None) -> Iterator[Thread]:
        for node in nodes:
            comments = [each for each in self._comments(node) if not _is_pending(each)]
            if comments:
                yield _thread(node, comments, ours)

    def _comments(self, node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        comments, after = _nodes(node.get("comments"))
        found = list(comments)
        while after is not None:
            reply = self._client.graphql(_MORE, {"id": node["id"], "after": after}, stop=self._stop, doing=self._doing)
            more = reply.data.get("node")
            if not isinstance(more, Mapping):
                # Deleted meanwhile: what was read of it stands.
                break
            comments, after = _nodes(more.get("comments"))
            found += comments
        return found


def _thread(node: Mapping[str, Any], comments: Sequence[Mapping[str, Any]], ours: str | None) -> Thread:
    resolver = node.get("resolvedBy")
    by, by_bot = _account(resolver)
    return Thread(
        id=ThreadId(node["id"]),
        path=str(node.get("path") or ""),
        side=Side.LEFT if node.get("diffSide") == "LEFT" else Side.RIGHT,
        line=_line(node, "line"),
        start_line=_line(node, "startLine"),
        original_line=_line(node, "originalLine"),
        is_resolved=node.get("isResolved") is True,
        resolved_by=by,
        resolved_by_us=is_by(by, ours, is_bot=by_bot),
        is_outdated=node.get("isOutdated") is True,
        comments=tuple(
            _said(each, ours, thumbs=_thumbs(node, ours) if number == 0 else ()) for number, each in enumerate(comments)
        ),
    )


def _said(node: Mapping[str, Any], ours: str | None, *, thumbs: tuple[str, ...]) -> Said:
    login, is_bot = _account(node.get("author"))
    reactions = _our_reactions(node)
    body = str(node.get("body") or "")
    return Said(
        id=CommentId(number if isinstance(number := node.get("databaseId"), int) else 0),
        login=login,
        is_ours=is_by(login, ours, is_bot=is_bot),
        is_bot=is_bot,
        body=body,
        url=str(node.get("url") or ""),
        heeded=bool(reactions & _HEEDED) or ("EYES" in reactions and _is_fix(body)),
        thumbs_down=thumbs,
        node=str(node.get("id") or ""),
    )


def _our_reactions(node: Mapping[str, Any]) -> frozenset[str]:
    groups = [group for group in node.get("reactionGroups") or () if isinstance(group, Mapping)]
    return frozenset(str(group.get("content")) for group in groups if group.get("viewerHasReacted") is True)


def _is_fix(body: str) -> bool:
    """Whether it asks for a fix. The commit of one is reviewed while its answer is still written, and nobody is waiting for words
    then.
    """
    if "/spark" not in body.lower():
        return False
    command = parse(body)
    return isinstance(command, Command) and command.verb is Verb.FIX


def _thumbs(node: Mapping[str, Any], ours: str | None) -> tuple[str, ...]:
    first, _ = _nodes(node.get("first"))
    reactions, _ = _nodes(first[0].get("reactions")) if first else ([], None)
    people = [_account(reaction.get("user")) for reaction in reactions]
    return tuple(login for login, is_bot in people if login and not is_bot and not is_by(login, ours, is_bot=is_bot))


def _account(actor: Any) -> tuple[str, bool]:
    """Login and whether it is an App's, whose login ends in `[bot]` here as in REST; empty for an account that is gone."""
    if not isinstance(actor, Mapping) or not isinstance(login := actor.get("login"), str):
        return "", False
    is_bot = actor.get("__typename") == "Bot" or login.endswith(BOT) or str(actor.get("id") or "").startswith(_BOT_IDS)
    return (login.removesuffix(BOT) + BOT if is_bot else login), is_bot


def _is_pending(comment: Mapping[str, Any]) -> bool:
    review = comment.get("pullRequestReview")
    return isinstance(review, Mapping) and review.get("state") == "PENDING"


def _nodes(connection: Any) -> tuple[list[Mapping[str, Any]], str | None]:
    """The nodes of a page, and where the next one begins."""
    if not isinstance(connection, Mapping):
        return [], None
    nodes = [node for node in connection.get("nodes") or () if isinstance(node, Mapping)]
    info = connection.get("pageInfo")
    more = isinstance(info, Mapping) and info.get("hasNextPage") is True
    return nodes, info.get("endCursor") if more and isinstance(info, Mapping) else None


def _line(node: Mapping[str, Any], key: str) -> int | None:
    value = node.get(key)
    return value if isinstance(value, int) else None


def _nothing(reply: GraphReply, doing: str) -> Exception:
    why = "; ".join(reply.errors) or "no reason given"
    if any(error.startswith(("NOT_FOUND", "FORBIDDEN")) for error in reply.errors):
        return NotPermittedError(
            f"GitHub's GraphQL gave nothing while {doing}: {why}", remedy="Check the token's rights"
        )
    return OutsideError(f"GitHub's GraphQL gave nothing while {doing}: {why}")
