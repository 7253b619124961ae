"""Reactions under review comments and conversation comments."""

from __future__ import annotations

from bot.sandbox.github import reactions
from bot.sandbox.github.call import Call, Reply, Route, not_found, validation_failed
from bot.sandbox.github.records import Comment, IssueComment
from bot.sandbox.github.routes_comments import find_comment, find_issue_comment
from bot.sandbox.github.shapes_pulls import reaction_json


def _subject(call: Call) -> Comment | IssueComment:
    return find_comment(call) if "/pulls/" in call.path else find_issue_comment(call)


def list_reactions(call: Call) -> Reply:
    """The reactions under a comment."""
    wanted = call.query.get("content")
    return call.page(
        [reaction_json(call.urls, each) for each in _subject(call).reactions if wanted in {None, each.content}]
    )


def create_reaction(call: Call) -> Reply:
    """React; 200 with the old reaction when it was there already."""
    content = call.needed("content")
    if content not in reactions.REACTIONS:
        raise validation_failed({"resource": "Reaction", "code": "custom", "field": "content", "message": "is invalid"})
    reaction, is_new = reactions.put(call.world, _subject(call), call.user, content)
    return Reply(status=201 if is_new else 200, data=reaction_json(call.urls, reaction))


def delete_reaction(call: Call) -> Reply:
    """Take a reaction back."""
    found = _subject(call).reactions
    for each in found:
        if each.id == int(call.args["reaction"]):
            found.remove(each)
            return Reply(status=204)
    raise not_found()


_DOCS = "reactions/reactions#"
_READ, _WRITE = "pull_requests:read", "pull_requests:write"
_TALK_READ, _TALK_WRITE = "issues:read|pull_requests:read", "issues:write|pull_requests:write"
_ONE = "/repos/<owner>/<name>/pulls/comments/<int:comment>/reactions"
_TALK = "/repos/<owner>/<name>/issues/comments/<int:comment>/reactions"

ROUTES = {
    ("GET", _ONE): Route(
        run=list_reactions, needs=_READ, docs=f"{_DOCS}list-reactions-for-a-pull-request-review-comment"
    ),
    ("POST", _ONE): Route(
        run=create_reaction, needs=_WRITE, docs=f"{_DOCS}create-reaction-for-a-pull-request-review-comment"
    ),
    ("DELETE", f"{_ONE}/<int:reaction>"): Route(
        run=delete_reaction, needs=_WRITE, docs=f"{_DOCS}delete-a-pull-request-comment-reaction"
    ),
    ("GET", _TALK): Route(run=list_reactions, needs=_TALK_READ, docs=f"{_DOCS}list-reactions-for-an-issue-comment"),
    ("POST", _TALK): Route(run=create_reaction, needs=_TALK_WRITE, docs=f"{_DOCS}create-reaction-for-an-issue-comment"),
    ("DELETE", f"{_TALK}/<int:reaction>"): Route(
        run=delete_reaction, needs=_TALK_WRITE, docs=f"{_DOCS}delete-an-issue-comment-reaction"
    ),
}
