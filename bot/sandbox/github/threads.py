"""Threads of review comments: made on a legal place, followed through pushes, outdated when their lines are gone.

Refuses to decide whether a place is legal (`rules.py`) and to render (`shapes_reviews.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.diff.model import Side
from bot.sandbox.github.diffs import FileDiff, TreeDiff
from bot.sandbox.github.hunks import Block, Row, count_hunks, shift_line
from bot.sandbox.github.records import Comment, Pull, Review, Thread, User
from bot.sandbox.github.rules import Place

if TYPE_CHECKING:
    from bot.sandbox.github.repo import Repo


@dataclass(frozen=True, slots=True, kw_only=True)
class NewComment:
    """A comment that passed the rules and is about to be stored."""

    place: Place
    body: str


def pull_reviews(repo: Repo, pull: Pull) -> list[Review]:
    """The reviews of a pull, oldest first."""
    return [review for review in repo.reviews.values() if review.pull is pull]


def pull_threads(repo: Repo, pull: Pull) -> list[Thread]:
    """The threads of a pull, oldest first."""
    return [thread for thread in repo.threads.values() if thread.pull is pull]


def pending_review(repo: Repo, pull: Pull, user: User) -> Review | None:
    """The one review that `user` has begun and not submitted."""
    for review in pull_reviews(repo, pull):
        if review.author is user and review.state == "PENDING":
            return review
    return None


def add_review(repo: Repo, pull: Pull, *, author: User, body: str, state: str, commit_id: str) -> Review:
    """Store a review without comments."""
    world = repo.world
    now = world.now()
    review = world.named(
        "PRR",
        lambda number, node_id: Review(
            id=number,
            node_id=node_id,
            pull=pull,
            author=author,
            body=body,
            state=state,
            commit_id=commit_id,
            created_at=now,
            submitted_at=None if state == "PENDING" else now,
        ),
    )
    repo.reviews[review.id] = review
    pull.updated_at = now
    return review


def add_thread(repo: Repo, review: Review, new: NewComment, *, commit_id: str) -> Comment:
    """Store a thread with its first comment."""
    world, pull, place = repo.world, review.pull, new.place
    thread = world.named(
        "PRRT",
        lambda number, node_id: Thread(
            id=number,
            node_id=node_id,
            pull=pull,
            path=place.file.path,
            side=place.side,
            line=place.line,
            original_line=place.line,
            start_side=place.start_side,
            start_line=place.start_line,
            original_start_line=place.start_line,
            position=place.row.position if place.row else 1,
            original_position=place.row.position if place.row else 1,
            diff_hunk=place.block.excerpt(place.row) if place.block and place.row else "",
            commit_id=commit_id,
            original_commit_id=commit_id,
            original_base=repo.merge_base(pull, commit_id),
            rows=place.block.down_to(place.row) if place.block and place.row else (),
            whole_file=place.row is None,
        ),
    )
    repo.threads[thread.id] = thread
    comment = add_comment(repo, thread, review, author=review.author, body=new.body)
    if commit_id != pull.head_sha:
        _follow_one(repo, pull, thread, repo.diff(pull))
    return comment


def add_comment(
    repo: Repo, thread: Thread, review: Review, *, author: User, body: str, reply_to: int | None = None
) -> Comment:
    """Store one comment at the end of a thread."""
    world = repo.world
    now = world.now()
    comment = world.named(
        "PRRC",
        lambda number, node_id: Comment(
            id=number,
            node_id=node_id,
            thread=thread,
            review=review,
            author=author,
            body=body,
            created_at=now,
            updated_at=now,
            reply_to=reply_to,
        ),
    )
    thread.comments.append(comment)
    repo.comments[comment.id] = comment
    return comment


def remove_comment(repo: Repo, comment: Comment) -> None:
    """Delete a comment; its thread goes with the last one."""
    del repo.comments[comment.id]
    comment.thread.comments.remove(comment)
    if not comment.thread.comments:
        repo.threads.pop(comment.thread.id, None)


def remove_review(repo: Repo, review: Review) -> None:
    """Delete a review with its comments."""
    for comment in [each for each in repo.comments.values() if each.review is review]:
        remove_comment(repo, comment)
    del repo.reviews[review.id]


def follow(repo: Repo, pull: Pull) -> None:
    """The pull's head or base moved: move every thread to its new line, or outdate it."""
    diff = repo.diff(pull)
    for thread in pull_threads(repo, pull):
        _follow_one(repo, pull, thread, diff)


def _follow_one(repo: Repo, pull: Pull, thread: Thread, diff: TreeDiff) -> None:
    file = diff.file(thread.path)
    if thread.whole_file:
        if file is not None:
            thread.commit_id = pull.head_sha
        return
    row = start = None
    if file is not None:
        row = _moved_row(repo, pull, thread, file, thread.side, thread.original_line)
        if thread.original_start_line is not None:
            start_side = thread.start_side or thread.side
            start = _moved_row(repo, pull, thread, file, start_side, thread.original_start_line)
            if start is None:
                row = None
    if row is None:
        thread.line = thread.start_line = thread.position = None
        return
    thread.line = row.left if thread.side is Side.LEFT else row.right
    thread.position = row.position
    if start is not None:
        thread.start_line = start.left if thread.start_side is Side.LEFT else start.right
    thread.commit_id = pull.head_sha


def _moved_row(repo: Repo, pull: Pull, thread: Thread, file: FileDiff, side: Side, line: int) -> Row | None:
    """The row of the present diff that shows the same, unchanged line; None when there is none."""
    if side is Side.LEFT:
        old, new, path = thread.original_base, repo.merge_base(pull), file.previous or file.path
    else:
        old, new, path = thread.original_commit_id, pull.head_sha, file.path
    moved = shift_line(_between(repo, old, new, path), line)
    if moved is None:
        return None
    for block in file.blocks:
        row = block.find(side, moved)
        if row is not None:
            return row
    return None


def _between(repo: Repo, old: str, new: str, path: str) -> tuple[Block, ...]:
    if old == new:
        return ()
    spec = ("diff", "--no-ext-diff", "--no-textconv", "--no-color", "--no-renames", old, new, "--", f":(literal){path}")
    return count_hunks(repo.git.run(*spec))
