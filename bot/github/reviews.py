"""A finished review onto a pull: posted once, whole, and never on a head that nobody analysed.

What GitHub refuses goes into the summary, so nothing is lost; what may have arrived is looked for before it is sent again, so
nothing comes twice. Never approves and never requests changes.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace

from bot.errors import NotPermittedError, OutsideError, SparkError, UserError
from bot.github import limits
from bot.github.bodies import Part, fit, parts_of, review_json, tell
from bot.github.bundle import Bundle
from bot.github.client import GitHubClient
from bot.github.faults import Cut, Reply, error_for
from bot.github.mutations import Batches
from bot.github.notes import Kind, Notes
from bot.github.pace import OutOfTimeError, Pace
from bot.github.people import Collaborators
from bot.github.probing import Prober
from bot.github.pull_memory import PullMemory
from bot.github.records import NoteRecord, PullRecord, read_note
from bot.github.sending import NEEDS, PENDING, PENDING_IN_THE_WAY, TOO_LONG, Landed, Sender
from bot.github.steps import Steps, unwalked
from bot.github.threads import Threads
from bot.review.memory import Recall
from bot.review.model import CommitSha, Fingerprint, RepoName
from bot.review.ports import Amend, DraftComment, Published, ReviewDraft, Stop

_SECONDS = 120.0
"""For posting when the caller names no deadline."""

_ROUNDS = 4
"""Tries at one part, each after something was mended."""

_MOVED = "the pull request has moved on"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """What became of one part."""

    url: str | None
    at: float | None = None
    """When it stood on GitHub, or was found there."""
    posted: tuple[Fingerprint, ...] = ()
    unposted: tuple[tuple[Fingerprint, str], ...] = ()
    moved_to: CommitSha | None = None
    problem: str = ""


class PullPublisher:
    """The `Publisher` port for a pull. `pace` is shared by all that write with the same account."""

    def __init__(
        self,
        client: GitHubClient,
        repo: RepoName,
        number: int,
        *,
        pace: Pace,
        stop: Stop | None = None,
        fresh: float = 0.0,
    ) -> None:
        """`fresh`: seconds from now for which the pull's head counts as just read. Within them the head is asked for
        beside the post instead of before it, which saves a round trip; a move is then told after the fact.
        """
        self._fresh_until = client.clock.now() + fresh
        stop = stop or Stop(deadline=client.clock.now() + _SECONDS, clock=client.clock)
        self._client = client
        self._stop = stop
        self._notes = Notes(client, repo, number, stop=stop)
        self._threads = Threads(client, repo, number, stop=stop)
        people = Collaborators(client, repo, stop=stop)
        self._memory = PullMemory(client, notes=self._notes, threads=self._threads, may_write=people.may_write)
        self._sender = Sender(client, self._notes, pace=pace, stop=stop)
        batches = Batches(client, pace=pace, stop=stop)
        bundle = Bundle(client, notes=self._notes, sender=self._sender, pace=pace, stop=stop)
        self._steps = Steps(
            notes=self._notes, threads=self._threads, sender=self._sender, batches=batches, bundle=bundle
        )
        self._lock = threading.Lock()
        self._recall: Recall | None = None
        self._seen: Sequence[NoteRecord] | None = None
        self._doing = f"posting a review on {repo}#{number}"

    def begin(self) -> None:
        """See `Publisher.begin`."""
        with self._lock:
            if self._recall is None:
                self._memory.begin()

    def recall(self) -> Recall:
        """See `Publisher.recall`. Raises NotPermittedError, CredentialsError, OutsideError; then it may be asked for again."""
        with self._lock:
            if self._recall is None:
                known = self._memory.read()
                self._recall, self._seen = known.recall, known.notes
            return self._recall

    def publish(self, draft: ReviewDraft) -> Published:
        """Post the draft once, then take its steps. See `Publisher.publish`."""
        published = self.post(draft)
        try:
            return self.follow(draft, published)
        except OutsideError as error:
            return untaken(draft, published, error.what)

    def follow(self, draft: ReviewDraft, published: Published) -> Published:
        """Take the draft's steps, when its review is on the pull. Raises OutsideError while GitHub is away."""
        if published.url is None or not draft.steps:
            return published
        try:
            walked = self._steps.walk(draft.steps)
        except UserError as error:
            # The review is on the pull: what may not be done beside it is no reason to call it unposted.
            return untaken(draft, published, error.what)
        return replace(published, followed=walked.followed, unfollowed=walked.unfollowed)

    def post(self, draft: ReviewDraft) -> Published:
        """Post the draft without its steps, or put its text in the place of our last review's."""
        head = self._client.submit(self._notes.head)
        seen = self._seen if self._seen is not None else self._notes.read(Kind.REVIEWS)[0]
        # What this very publisher posts is not in that listing.
        self._seen = None
        parts = parts_of(draft)
        landed = {part.run: note for part in parts if (note := self._notes.with_run(seen, part.run)) is not None}
        is_fresh = self._client.clock.now() < self._fresh_until and not landed
        now = draft.commit if is_fresh else head.result().pull.head_sha
        if now != draft.commit and not landed:
            return Published(url=None, posted=(), unposted=_all(draft.comments, _MOVED), moved_to=now)
        if draft.amend is not None and not landed and (url := self._amend(draft.amend, parts[0])) is not None:
            at = self._client.clock.now()
            return Published(url=url, at=at, posted=(), moved_to=_moved(head, draft.commit) if is_fresh else None)
        done: list[_Done] = []
        for part in parts:
            if part.run in landed:
                done.append(self._found(part, landed[part.run]))
            elif now != draft.commit or (done and done[-1].problem):
                why = _MOVED if now != draft.commit else done[-1].problem
                done.append(_Done(url=None, unposted=_all(part.comments, why), problem=why))
            else:
                done.append(self._try(part, draft.commit, is_first=not done))
        return Published(
            url=next((each.url for each in done if each.url), None),
            at=next((each.at for each in done if each.at is not None), None),
            posted=tuple(fingerprint for each in done for fingerprint in each.posted),
            unposted=tuple(pair for each in done for pair in each.unposted),
            moved_to=done[0].moved_to or (_moved(head, draft.commit) if is_fresh else None),
            problem=next((each.problem for each in done if each.problem), ""),
        )

    def _amend(self, amend: Amend, part: Part) -> str | None:
        """Replace the text of a review of ours; None when GitHub does not let us, and a new one must be posted.

        The same text twice is the same as once, so a lost answer is no reason to look. Raises OutsideError.
        """
        verb, path = "PUT", f"{self._notes.path(Kind.REVIEWS)}/{amend.id}"
        if amend.in_conversation:
            verb, path = "PATCH", self._notes.comment_path(amend.id)
        limit = limits.SAFE_BODY
        answer: Reply | Cut = Cut(reason="not sent")
        for _ in range(limits.STEP_TRIES):
            try:
                answer = self._sender.write(verb, path, {"body": fit(part.body, limit)})
            except OutOfTimeError:
                return None
            if isinstance(answer, Reply) and answer.ok:
                return read_note(answer).url or amend.url
            if isinstance(answer, Reply) and answer.status == 422 and TOO_LONG in answer.message:
                limit //= 2
            elif isinstance(answer, Reply) and answer.status < 500:
                break
        if isinstance(answer, Reply) and answer.status in {403, 404, 410, 422}:
            return None
        raise error_for(answer, doing=self._doing, needs=NEEDS)

    def _try(self, part: Part, commit: CommitSha, *, is_first: bool) -> _Done:
        """Post a part. What stops the job is raised for the first one; later ones leave a review that is there."""
        try:
            return self._post(part, commit)
        except OutOfTimeError as error:
            asked = f": GitHub's pace asks for {error.wait:.0f} seconds" if error.wait >= 1 else ""
            why = f"no time left to post{asked}"
        except SparkError as error:
            if is_first:
                raise
            why = str(error)
        return _Done(url=None, unposted=_all(part.comments, why), problem=why)

    def _post(self, part: Part, commit: CommitSha) -> _Done:
        """One part, with as many of its comments as GitHub takes; the others stand in its body."""
        path = self._notes.path(Kind.REVIEWS)
        good: Sequence[DraftComment] = part.comments
        refused: list[tuple[DraftComment, str]] = []
        limit = limits.SAFE_BODY
        prober = Prober(self._sender, path, commit=commit, base=part.base, run=part.run, stop=self._stop)
        why = ""
        for _ in range(_ROUNDS):
            body = tell(part.body, refused, limit=limit)
            json = review_json(commit=commit, body=body, comments=good, event="COMMENT", limit=limit)
            answer = self._sender.once(path, json, run=part.run, kind=Kind.REVIEWS, doing=self._doing)
            if isinstance(answer, Landed):
                posted = tuple(comment.fingerprint for comment in good)
                return _Done(url=answer.url, at=self._client.clock.now(), posted=posted, unposted=_told(refused))
            if answer.status != 422:
                raise error_for(answer, doing=self._doing, needs=NEEDS)
            why = answer.message
            if PENDING in why:
                if not self._sender.clear_pending():
                    why = PENDING_IN_THE_WAY
                    break
                continue
            if TOO_LONG in why and limit == limits.SAFE_BODY:
                limit //= 2
                continue
            now = self._notes.head().pull.head_sha
            if now != commit:
                return _Done(url=None, unposted=_all(part.comments, _MOVED), moved_to=now, problem=_MOVED)
            if not good:
                break
            found = prober.sort(good, why)
            # When GitHub takes each and not all together, it is not for the comments, and they go to the summary.
            refused += found.refused or [(comment, why) for comment in good]
            good = found.good if found.refused else []
        return self._as_comment(part, why)

    def _as_comment(self, part: Part, why: str) -> _Done:
        """The last resort: GitHub takes no review, so everything goes into a comment of the conversation."""
        body = tell(part.body, [(comment, why) for comment in part.comments])
        json = {"body": review_json(commit=None, body=body, comments=(), event=None)["body"]}
        path = self._notes.path(Kind.ISSUE_COMMENTS)
        answer = self._sender.once(path, json, run=part.run, kind=Kind.ISSUE_COMMENTS, doing=self._doing)
        unposted = _all(part.comments, why)
        if isinstance(answer, Landed):
            return _Done(url=answer.url, at=self._client.clock.now(), unposted=unposted)
        return _Done(url=None, unposted=unposted, problem=_refusal(answer, self._doing, why))

    def _found(self, part: Part, note: NoteRecord) -> _Done:
        """A part that an earlier try has posted: its comments that are there, and the rest, which its body names."""
        (comments,) = self._notes.read(Kind.COMMENTS)
        there = self._notes.fingerprints(comments)
        posted = tuple(comment.fingerprint for comment in part.comments if comment.fingerprint in there)
        missing = [comment for comment in part.comments if comment.fingerprint not in there]
        at = self._client.clock.now()
        return _Done(url=note.url, at=at, posted=posted, unposted=_all(missing, "GitHub refused it when it was posted"))


def _moved(head: Future[PullRecord], commit: CommitSha) -> CommitSha | None:
    """Where the head is now when it is not `commit`. The review stands already: not knowing is no reason to fail."""
    try:
        now = head.result().pull.head_sha
    except SparkError:
        return None
    return None if now == commit else now


def _refusal(answer: Reply, doing: str, why: str) -> str:
    error = error_for(answer, doing=doing, needs=NEEDS)
    if isinstance(error, NotPermittedError | OutsideError):
        return f"{why}; {error}"
    raise error


def _all(comments: Sequence[DraftComment], why: str) -> tuple[tuple[Fingerprint, str], ...]:
    return tuple((comment.fingerprint, why) for comment in comments)


def _told(refused: Sequence[tuple[DraftComment, str]]) -> tuple[tuple[Fingerprint, str], ...]:
    return tuple((comment.fingerprint, reason) for comment, reason in refused)


def untaken(draft: ReviewDraft, published: Published, why: str) -> Published:
    """`published` with none of the draft's steps taken."""
    walked = unwalked(draft.steps, why)
    return replace(published, followed=walked.followed, unfollowed=walked.unfollowed)
