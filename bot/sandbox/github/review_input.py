"""Comments as clients send them, read and held against GitHub's rules. Gives places, or raises GitHub's 422."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.diff.model import Side
from bot.sandbox.github.call import ApiError, Call, invalid_request, unprocessable, validation_failed
from bot.sandbox.github.records import Json, Pull
from bot.sandbox.github.rules import BLANK_BODY, Place, Refusal, Spot, find_place, one_text
from bot.sandbox.github.threads import NewComment

if TYPE_CHECKING:
    from bot.sandbox.github.repo import Repo

_REVIEW_COMMENT_KEYS = ("path", "position", "body", "line", "side", "start_line", "start_side")
_COMMIT_REFUSAL = "Start commit oid is not part of the pull request"


def too_long(call: Call, text: str) -> bool:
    """Whether a body is longer than GitHub stores."""
    return len(text) > call.options.limits.body_characters


def too_long_text(call: Call) -> str:
    """GitHub's words for that."""
    return f"body is too long (maximum is {call.options.limits.body_characters} characters)"


def check_body(call: Call, body: str, resource: str) -> None:
    """ApiError 422 when a comment's body is blank or too long."""
    if not body.strip():
        raise validation_failed({"resource": resource, "code": "missing_field", "field": "body"})
    if too_long(call, body):
        raise validation_failed(
            {"resource": resource, "code": "custom", "field": "body", "message": too_long_text(call)}
        )


def commit_of_pull(repo: Repo, pull: Pull, wanted: str | None) -> str | None:
    """The full sha of the commit a client names; the head for None; None when the pull has no such commit."""
    if wanted is None:
        return pull.head_sha
    if wanted == pull.head_sha:
        return wanted
    return next((commit.sha for commit in repo.commits(pull) if commit.sha == wanted), None)


def review_comments(call: Call, repo: Repo, pull: Pull, commit: str | None) -> list[NewComment]:
    """The `comments` of a new review: all of them, or ApiError 422 for all together."""
    entries = call.fields.get("comments")
    if entries is None:
        entries = []
    if not isinstance(entries, list):
        raise invalid_request("For 'properties/comments', the value is not an array.")
    spots = [_review_spot(index, entry) for index, entry in enumerate(entries)]
    if commit is None:
        raise unprocessable(_COMMIT_REFUSAL)
    refusals: list[Refusal] = []
    found: list[NewComment] = []
    diff = repo.diff(pull, commit)
    for spot, body in spots:
        if not body.strip():
            refusals.append(BLANK_BODY)
        if too_long(call, body):
            refusals.append(Refusal(field="", text=too_long_text(call).capitalize()))
        place = find_place(diff, spot)
        if isinstance(place, Place):
            found.append(NewComment(place=place, body=body))
        else:
            refusals.extend(place)
    if refusals:
        raise unprocessable(one_text(refusals))
    return found


def _review_spot(index: int, entry: Json) -> tuple[Spot, str]:
    if not isinstance(entry, dict):
        raise invalid_request(f"For 'items', {entry!r} is not an object.")
    for key in entry:
        if key not in _REVIEW_COMMENT_KEYS:
            raise invalid_request(f'"{key}" is not a permitted key.')
    path, body = entry.get("path"), entry.get("body")
    if not isinstance(path, str) or not isinstance(body, str):
        missing = "path" if not isinstance(path, str) else "body"
        raise invalid_request(f"For 'properties/comments/items/{index}', \"{missing}\" wasn't supplied.")
    return _spot(entry, path), body


def _spot(entry: dict[str, Json], path: str, *, whole_file: bool = False) -> Spot:
    line, start_line, position = (_number(entry, name) for name in ("line", "start_line", "position"))
    if line is None and position is None and not whole_file:
        raise invalid_request(
            'No subschema in "oneOf" matched.\nMore than one subschema in "oneOf" could be meant: "position" wasn\'t '
            'supplied.\n"line" wasn\'t supplied.'
        )
    start_side = entry.get("start_side")
    return Spot(
        path=path,
        line=line,
        side=_side(entry, "side") if entry.get("side") is not None else Side.RIGHT,
        start_line=start_line,
        start_side=_side(entry, "start_side") if start_side not in {None, "side"} else None,
        position=position,
        whole_file=whole_file,
    )


def _number(entry: dict[str, Json], name: str) -> int | None:
    value = entry.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise invalid_request(f"For 'properties/{name}', {value!r} is not an integer.")
    return value


def _side(entry: dict[str, Json], name: str) -> Side:
    value = entry.get(name)
    if value not in {"LEFT", "RIGHT"}:
        raise invalid_request(f'For \'properties/{name}\', {value!r} is not a member of ["LEFT", "RIGHT"].')
    return Side(value)


def single_comment(call: Call, repo: Repo, pull: Pull) -> tuple[NewComment, str]:
    """The comment of `POST pulls/N/comments` and its commit. ApiError 422 in that endpoint's form."""
    body, path, wanted = call.needed("body"), call.needed("path"), call.needed("commit_id")
    subject = call.fields.get("subject_type", "line")
    if subject not in {"line", "file"}:
        raise invalid_request(f'For \'properties/subject_type\', {subject!r} is not a member of ["line", "file"].')
    spot = _spot(call.fields, path, whole_file=subject == "file")
    check_body(call, body, "PullRequestReviewComment")
    commit = commit_of_pull(repo, pull, wanted)
    if commit is None:
        field = "pull_request_review_thread.end_commit_oid"
        raise validation_failed(
            {
                "resource": "PullRequestReviewComment",
                "code": "custom",
                "field": field,
                "message": f"{field} is not part of the pull request",
            }
        )
    place = find_place(repo.diff(pull, commit), spot)
    if not isinstance(place, Place):
        raise _refused(place)
    return NewComment(place=place, body=body), commit


def _refused(refusals: tuple[Refusal, ...]) -> ApiError:
    return validation_failed(*(refusal.entry for refusal in refusals))
