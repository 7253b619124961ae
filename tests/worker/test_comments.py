"""Commands in comments, answered by the App on the stand-in GitHub, with a stand-in endpoint for what the model says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bot.commands.grammar import parse
from bot.commands.model import CommentKind, CommentRef
from bot.diff.model import Side
from bot.engine.model import Ended, JobState, StopCause
from bot.hooks.orders import AnswerComment, Cause
from bot.review.memory import CommentId, FindingNote
from bot.review.model import Category, Effort, Fingerprint, Severity
from bot.review.render.markers import finding_marker, note_marker, read_dismissal_marker
from bot.sandbox.github import talk
from bot.sandbox.github.faults import Fault, Kind, When
from bot.sandbox.github.records import Comment, IssueComment, Review
from bot.worker.answer import FLOOD, FLOOD_MINUTES, FLOOD_OF_WRITERS

US = "spark[bot]"
KINDS = {Comment: CommentKind.THREAD, IssueComment: CommentKind.CONVERSATION, Review: CommentKind.REVIEW}


@pytest.fixture
def room(build: Callable[..., Any], site: Any) -> Any:
    room = build()
    room.pull = room.open()
    yield room
    site[0].faults.clear()


def order(room: Any, said: Any, *, sender: str = "") -> AnswerComment:
    """What the door makes of a comment."""
    root = (said.reply_to or said.id) if isinstance(said, Comment) else None
    command = parse(said.body)
    return AnswerComment(
        place=room.place(),
        number=room.pull.number,
        comment=CommentRef(
            kind=KINDS[type(said)],
            id=CommentId(said.id),
            node_id=said.node_id,
            root=None if root is None else CommentId(root),
        ),
        sender=sender or said.author.login,
        command=command,
        text="" if command is not None else said.body,
    )


def answer(room: Any, said: Any, **more: Any) -> tuple[Ended, Any]:
    line = room.line(order(room, said), **more)
    return room.run(line), line


def say(room: Any, body: str, by: str = "mona") -> Any:
    return talk.say(room.repo, room.pull.number, body, by=by)


def finding(room: Any) -> Any:
    """A thread of ours about line 1 of one.py, as a review leaves it."""
    note = FindingNote(
        fingerprint=Fingerprint("fp-default"),
        path="one.py",
        side=Side.RIGHT,
        severity=Severity.HIGH,
        category=Category.BUG,
        title="A default value is shared between calls",
        source="model",
        lines=(),
    )
    body = f"**🔴 High · {note.title}**\n\nIt is made once.\n\n{finding_marker(note.fingerprint)}\n{note_marker(note)}"
    return talk.begin_thread(room.repo, room.pull.number, body, by=US, path="one.py", line=1)


def answers(room: Any) -> list[Any]:
    """What we said since, oldest first."""
    said = [each for each in room.repo.issue_comments.values() if each.author.login == US]
    return said + [each for each in room.repo.comments.values() if each.author.login == US and each.reply_to]


def reactions(said: Any) -> list[str]:
    return [each.content for each in said.reactions if each.user.login == US]


def test_help_is_acknowledged_before_anything_is_read_and_answered_once(room: Any, caplog: Any) -> None:
    caplog.set_level("INFO", logger="spark")
    said = say(room, "/spark help me with hunter2", by="stranger")
    before = len(list(room.github.requests))
    ended, _ = answer(room, said)
    requests = [seen for seen in list(room.github.requests)[before:] if "/app" not in seen.path]
    assert requests[0].path == "/graphql"
    assert b"addReaction" in requests[0].body
    assert said.node_id.encode() in requests[0].body
    assert (ended.state, ended.outcome, reactions(said)) == (JobState.DONE, "answered", ["eyes"])
    (given,) = answers(room)
    assert "/spark fix" in given.body
    assert given.body.startswith("@stranger")
    assert ended.url.endswith(f"#issuecomment-{given.id}")
    assert 0 <= ended.timing["ack"] <= ended.timing["done"]
    assert (ended.usd, ended.usage["calls"]) == (0.0, 0)
    told = {record.message: record.fields for record in caplog.records}
    assert told["comment.acknowledged"]["delivery"] == told["comment.answered"]["delivery"] == "d-1"
    assert "hunter2" not in str(told)


def test_a_question_is_answered_by_the_model_and_paid_for(room: Any) -> None:
    said = say(room, "/spark ask What does f return when a is empty?")
    room.github.latency = 0.2
    ended, _ = answer(room, said)
    room.github.latency = 0.0
    requests = [(seen.path.rpartition(room.name)[2], seen) for seen in room.seen()]
    [files] = [seen for path, seen in requests if path == f"/pulls/{room.pull.number}/files"]
    asked = next(seen for path, seen in requests if path == "/collaborators/mona/permission")
    # The change is read while it is still found out who asks.
    assert files.started < asked.started + asked.seconds
    assert (ended.state, ended.error) == (JobState.DONE, "")
    (given,) = answers(room)
    assert len(given.body) > 40
    assert ended.usage["calls"] >= 1
    assert ended.usage["output_tokens"] > 0
    assert ended.usd is not None
    assert ended.usd > 0


def test_a_fix_is_a_suggestion_in_the_thread(room: Any) -> None:
    thread = finding(room)
    said = talk.reply(room.repo, thread, "/spark fix", by="mona")
    head = room.pull.head_sha
    ended, _ = answer(room, said)
    assert ended.state is JobState.DONE, ended.why
    (given,) = answers(room)
    assert given.thread is thread.thread
    assert "```suggestion" in given.body
    assert room.pull.head_sha == head
    assert reactions(said)[0] == "eyes"


def test_a_fix_is_committed_where_that_is_asked_for_and_undone(room: Any) -> None:
    thread = finding(room)
    head = room.pull.head_sha
    said = talk.reply(room.repo, thread, "/spark fix --commit", by="mona")
    ended, _ = answer(room, said)
    assert ended.state is JobState.DONE, ended.why
    info = room.repo.git.commit_info(room.pull.head_sha)
    assert info.parents == (head,)
    assert f"Spark-Command: thread-{said.id}" in info.message.splitlines()
    # A second run finds the commit and makes no other.
    again, _ = answer(room, said, attempt=2)
    assert (again.state, room.repo.git.commit_info(room.pull.head_sha).parents) == (JobState.DONE, (head,))
    undone, _ = answer(room, say(room, "/spark undo"))
    assert undone.state is JobState.DONE, undone.why
    assert room.repo.git.read(f"{room.pull.head_sha}:one.py") == room.repo.git.read(f"{head}:one.py")


def test_an_ignored_finding_is_resolved_and_kept_for_the_repository(room: Any) -> None:
    thread = finding(room)
    said = talk.reply(room.repo, thread, "/spark ignore it is only ever given constants", by="mona")
    ended, _ = answer(room, said)
    assert ended.state is JobState.DONE
    assert thread.thread.resolved_by.login == US
    (kept,) = room.memory.remembered()
    assert (kept.fingerprint, kept.by, kept.reason) == ("fp-default", "mona", "it is only ever given constants")
    (given,) = answers(room)
    dismissal = read_dismissal_marker(given.body.rpartition("\n")[0])
    assert dismissal is not None
    assert (dismissal.by, dismissal.excuses) == ("mona", True)


def test_a_stranger_is_refused_in_words(room: Any) -> None:
    said = talk.reply(room.repo, finding(room), "/spark ignore", by="stranger")
    ended, _ = answer(room, said)
    assert ended.state is JobState.DONE
    assert reactions(said) == ["eyes", "confused"]
    assert "may write" in answers(room)[0].body or "right to write" in answers(room)[0].body
    assert room.memory.remembered() == []


def test_a_review_is_ordered_of_the_head_as_it_is_now(room: Any) -> None:
    said = say(room, "/spark review deep")
    room.repo.commit("topic", {"three.py": b"x = 1\n"}, "More", "mona")
    _, line = answer(room, said)
    (work,) = line.submitted
    assert (work.number, work.head_sha, work.base_ref) == (room.pull.number, room.pull.head_sha, "main")
    assert (work.cause, work.effort, work.force) == (Cause.ASKED, Effort.DEEP, True)
    assert reactions(said) == ["eyes", "rocket"]
    assert answers(room) == []


def test_a_paused_pull_is_not_reviewed_until_it_is_resumed_or_asked_for(room: Any) -> None:
    _, line = answer(room, say(room, "/spark pause"))
    assert line.withdrawn == [(room.pull.number, "paused by mona")]
    room.repo.commit("topic", {"three.py": b"def h(c=[]):\n    return c\n"}, "More", "mona")
    skipped, _ = room.review(room.pull, cause=Cause.SYNCHRONIZE)
    assert skipped.state is JobState.SKIPPED
    assert "paused by mona" in skipped.why
    assert room.reviews() == []
    asked, _ = room.review(room.pull, cause=Cause.ASKED)
    assert asked.state is JobState.DONE
    _, line = answer(room, say(room, "/spark resume"))
    (order,) = line.submitted
    assert (order.cause, order.head_sha, order.force) == (Cause.SYNCHRONIZE, room.pull.head_sha, False)
    room.repo.commit("topic", {"four.py": b"def k(d=[]):\n    return d\n"}, "More", "mona")
    done, _ = room.review(room.pull, cause=Cause.SYNCHRONIZE)
    assert done.state is JobState.DONE


@pytest.mark.parametrize("body", ["/spark help", "/spark pause", "/spark hlep"])
def test_a_job_that_was_killed_and_runs_again_says_nothing_twice(room: Any, body: str) -> None:
    said = say(room, body)
    first, _ = answer(room, said)
    second, _ = answer(room, said, attempt=2)
    assert (first.state, second.state) == (JobState.DONE, JobState.DONE)
    assert first.url == second.url
    assert len(answers(room)) == 1
    assert reactions(said).count("eyes") == 1


def test_an_answer_that_landed_while_its_reply_was_lost_is_not_given_again(room: Any) -> None:
    match = f"POST /repos/{room.name}/issues/*/comments"
    room.github.faults.add(Fault(match=match, kind=Kind.CUT, when=When.AFTER, times=1))
    ended, _ = answer(room, say(room, "/spark help"))
    assert ended.state is JobState.DONE
    assert len(answers(room)) == 1


def test_a_command_is_carried_out_although_github_takes_no_reaction(room: Any) -> None:
    room.github.faults.add(Fault(match="POST /graphql", status=502, contains="addReaction", times=None))
    said = say(room, "/spark help")
    ended, _ = answer(room, said)
    assert ended.state is JobState.DONE
    assert "ack" not in ended.timing
    assert (len(answers(room)), reactions(said)) == (1, [])


def test_what_github_cannot_do_now_is_done_when_it_is_back(room: Any) -> None:
    room.github.faults.add(Fault(match=f"GET /repos/{room.name}/pulls/{room.pull.number}", status=502, times=4))
    ended, _ = answer(room, say(room, "/spark help"))
    assert (ended.state, len(answers(room))) == (JobState.DONE, 1)


def test_a_pull_that_cannot_be_read_is_told_in_an_answer(room: Any) -> None:
    match = f"GET /repos/{room.name}/pulls/{room.pull.number}"
    room.github.faults.add(Fault(match=match, status=403, message="Resource not accessible by integration", times=None))
    said = say(room, "/spark help")
    ended, _ = answer(room, said)
    assert (ended.state, ended.error) == (JobState.FAILED, "NotPermittedError")
    assert reactions(said) == ["eyes", "confused"]
    assert "did not work" in answers(room)[0].body


def test_a_bug_ends_with_a_reaction_and_words(room: Any) -> None:
    def fail(what: Any) -> None:
        raise KeyError(what.title)

    room.memory.remember = fail
    said = talk.reply(room.repo, finding(room), "/spark ignore", by="mona")
    ended, _ = answer(room, said)
    assert (ended.state, ended.error) == (JobState.FAILED, "KeyError")
    assert reactions(said) == ["eyes", "confused"]
    (given,) = answers(room)
    assert "a bug in Spark" in given.body
    assert "shared between" not in given.body


@pytest.mark.parametrize(
    ("cause", "state"), [(StopCause.PARKED, JobState.QUEUED), (StopCause.WITHDRAWN, JobState.SUPERSEDED)]
)
def test_a_job_that_is_told_to_stop_says_nothing_more(room: Any, cause: StopCause, state: JobState) -> None:
    said = say(room, "/spark help")
    line = room.line(order(room, said))
    line.stop(cause)
    ended = room.run(line)
    assert (ended.state, answers(room), reactions(said)) == (state, [], [])


def test_a_remark_in_somebody_elses_thread_is_none_of_our_business(room: Any) -> None:
    first = talk.begin_thread(room.repo, room.pull.number, "Why?", by="ann", path="one.py", line=3)
    said = talk.reply(room.repo, first, "What do you mean?", by="mona")
    ended, _ = answer(room, said)
    assert (ended.state, answers(room), reactions(said)) == (JobState.SKIPPED, [], [])


def test_a_question_in_our_thread_is_answered_there(room: Any) -> None:
    thread = finding(room)
    said = talk.reply(room.repo, thread, "Why is that a problem here?", by="mona")
    ended, _ = answer(room, said)
    assert ended.state is JobState.DONE, ended.why
    (given,) = answers(room)
    assert given.thread is thread.thread


def test_without_a_key_a_command_for_the_model_says_so(build: Callable[..., Any]) -> None:
    room = build(env={"SPARK_API_KEY": "", "SPARK_BASE_URL": "openai"})
    room.pull = room.open()
    ended, _ = answer(room, say(room, "/spark ask Why?"))
    assert ended.state is JobState.DONE
    assert "key" in answers(room)[0].body.lower()


def test_the_day_s_purse_and_the_repositorys_limit_hold_for_commands(room: Any) -> None:
    taken: list[float] = []

    class Empty:
        limited = True

        def take(self, usd: float, *, spent: float) -> float:
            taken.append(usd)
            return 0.0

        def close(self, spent: float) -> None:
            taken.append(-spent)

    room.purse = lambda job: Empty()
    ended, _ = answer(room, say(room, "/spark ask Why?"))
    assert len(taken) >= 2
    assert taken[-1] == 0.0
    assert "budget" in answers(room)[0].body
    assert ended.usd == 0.0


# -- floods


@pytest.mark.parametrize("body", ["/spark ask why", "/sprak help", "/spark review deep"])
def test_a_flood_of_commands_costs_a_question_and_a_reaction_each(room: Any, body: str) -> None:
    """Also of those that are never answered in words, such as `/spark review`."""
    said = say(room, body, by="stranger")
    before = len(list(room.github.requests))
    ended, _ = answer(room, said, comments=FLOOD + 1)
    assert (ended.state, ended.outcome) == (JobState.DONE, "refused")
    assert ended.why == f"{FLOOD + 1} comments in {FLOOD_MINUTES} minutes are too many"
    assert reactions(said) == ["confused"]
    assert answers(room) == []
    assert sum("/app" not in seen.path for seen in list(room.github.requests)[before:]) == 2


def test_who_may_write_is_heard_in_a_flood_of_others(room: Any) -> None:
    assert answer(room, say(room, "/spark help"), comments=FLOOD_OF_WRITERS)[0].outcome == "answered"
    assert answer(room, say(room, "/spark help"), comments=FLOOD_OF_WRITERS + 1)[0].outcome == "refused"


def test_a_flood_of_replies_costs_nothing(room: Any) -> None:
    """Thanks are heard with a thumb up, which takes a call to the model, and leave no answer to count."""
    said = talk.reply(room.repo, finding(room), "Thanks!", by="mona")
    before = len(list(room.github.requests))
    ended, _ = answer(room, said, comments=FLOOD + 1)
    assert ended.outcome == "refused"
    assert reactions(said) == []
    assert [seen for seen in list(room.github.requests)[before:] if "/app" not in seen.path] == []
