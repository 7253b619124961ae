"""What people say on a pull: comments, replies, threads, reviews, reactions, and what they press there.

Each gesture tells the world as GitHub tells an App, and leaves what the API shows as if it had been done in a browser. All
take the world's lock. Refuses what the browser does not offer, with ValueError.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bot.diff.edit import splice
from bot.diff.model import Side
from bot.sandbox.github import reactions, threads
from bot.sandbox.github.records import App, Comment, IssueComment, Reaction, Review, Thread, User
from bot.sandbox.github.rules import Place, Spot, find_place, one_text
from bot.sandbox.github.threads import NewComment

if TYPE_CHECKING:
    from bot.sandbox.github.records import Pull
    from bot.sandbox.github.repo import Repo

_SUGGESTION = re.compile(
    r"^(?P<fence>`{3,})suggestion[^\n`]*\n(?P<text>.*?)^(?P=fence)`*[ \t]*$", re.MULTILINE | re.DOTALL
)
_MAY_RESOLVE = frozenset({"triage", "write", "maintain", "admin"})
_MAY_PUSH = frozenset({"write", "maintain", "admin"})


def say(repo: Repo, number: int, body: str, *, by: str) -> IssueComment:
    """Comment in the conversation."""
    with repo.world.lock:
        pull, user = repo.pulls[number], repo.world.user(by)
        comment = add_issue_comment(repo, pull, user, _text(body))
        repo.happened("issue_comment", "created", user, pull=pull, comment=comment)
        return comment


def add_issue_comment(repo: Repo, pull: Pull, author: User, body: str, app: App | None = None) -> IssueComment:
    """Store a comment of the conversation; tells nobody. `app`: through which it was written."""
    now = repo.world.now()
    comment = repo.world.named(
        "IC",
        lambda number, node_id: IssueComment(
            id=number,
            node_id=node_id,
            pull=pull,
            author=author,
            body=body,
            created_at=now,
            updated_at=now,
            app=app,
        ),
    )
    repo.issue_comments[comment.id] = comment
    pull.updated_at = now
    return comment


def reply(repo: Repo, to: Comment | Thread, body: str, *, by: str) -> Comment:
    """Write at the end of a thread."""
    with repo.world.lock:
        thread, user = to if isinstance(to, Thread) else to.thread, repo.world.user(by)
        pull, first = thread.pull, thread.comments[0]
        review = threads.add_review(
            repo, pull, author=user, body="", state="COMMENTED", commit_id=thread.original_commit_id
        )
        comment = threads.add_comment(repo, thread, review, author=user, body=_text(body), reply_to=first.id)
        repo.happened("pull_request_review_comment", "created", user, pull=pull, comment=comment)
        return comment


def begin_thread(
    repo: Repo,
    number: int,
    body: str,
    *,
    by: str,
    path: str,
    line: int,
    side: Side = Side.RIGHT,
    start_line: int | None = None,
) -> Comment:
    """Comment on lines of the files page ("Add single comment"). ValueError for lines that are not in the diff."""
    with repo.world.lock:
        pull, user = repo.pulls[number], repo.world.user(by)
        new = _placed(repo, pull, body, path=path, line=line, side=side, start_line=start_line)
        review = threads.add_review(repo, pull, author=user, body="", state="COMMENTED", commit_id=pull.head_sha)
        comment = threads.add_thread(repo, review, new, commit_id=pull.head_sha)
        repo.happened("pull_request_review_comment", "created", user, pull=pull, comment=comment)
        return comment


def review(repo: Repo, number: int, body: str, *, by: str, state: str = "COMMENTED") -> Review:
    """Submit a review with a text. `state`: COMMENTED, APPROVED or CHANGES_REQUESTED."""
    with repo.world.lock:
        pull, user = repo.pulls[number], repo.world.user(by)
        made = threads.add_review(repo, pull, author=user, body=_text(body), state=state, commit_id=pull.head_sha)
        repo.happened("pull_request_review", "submitted", user, pull=pull, review=made)
        return made


def react(repo: Repo, record: Comment | IssueComment | Review, content: str, *, by: str) -> Reaction:
    """Put a reaction (`+1`, `-1`, `eyes`…) under a comment. GitHub tells nobody of it."""
    with repo.world.lock:
        return reactions.put(repo.world, record, repo.world.user(by), content)[0]


def resolve(repo: Repo, thread: Thread, *, by: str) -> None:
    """Press "Resolve conversation". ValueError for who has no such button: it needs triage, or one's own pull."""
    _settle(repo, thread, by, resolved=True)


def unresolve(repo: Repo, thread: Thread, *, by: str) -> None:
    """Press "Unresolve conversation"."""
    _settle(repo, thread, by, resolved=False)


def _settle(repo: Repo, thread: Thread, by: str, *, resolved: bool) -> None:
    with repo.world.lock:
        user = repo.world.user(by)
        if thread.pull.author is not user and repo.level(by) not in _MAY_RESOLVE:
            raise ValueError(f"{by} may not resolve threads")
        if (thread.resolved_by is not None) is resolved:
            return
        thread.resolved_by = user if resolved else None
        action = "resolved" if resolved else "unresolved"
        repo.happened("pull_request_review_thread", action, user, pull=thread.pull, thread=thread)


