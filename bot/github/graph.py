"""Changes that only GraphQL makes and that are the same twice as once: threads resolved, reactions, comments folded away.

For these a lost answer needs no look: they are simply sent again, a few times at most.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from bot.errors import NotPermittedError, OutsideError, UserError
from bot.github import limits
from bot.github.client import GitHubClient, Mutated, mutated
from bot.github.faults import Cut, Reply, error_for, rate_wait
from bot.github.mutations import REFUSALS
from bot.github.pace import Pace
from bot.review.memory import Thread
from bot.review.ports import Stop

_RESOLVE: Final = (
    "mutation ($input: ResolveReviewThreadInput!) { resolveReviewThread(input: $input) { thread { id } } }"
)
_UNRESOLVE: Final = (
    "mutation ($input: UnresolveReviewThreadInput!) { unresolveReviewThread(input: $input) { thread { id } } }"
)
_REACT: Final = "mutation ($input: AddReactionInput!) { addReaction(input: $input) { reaction { content } } }"
_HIDE: Final = (
    "mutation ($input: MinimizeCommentInput!) { minimizeComment(input: $input) { minimizedComment { isMinimized } } }"
)
_MAY_RESOLVE: Final = "resolving takes the permission contents: write, which this token does not have"
"""[seen] For an App; `pull_requests: write` alone is answered with FORBIDDEN."""


class Graph:
    """Sends such changes for one job."""

    def __init__(self, client: GitHubClient, *, pace: Pace, stop: Stop) -> None:
        self._client = client
        self._pace = pace
        self._stop = stop

    def resolve(self, thread: Thread) -> str:
        """Resolve a thread; empty, or why GitHub refused. Raises OutsideError while GitHub is away, OutOfTimeError."""
        return self._settle(_RESOLVE, thread, "resolving a thread")

    def unresolve(self, thread: Thread) -> str:
        """Open a thread again, likewise."""
        return self._settle(_UNRESOLVE, thread, "opening a thread again")

    def react(self, node_id: str, content: str) -> None:
        """Put a reaction on a comment or review, at once: a reaction is no content, so it waits for nobody's turn.

        Raises NotPermittedError, OutsideError.
        """
        found = self._send(_REACT, {"subjectId": node_id, "content": content}, "putting a reaction", self._at_once)
        if found.data is None:
            raise NotPermittedError(
                f"GitHub took no reaction: {found.why}",
                remedy="The token needs issues: write and pull_requests: write, and the comment must still be there",
            )

    def hide(self, node_id: str) -> str:
        """Fold a comment away as outdated; empty, or why GitHub refused."""
        found = self._send(
            _HIDE, {"subjectId": node_id, "classifier": "OUTDATED"}, "folding a comment away", self._in_turn
        )
        return "" if found.data is not None else found.why

    def _settle(self, mutation: str, thread: Thread, doing: str) -> str:
        try:
            found = self._send(mutation, {"threadId": thread.id}, doing, self._in_turn)
        except UserError as error:
            return error.what
        return "" if found.data is not None else unsettled(found)

    def _send(
        self,
        mutation: str,
        given: Mapping[str, Any],
        doing: str,
        send: Callable[[Callable[[], Reply | Cut]], Reply | Cut],
    ) -> Mutated:
        answer: Reply | Cut = Cut(reason="not sent")
        why = ""
        for _ in range(limits.STEP_TRIES):
            answer = send(lambda: self._client.mutate(mutation, given, stop=self._stop))
            if isinstance(answer, Reply) and answer.ok:
                found = mutated(answer)
                if found.data is not None or found.is_a(*REFUSALS):
                    return found
                # GraphQL's own failures come with a 200 as well.
                why = found.why
            elif isinstance(answer, Reply) and answer.status < 500:
                raise error_for(answer, doing=doing)
            if self._stop.left() <= 0:
                break
        if why:
            raise OutsideError(f"GitHub's GraphQL failed while {doing}: {why}")
        raise error_for(answer, doing=doing)

    def _in_turn(self, send: Callable[[], Reply | Cut]) -> Reply | Cut:
        return self._pace.write(send, stop=self._stop)

    def _at_once(self, send: Callable[[], Reply | Cut]) -> Reply | Cut:
        answer = send()
        wait = rate_wait(answer) if isinstance(answer, Reply) else None
        if wait is not None and self._client.pause(self._stop, wait):
            return send()
        return answer


def unsettled(found: Mutated) -> str:
    """Why GitHub refused to resolve a thread, or to open it again."""
    return _MAY_RESOLVE if found.is_a("FORBIDDEN", "INSUFFICIENT_SCOPES") else found.why
