"""The control door's part of what people say on a pull: `/_sandbox/comments` and its neighbours, as `talk.py` has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from bot.diff.model import Side
from bot.sandbox.github import talk
from bot.sandbox.github.gate import Site
from bot.sandbox.github.records import Comment, IssueComment, Json, Review

if TYPE_CHECKING:
    from bot.sandbox.github.repo import Repo

Asked = dict[str, Json]


def _say(site: Site, asked: Asked) -> Asked:
    """`{repo, number, body, by}`: in the conversation."""
    made = talk.say(site.world.repo(asked["repo"]), int(asked["number"]), asked["body"], by=asked["by"])
    return _named(made)


def _reply(site: Site, asked: Asked) -> Asked:
    """`{repo, comment, body, by}`: in the thread of a review comment."""
    repo = site.world.repo(asked["repo"])
    return _named(talk.reply(repo, repo.comments[int(asked["comment"])], asked["body"], by=asked["by"]))


def _thread(site: Site, asked: Asked) -> Asked:
    """`{repo, number, body, by, path, line, side?, start_line?}`: on lines of the diff."""
    place = {name: asked[name] for name in ("path", "line", "start_line") if name in asked}
    made = talk.begin_thread(
        site.world.repo(asked["repo"]),
        int(asked["number"]),
        asked["body"],
        by=asked["by"],
        side=Side(asked.get("side", "RIGHT")),
        **place,
    )
    return _named(made)


def _review(site: Site, asked: Asked) -> Asked:
    """`{repo, number, body, by, state?}`: a review with a text."""
    state = asked.get("state", "COMMENTED")
    repo = site.world.repo(asked["repo"])
    return _named(talk.review(repo, int(asked["number"]), asked["body"], by=asked["by"], state=state))


def _react(site: Site, asked: Asked) -> Asked:
    """`{repo, id, content, by}`: under a comment or a review."""
    repo = site.world.repo(asked["repo"])
    return {"id": talk.react(repo, _said(repo, int(asked["id"])), asked["content"], by=asked["by"]).id}


def _edit(site: Site, asked: Asked) -> Asked:
    """`{repo, id, body, by?}`: another text for a comment or a review."""
    repo = site.world.repo(asked["repo"])
    talk.edit(repo, _said(repo, int(asked["id"])), asked["body"], by=asked.get("by"))
    return {"ok": True}


def _resolve(site: Site, asked: Asked) -> Asked:
    """`{repo, comment, by, undo?}`: the thread of a review comment, resolved or opened again."""
    repo = site.world.repo(asked["repo"])
    thread = repo.comments[int(asked["comment"])].thread
    (talk.unresolve if asked.get("undo") else talk.resolve)(repo, thread, by=asked["by"])
    return {"resolved_by": thread.resolved_by.login if thread.resolved_by else None}


def _commit_suggestions(site: Site, asked: Asked) -> Asked:
    """`{repo, comments, by}`: the button under each, in one commit."""
    repo = site.world.repo(asked["repo"])
    comments = [repo.comments[int(each)] for each in asked["comments"]]
    return {"sha": talk.commit_suggestions(repo, comments, by=asked["by"])}


def _said(repo: Repo, number: int) -> Comment | IssueComment | Review:
    for known in (repo.comments, repo.issue_comments, repo.reviews):
        if number in known:
            return known[number]
    raise KeyError(number)


def _named(made: Comment | IssueComment | Review) -> Asked:
    return {"id": made.id, "node_id": made.node_id}


ACTIONS: dict[tuple[str, str], Callable[[Site, Asked], Asked]] = {
    ("POST", "comments"): _say,
    ("POST", "replies"): _reply,
    ("POST", "threads"): _thread,
    ("POST", "reviews"): _review,
    ("POST", "reactions"): _react,
    ("POST", "edits"): _edit,
    ("POST", "resolutions"): _resolve,
    ("POST", "suggestions"): _commit_suggestions,
}
"""Method and last part of the path to what it does."""