def edit(repo: Repo, record: Comment | IssueComment | Review, body: str, *, by: str | None = None) -> None:
    """Change what was said; by its author unless `by` names somebody else."""
    with repo.world.lock:
        user = repo.world.user(by) if by is not None else record.author
        if user is not record.author and repo.level(user.login) not in _MAY_PUSH:
            raise ValueError(f"{user.login} may not edit this")
        changes, record.body = {"body": {"from": record.body}}, _text(body)
        if isinstance(record, Review):
            repo.happened("pull_request_review", "edited", user, pull=record.pull, review=record, changes=changes)
            return
        record.updated_at = repo.world.now()
        if isinstance(record, IssueComment):
            repo.happened("issue_comment", "edited", user, pull=record.pull, comment=record, changes=changes)
        else:
            pull = record.thread.pull
            repo.happened("pull_request_review_comment", "edited", user, pull=pull, comment=record, changes=changes)


def suggestions(body: str) -> list[str]:
    """The suggestion blocks of a comment, in order: whole lines with their ends, nothing at all where lines are deleted."""
    return [found["text"] for found in _SUGGESTION.finditer(body.replace("\r\n", "\n"))]


def commit_suggestion(repo: Repo, comment: Comment, *, by: str, which: int = 0, message: str = "") -> str:
    """Press "Commit suggestion": the new head. The thread is then resolved by whoever pressed.

    ValueError in GitHub's words where the button is not there.
    """
    return commit_suggestions(repo, [comment], by=by, which=which, message=message)


def commit_suggestions(repo: Repo, comments: Sequence[Comment], *, by: str, which: int = 0, message: str = "") -> str:
    """Press "Add suggestion to batch" for each, then "Commit suggestions": one commit on the pull's branch."""
    with repo.world.lock:
        user, pull = repo.world.user(by), comments[0].thread.pull
        source = repo.world.repo(str(pull.head_repo))
        lent = pull.maintainer_can_modify and repo.level(by) in _MAY_PUSH
        if source.level(by) not in _MAY_PUSH and not lent:
            raise ValueError("Only those with write access to this repository can merge suggestions")
        texts: dict[str, str] = {}
        taken: set[tuple[str, int]] = set()
        for comment in sorted(comments, key=lambda each: -(each.thread.line or 0)):
            path, start, end, new = _suggested(comment, which)
            lines = {(path, line) for line in range(start, end + 1)}
            if lines & taken:
                raise ValueError("Only one suggestion per line can be applied in a batch")
            taken |= lines
            before = texts[path] if path in texts else _file(repo, pull, path)
            after = splice(before, start, end, new)
            if after == before:
                raise ValueError("This suggestion is invalid because no changes were made to the code")
            texts[path] = after
        authors = {comment.author.id: comment.author for comment in comments if comment.author is not user}
        trailers = "".join(f"\nCo-authored-by: {each.name} <{each.email}>" for each in authors.values())
        headline = message or (
            f"Update {next(iter(texts))}" if len(comments) == 1 else "Apply suggestions from code review"
        )
        files = {
            path: (_mode(repo, pull, path), text.encode("utf-8", "surrogateescape")) for path, text in texts.items()
        }
        sha = source.commit(pull.head_ref, files, headline + (f"\n{trailers}" if trailers else ""), by)
        for comment in comments:
            if comment.thread.resolved_by is None:
                comment.thread.resolved_by = user
                repo.happened("pull_request_review_thread", "resolved", user, pull=pull, thread=comment.thread)
        return sha


def _suggested(comment: Comment, which: int) -> tuple[str, int, int, str]:
    thread, found = comment.thread, suggestions(comment.body)
    if which >= len(found):
        raise ValueError("There is no suggestion in this comment")
    if comment.review.state == "PENDING":
        raise ValueError("Suggestions cannot be applied from pending reviews")
    if thread.side is Side.LEFT:
        raise ValueError("Applying suggestions on deleted lines is not supported")
    if thread.line is None:
        raise ValueError("Outdated suggestions cannot be applied")
    if thread.pull.state != "open":
        raise ValueError("Suggestions cannot be applied while the pull request is closed")
    return thread.path, thread.start_line or thread.line, thread.line, found[which]


def _file(repo: Repo, pull: Pull, path: str) -> str:
    found = repo.git.read(f"{pull.head_sha}:{path}")
    if found is None:
        raise ValueError("The file is gone")
    return found[2].decode("utf-8", "surrogateescape")


def _mode(repo: Repo, pull: Pull, path: str) -> str:
    mode = repo.git.text("ls-tree", pull.head_sha, "--", f":(literal){path}")[:6]
    return mode if mode in {"100644", "100755"} else "100644"


def _placed(
    repo: Repo, pull: Pull, body: str, *, path: str, line: int, side: Side, start_line: int | None
) -> NewComment:
    start_side = side if start_line is not None else None
    spot = Spot(path=path, line=line, side=side, start_line=start_line, start_side=start_side)
    place = find_place(repo.diff(pull), spot)
    if isinstance(place, Place):
        return NewComment(place=place, body=_text(body))
    raise ValueError(one_text(place))


def _text(body: str) -> str:
    if not body.strip():
        raise ValueError("there is nothing to say")
    return body
