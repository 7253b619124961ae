"""Several changes in one GraphQL document, each with an alias of its own, and what became of each.

GitHub makes them one after the other, in the document's order; one that it refuses is null, with an error beside it that names
its alias, and those behind it are made all the same [GraphQL specification, mutations and errors]. What is not known to be done
is looked for, and only what is missing is asked for again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from bot.errors import OutsideError, UserError
from bot.github import limits
from bot.github.client import GitHubClient, Mutated
from bot.github.faults import Cut, Reply, error_for, redact
from bot.github.pace import OutOfTimeError, Pace
from bot.review.ports import Stop

NO_TIME: Final = "there was no time left for it"
REFUSALS: Final = ("FORBIDDEN", "NOT_FOUND", "INSUFFICIENT_SCOPES", "UNPROCESSABLE")
"""Types of an error after which the same would be refused again. Any other is GitHub's own trouble."""
_TOO_FAST: Final = ("rate limit", "submitted too quickly")
_WORDS: Final = 300
"""Characters of an error's message."""

Look = Callable[[Collection[str]], Mapping[str, str]]
"""Told of aliases, gives those of which it is settled: "" for what is made already, or why it is not to be made any more."""


class Verb(Enum):
    """A mutation of GitHub's: its field, the type of its input, and what is asked of its answer."""

    REPLY = ("addPullRequestReviewThreadReply", "AddPullRequestReviewThreadReplyInput", "comment { id }")
    EDIT = (
        "updatePullRequestReviewComment",
        "UpdatePullRequestReviewCommentInput",
        "pullRequestReviewComment { id }",
    )
    RESOLVE = ("resolveReviewThread", "ResolveReviewThreadInput", "thread { id }")
    UNRESOLVE = ("unresolveReviewThread", "UnresolveReviewThreadInput", "thread { id }")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One mutation."""

    alias: str
    """A GraphQL name, its own in the document."""
    verb: Verb
    given: Mapping[str, Any]


def document(changes: Sequence[Change]) -> tuple[str, dict[str, Any]]:
    """The text of one document with all of them, at least one, and its variables. No text of ours stands in the document."""
    heads, lines, variables = [], [], {}
    for change in changes:
        field, type_, asked = change.verb.value
        heads.append(f"${change.alias}: {type_}!")
        lines.append(f"  {change.alias}: {field}(input: ${change.alias}) {{ {asked} }}")
        variables[change.alias] = dict(change.given)
    return f"mutation ({', '.join(heads)}) {{\n" + "\n".join(lines) + "\n}", variables


def outcomes(answer: Reply, changes: Sequence[Change]) -> dict[str, Mutated]:
    """What became of each, by alias. An error that names no alias is told of all that gave nothing.

    OutsideError when the answer is no JSON.
    """
    body = answer.json()
    body = body if isinstance(body, dict) else {}
    data = body.get("data")
    data = data if isinstance(data, dict) else {}
    errors: dict[str, list[str]] = {}
    common: list[str] = []
    for error in body.get("errors") or ():
        if not isinstance(error, dict):
            continue
        told = redact(f"{error.get('type') or 'ERROR'}: {error.get('message') or ''}")[:_WORDS]
        path = error.get("path")
        (errors.setdefault(str(path[0]), []) if isinstance(path, list) and path else common).append(told)
    found = {}
    for change in changes:
        given = data.get(change.alias)
        told_here = tuple(errors.get(change.alias, ()))
        is_done = isinstance(given, dict)
        found[change.alias] = Mutated(
            data=given if is_done else None, errors=told_here if is_done else (*told_here, *common)
        )
    return found


class Batches:
    """Makes changes in as few requests as GitHub takes. Each request is one write of the pace."""

    def __init__(self, client: GitHubClient, *, pace: Pace, stop: Stop) -> None:
        self._client = client
        self._pace = pace
        self._stop = stop

    def make(
        self,
        changes: Sequence[Change],
        *,
        doing: str,
        needs: str = "",
        refusal: Callable[[Mutated], str] = lambda found: found.why,
        look: Look | None = None,
    ) -> dict[str, str]:
        """Make them all. Gives for each alias "" or why it was not made; `refusal` words GitHub's own reason.

        `look` is asked before anything is sent again; None where twice is the same as once. Raises OutsideError while GitHub is away.
        """
        told: dict[str, str] = {}
        size = limits.STEPS_PER_DOCUMENT
        for start in range(0, len(changes), size):
            told |= self._make(changes[start : start + size], doing, needs, refusal, look)
        return told

    def _make(
        self,
        changes: Sequence[Change],
        doing: str,
        needs: str,
        refusal: Callable[[Mutated], str],
        look: Look | None,
    ) -> dict[str, str]:
        told: dict[str, str] = {}
        answer: Reply | Cut = Cut(reason="not sent")
        why = ""
        for _ in range(limits.POST_TRIES if look is not None else limits.STEP_TRIES):
            todo = [change for change in changes if change.alias not in told]
            try:
                answer = self._send(todo)
            except OutOfTimeError:
                return told | dict.fromkeys((change.alias for change in todo), NO_TIME)
            if isinstance(answer, Reply) and not answer.ok and answer.status < 500:
                error = error_for(answer, doing=doing, needs=needs)
                if not isinstance(error, UserError):
                    raise error
                return told | dict.fromkeys((change.alias for change in todo), error.what)
            found = outcomes(answer, todo) if isinstance(answer, Reply) and answer.ok else {}
            told |= {
                alias: refusal(each) if each.data is None else "" for alias, each in found.items() if _is_over(each)
            }
            missing = {change.alias: found.get(change.alias) for change in todo if change.alias not in told}
            why = next((each.why for each in missing.values() if each is not None), "")
            if any(each is not None and is_too_fast(each) for each in missing.values()):
                if not self._pace.pause(limits.SECONDARY_WAIT, stop=self._stop):
                    return told | dict.fromkeys(missing, NO_TIME)
            elif missing and look is not None:
                told |= self._looked(missing, look)
            if len(told) == len(changes):
                return told
            if self._stop.left() <= 0:
                break
        if why:
            raise OutsideError(f"GitHub's GraphQL failed while {doing}: {why}")
        raise error_for(answer, doing=doing, needs=needs)

    def _send(self, changes: Sequence[Change]) -> Reply | Cut:
        text, variables = document(changes)
        return self._pace.write(lambda: self._client.mutate_all(text, variables, stop=self._stop), stop=self._stop)

    def _looked(self, missing: Collection[str], look: Look) -> Mapping[str, str]:
        """What `look` gives. What answered 502 may become visible a moment later, so there are two looks."""
        found = look(missing)
        if len(found) < len(missing) and self._pace.pause(limits.SECONDS_BETWEEN_WRITES, stop=self._stop):
            found = look(missing)
        return found


def _is_over(found: Mutated) -> bool:
    """Whether there is nothing to be gained by asking again."""
    return found.data is not None or (found.is_a(*REFUSALS) and not is_too_fast(found))


def is_too_fast(found: Mutated) -> bool:
    """GitHub's limit on how fast content may be made, of which nothing was made."""
    return found.is_a("RATE_LIMITED") or any(words in found.why.lower() for words in _TOO_FAST)
