"""The plain web view of the stand-in: repositories, a pull's conversation, its files with comments at their lines."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING

from flask import Flask, Response, abort, render_template
from markupsafe import Markup

from bot.diff.model import Side
from bot.sandbox.github import threads
from bot.sandbox.github.gate import Site
from bot.sandbox.github.hunks import Row
from bot.sandbox.github.markdown import to_html
from bot.sandbox.github.reactions import counted
from bot.sandbox.github.records import CheckRun, Comment, IssueComment, Pull, Review, Thread

if TYPE_CHECKING:
    from bot.sandbox.github.diffs import FileDiff
    from bot.sandbox.github.repo import Repo

_EXCERPT_ROWS = 6
_BAR = 5
_HUES = 360


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A row of a diff on the page."""

    old: int | None
    new: int | None
    mark: str
    text: str
    kind: str
    threads: list[ThreadView] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentView:
    """A comment on the page. `body` is safe HTML."""

    id: int
    author: str
    bot: bool
    when: str
    body: Markup
    minimized: str | None
    reactions: list[tuple[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadView:
    """A thread on the page."""

    path: str
    place: str
    outdated: bool
    resolved: str | None
    lines: list[Line]
    comments: list[CommentView]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One step of the conversation: a comment or a review with its threads."""

    kind: str
    verb: str
    comment: CommentView
    threads: list[ThreadView]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileView:
    """A file on the page."""

    path: str
    previous: str | None
    status: str
    additions: int
    deletions: int
    bar: list[str]
    note: str
    threads: list[ThreadView]
    blocks: list[tuple[str, list[Line]]]


def install(app: Flask, site: Site) -> None:
    """Add the pages."""
    app.jinja_env.globals["hue"] = lambda login: sum(ord(char) * 37 for char in login) % _HUES

    @app.get("/")
    def index() -> str:
        with site.world.lock:
            return render_template("index.html", repos=list(site.world.repos.values()))

    @app.get("/<owner>/<name>")
    def repo_page(owner: str, name: str) -> str:
        with site.world.lock:
            return render_template("index.html", repos=[_repo(site, owner, name)])

    @app.get("/<owner>/<name>/pull/<int:number>")
    def conversation(owner: str, name: str, number: int) -> str:
        with site.world.lock:
            repo, pull = _pull(site, owner, name, number)
            entries = list(_entries(repo, pull))
            return render_template("conversation.html", **_common(repo, pull, "conversation"), entries=entries)

    @app.get("/<owner>/<name>/pull/<int:number>/files")
    def files(owner: str, name: str, number: int) -> str:
        with site.world.lock:
            repo, pull = _pull(site, owner, name, number)
            shown = [_file(repo, pull, file) for file in repo.diff(pull).files]
            return render_template("files.html", **_common(repo, pull, "files"), files=shown)

    @app.get("/<owner>/<name>/pull/<int:number>.diff")
    def diff(owner: str, name: str, number: int) -> Response:
        with site.world.lock:
            repo, pull = _pull(site, owner, name, number)
            return Response(repo.diff(pull).text, content_type="text/plain; charset=utf-8")

    @app.get("/avatars/u/<int:user>")
    def avatar(user: int) -> Response:
        with site.world.lock:
            found = next((each for each in site.world.users.values() if each.id == user), None)
        if found is None:
            abort(404)
        hue = sum(ord(char) * 37 for char in found.login) % _HUES
        letter = escape(found.login[:1].upper())
        svg = (
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40">'
            f'<rect width="40" height="40" rx="20" fill="hsl({hue} 55% 45%)"/>'
            '<text x="20" y="27" font-family="sans-serif" font-size="20" fill="#fff" text-anchor="middle">'
            f"{letter}</text></svg>"
        )
        return Response(svg, content_type="image/svg+xml")

    @app.after_request
    def no_scripts(response: Response) -> Response:
        if response.mimetype == "text/html":
            response.headers.setdefault("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
        return response


def _repo(site: Site, owner: str, name: str) -> Repo:
    found = site.world.repos.get(f"{owner}/{name}".lower())
    if found is None:
        abort(404)
    return found


def _pull(site: Site, owner: str, name: str, number: int) -> tuple[Repo, Pull]:
    repo = _repo(site, owner, name)
    pull = repo.pulls.get(number)
    if pull is None:
        abort(404)
    return repo, pull


def _common(repo: Repo, pull: Pull, tab: str) -> dict[str, object]:
    diff = repo.diff(pull)
    return {
        "repo": repo,
        "pull": pull,
        "tab": tab,
        "state": "merged" if pull.merged_at else "draft" if pull.draft and pull.state == "open" else pull.state,
        "commits": len(repo.commits(pull)),
        "files_count": len(diff.files),
        "talk_count": len(_talk(repo, pull)),
        "additions": diff.additions,
        "deletions": diff.deletions,
        "checks": _checks(repo, pull),
        "body": Markup(to_html(pull.body or "*No description provided.*")),  # noqa: S704 - to_html makes it safe
    }


def _checks(repo: Repo, pull: Pull) -> list[CheckRun]:
    runs = [run for suite in repo.suites.values() if suite.head_sha == pull.head_sha for run in suite.runs]
    return list({run.name: run for run in runs}.values())


def _talk(repo: Repo, pull: Pull) -> list[Review | IssueComment]:
    found: list[Review | IssueComment] = [each for each in repo.issue_comments.values() if each.pull is pull]
    for review in threads.pull_reviews(repo, pull):
        opens = any(thread.comments[0].review is review for thread in threads.pull_threads(repo, pull))
        if review.state != "PENDING" and (review.body or opens):
            found.append(review)
    return sorted(found, key=lambda each: each.id)


_VERBS = {
    "APPROVED": "approved these changes",
    "CHANGES_REQUESTED": "requested changes",
    "COMMENTED": "reviewed",
    "DISMISSED": "had a review dismissed",
}


def _entries(repo: Repo, pull: Pull) -> Iterator[Entry]:
    for each in _talk(repo, pull):
        if isinstance(each, IssueComment):
            yield Entry(kind="comment", verb="commented", comment=_comment(each), threads=[])
            continue
        own = [thread for thread in threads.pull_threads(repo, pull) if thread.comments[0].review is each]
        shown = [_thread(thread) for thread in own]
        comment = CommentView(
            id=each.id,
            author=each.author.login,
            bot=each.author.kind == "Bot",
            when=each.submitted_at or "",
            body=Markup(to_html(each.body)),  # noqa: S704 - to_html makes it safe
            minimized=each.minimized,
            reactions=counted(each),
        )
        yield Entry(kind=each.state.lower(), verb=_VERBS[each.state], comment=comment, threads=shown)


def _comment(comment: Comment | IssueComment, old: list[str] | None = None) -> CommentView:
    return CommentView(
        id=comment.id,
        author=comment.author.login,
        bot=comment.author.kind == "Bot",
        when=comment.created_at,
        body=Markup(to_html(comment.body, old=old)),  # noqa: S704 - to_html makes it safe
        minimized=comment.minimized,
        reactions=counted(comment),
    )


def _thread(thread: Thread) -> ThreadView:
    rows = thread.rows
    first = thread.original_start_line or thread.original_line
    old = [
        row.text
        for row in rows
        if row.mark != "-" and row.right is not None and first <= row.right <= thread.original_line
    ]
    start = thread.start_line or thread.original_start_line
    end = thread.line or thread.original_line
    sign = "" if thread.side is Side.RIGHT else "removed "
    place = (
        "the file" if thread.whole_file else f"{sign}line {end}" if start is None else f"{sign}lines {start} to {end}"
    )
    return ThreadView(
        path=thread.path,
        place=place,
        outdated=thread.outdated,
        resolved=thread.resolved_by.login if thread.resolved_by else None,
        lines=[_line(row) for row in rows[-max(_EXCERPT_ROWS, len(old)) :]],
        comments=[
            _comment(each, old if thread.side is Side.RIGHT else None)
            for each in thread.comments
            if each.review.state != "PENDING"
        ],
    )


_KINDS = {"+": "added", "-": "removed", " ": "context"}


def _line(row: Row, found: list[ThreadView] | None = None) -> Line:
    return Line(old=row.left, new=row.right, mark=row.mark, text=row.text, kind=_KINDS[row.mark], threads=found or [])


def _file(repo: Repo, pull: Pull, file: FileDiff) -> FileView:
    mine = [
        thread
        for thread in threads.pull_threads(repo, pull)
        if thread.path == file.path and any(each.review.state != "PENDING" for each in thread.comments)
    ]
    placed: dict[tuple[Side, int], list[ThreadView]] = {}
    for thread in mine:
        if thread.line is not None and not thread.whole_file:
            placed.setdefault((thread.side, thread.line), []).append(_thread(thread))
    changes = max(1, file.additions + file.deletions)
    green = round(_BAR * file.additions / changes)
    red = min(_BAR - green, -(-_BAR * file.deletions // changes))
    bar = ["added"] * green + ["removed"] * red
    note = "Binary file not shown." if file.binary else "" if file.blocks else "No lines changed."
    return FileView(
        path=file.path.encode("utf-8", "surrogateescape").decode("utf-8", "replace"),
        previous=file.previous,
        status=file.status,
        additions=file.additions,
        deletions=file.deletions,
        bar=list(itertools.islice(itertools.chain(bar, itertools.repeat("none")), _BAR)),
        note=note,
        threads=[_thread(thread) for thread in mine if thread.whole_file],
        blocks=[(block.header, [_line(row, _at(row, placed)) for row in block.rows]) for block in file.blocks],
    )


def _at(row: Row, placed: dict[tuple[Side, int], list[ThreadView]]) -> list[ThreadView]:
    key = (Side.LEFT, row.left) if row.mark == "-" else (Side.RIGHT, row.right)
    return placed.get((key[0], key[1] or 0), [])
