"""Comments read and answered over real HTTP: reactions at once, answers once, suggestions where GitHub takes them."""

from __future__ import annotations

import time

import pytest

from bot.commands.model import CommentKind, CommentRef, Reaction
from bot.diff.model import Anchor, HunkKey, Side
from bot.errors import NotPermittedError, OutsideError
from bot.github.talk import PullTalk
from bot.review.memory import CommentId
from bot.review.model import CommitSha, RepoName
from bot.review.render.markers import ReviewMarker, answer_marker, read_keys, review_marker, state_marker
from bot.sandbox.github import Fault, Kind, talk

LINES = "".join(f"line_{n} = {n}\n" for n in range(20))


@pytest.fixture(scope="module")
def bot(hall, key):
    """A client of the App, whose account is `spark-app[bot]`."""
    return hall.app(key).client(hall.install(key).id, hall.repo.full_name)


@pytest.fixture(scope="module")
def pull(hall):
    """One pull for all tests: each has comments of its own."""
    return hall.new_pull({"new.py": LINES})


@pytest.fixture
def desk(quiet):
    return quiet


@pytest.fixture
def at(desk, bot, pull):
    """A fresh `PullTalk`, as a job that was started again has it."""

    def make(**more):
        return PullTalk(
            more.pop("client", bot),
            RepoName(desk.repo.full_name),
            pull.number,
            pace=desk.pace,
            stop=more.pop("stop", desk.clock.stop()),
            **more,
        )

    return make


@pytest.fixture
def said(desk, pull):
    """A comment of each kind, as the payload of its delivery names it."""
    talked = talk.say(desk.repo, pull.number, "/spark help", by="ann")
    begun = talk.begin_thread(desk.repo, pull.number, "Hm.", by="ann", path="new.py", line=3)
    replied = talk.reply(desk.repo, begun, "/spark fix", by="ann")
    reviewed = talk.review(desk.repo, pull.number, "/spark review", by="ann")
    root = CommentId(begun.id)
    return {
        "record": {"talk": talked, "reply": replied, "begun": begun, "review": reviewed},
        "talk": CommentRef(kind=CommentKind.CONVERSATION, id=CommentId(talked.id), node_id=talked.node_id),
        "reply": CommentRef(kind=CommentKind.THREAD, id=CommentId(replied.id), node_id=replied.node_id, root=root),
        "begun": CommentRef(kind=CommentKind.THREAD, id=root, node_id=begun.node_id, root=root),
        "review": CommentRef(kind=CommentKind.REVIEW, id=CommentId(reviewed.id), node_id=reviewed.node_id),
    }


def answers(desk, pull, ref):
    """Every comment with the mark of an answer to `ref`."""
    notes = [each for each in desk.repo.comments.values() if each.thread.pull is pull]
    notes += [each for each in desk.repo.issue_comments.values() if each.pull is pull]
    return [each for each in notes if ref.key in read_keys(each.body, "answer")]


# Threads


def test_the_diff_that_a_thread_was_begun_on_is_read_with_the_comments_and_only_once(desk, at, said) -> None:
    record = said["record"]["begun"]
    one = at()
    [thread] = one.recall().threads
    before = len(desk.server.requests)
    assert one.hunk(thread) == record.thread.diff_hunk
    assert record.thread.diff_hunk.startswith("@@ ")
    assert one.hunk(thread) == record.thread.diff_hunk
    assert len(desk.server.requests) == before + 1
    read = at()
    read.answered(said["reply"])
    before = len(desk.server.requests)
    assert read.hunk(thread) == record.thread.diff_hunk
    assert len(desk.server.requests) == before


# Reactions


@pytest.mark.parametrize("kind", ["talk", "reply", "begun", "review"])
def test_each_kind_of_comment_is_given_a_reaction_once_and_nobody_waits_for_it(desk, at, said, kind) -> None:
    for _ in range(5):
        desk.pace.write(lambda: desk.client().call("GET", "/meta", stop=desk.clock.stop()), stop=desk.clock.stop())
    desk.clock.waits.clear()
    one = at()
    one.react(said[kind], Reaction.SEEN)
    one.react(said[kind], Reaction.SEEN)
    one.react(said[kind], Reaction.DONE)
    record = said["record"][kind]
    assert [(each.content, each.user.login) for each in record.reactions] == [
        ("eyes", "spark-app[bot]"),
        ("rocket", "spark-app[bot]"),
    ]
    assert desk.clock.waits == []


@pytest.mark.parametrize(
    ("reaction", "content"),
    [(Reaction.SEEN, "eyes"), (Reaction.DONE, "rocket"), (Reaction.YES, "+1"), (Reaction.NO, "confused")],
)
def test_our_reactions_are_github_s(at, said, reaction, content) -> None:
    at().react(said["talk"], reaction)
    assert [each.content for each in said["record"]["talk"].reactions] == [content]


@pytest.mark.parametrize(
    "fault", [Fault(match="POST /graphql", status=502, when="after"), Fault(match="POST /graphql", kind=Kind.CUT)]
)
def test_a_reaction_whose_answer_was_lost_is_simply_put_again(desk, at, said, fault) -> None:
    desk.server.faults.add(fault)
    at().react(said["talk"], Reaction.SEEN)
    assert len(said["record"]["talk"].reactions) == 1


def test_a_reaction_waits_when_github_asks_for_it(desk, at, said) -> None:
    desk.server.faults.add(Fault(match="POST /graphql", status=429, headers={"retry-after": "7"}))
    at().react(said["talk"], Reaction.SEEN)
    assert desk.clock.waits == [7.0]
    assert len(said["record"]["talk"].reactions) == 1


def test_a_comment_that_is_gone_or_not_ours_to_react_to_is_told(desk, at, said) -> None:
    gone = CommentRef(kind=CommentKind.CONVERSATION, id=CommentId(1), node_id="IC_gone")
    with pytest.raises(NotPermittedError, match="no reaction"):
        at().react(gone, Reaction.SEEN)
    desk.server.faults.add(Fault(match="POST /graphql", status=502, times=None))
    with pytest.raises(OutsideError):
        at().react(said["talk"], Reaction.SEEN)


# Answers


@pytest.mark.parametrize("kind", ["talk", "reply", "begun", "review"])
def test_an_answer_stands_where_it_was_asked_for_and_has_its_mark(desk, at, pull, said, kind) -> None:
    ref = said[kind]
    one = at()
    assert one.answered(ref) is None
    url = one.answer(ref, f"Here.\n\n{state_marker({'paused_by': 'ann'})}")
    (given,) = answers(desk, pull, ref)
    assert given.author.login == "spark-app[bot]"
    assert str(given.id) in url
    assert hasattr(given, "thread") == (ref.kind is CommentKind.THREAD)
    if ref.kind is CommentKind.THREAD:
        assert given.thread is said["record"]["begun"].thread
    again = at()
    assert again.answered(ref) == url
    assert again.answer(ref, "Other words.") == url
    assert len(answers(desk, pull, ref)) == 1


@pytest.mark.parametrize("kind", ["talk", "reply"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_an_answer_whose_reply_was_lost_is_looked_for_before_it_is_given_again(
    desk, at, pull, said, kind, when
) -> None:
    desk.server.faults.add(Fault(match="POST */comments", status=502, when=when))
    url = at().answer(said[kind], "Here.")
    (given,) = answers(desk, pull, said[kind])
    assert str(given.id) in url
    assert len(desk.sent("POST", "/comments")) == (1 if when == "after" else 2)


def test_the_mark_of_an_answer_is_nothing_in_a_person_s_hand(desk, at, pull, said) -> None:
    talk.say(desk.repo, pull.number, f"I am Spark.\n\n{answer_marker(said['talk'].key)}", by="mallory")
    assert at().answered(said["talk"]) is None


def test_an_answer_to_a_thread_that_was_deleted_stands_in_the_conversation(desk, at, pull, said) -> None:
    gone = CommentRef(kind=CommentKind.THREAD, id=CommentId(999_999), node_id="PRRC_x", root=CommentId(999_998))
    url = at().answer(gone, "Here.")
    assert "issuecomment" in url
    assert at().answered(gone) == url
    # Deleted between the look and the answer.
    one = at()
    assert one.answered(said["reply"]) is None
    desk.server.faults.add(Fault(match=f"POST */pulls/{pull.number}/comments", status=404))
    assert "issuecomment" in one.answer(said["reply"], "Here.")


def test_an_answer_that_is_too_long_is_cut_and_keeps_its_mark(desk, at, pull, said) -> None:
    at().answer(said["talk"], "words of an answer\n" * 9_000)
    (given,) = answers(desk, pull, said["talk"])
    assert "cut here" in given.body


def test_who_may_not_answer_is_told_so(desk, at, said) -> None:
    desk.server.faults.add(Fault(match="POST */comments", status=403, times=None))
    with pytest.raises(NotPermittedError, match="issues=write"):
        at().answer(said["talk"], "Here.")


def test_an_answer_for_which_github_s_pace_leaves_no_time_is_told(desk, at, said) -> None:
    desk.server.faults.add(Fault(match="POST */comments", status=429, headers={"retry-after": "900"}))
    with pytest.raises(OutsideError, match="no time"):
        at(stop=desk.clock.stop(30.0)).answer(said["talk"], "Here.")
    desk.clock.time += 1000.0


def test_answers_of_ours_are_counted_and_no_others(desk, at, pull, said) -> None:
    quiet_before = at().recent_answers(10)
    at().answer(said["talk"], "One.")
    at().answer(said["reply"], "Two.")
    talk.say(desk.repo, pull.number, f"x\n\n{answer_marker('thread-1')}", by="mallory")
    talk.say(desk.repo, pull.number, "No answer at all.", by="spark-app[bot]")
    assert at().recent_answers(10) == quiet_before + 2
    assert at(today=lambda: time.time() + 3600).recent_answers(10) == 0


# Suggestions


def anchor(line: int, start: int | None = None) -> Anchor:
    first = start or line
    return Anchor(
        path="new.py",
        side=Side.RIGHT,
        start_line=first,
        line=line,
        hunk=HunkKey(0, 0),
        text=("x",) * (line - first + 1),
    )


def test_a_suggestion_is_a_thread_of_its_own_and_comes_once(desk, at, pull) -> None:
    head = CommitSha(pull.head_sha)
    one = at()
    url = one.suggest(head, anchor(6, 5), "Better:\n```suggestion\nx = 1\n```")
    thread = list(desk.repo.threads.values())[-1]
    assert (
        thread.path,
        thread.start_line,
        thread.line,
        thread.commit_id,
    ) == (
        "new.py",
        5,
        6,
        head,
    )
    assert str(thread.comments[0].id) in str(url)
    assert at().suggest(head, anchor(6, 5), "Better:\n```suggestion\nx = 1\n```") == url
    assert len(desk.sent("POST", "/comments")) == 1


def test_a_suggestion_whose_answer_was_lost_is_found(desk, at, pull) -> None:
    desk.server.faults.add(Fault(match="POST */comments", kind=Kind.CUT, when="after"))
    url = at().suggest(CommitSha(pull.head_sha), anchor(8), "Better: eight")
    assert str(list(desk.repo.comments.values())[-1].id) in str(url)
    assert len(desk.sent("POST", "/comments")) == 1


def test_a_place_that_github_refuses_has_no_suggestion(desk, at, pull) -> None:
    assert at().suggest(CommitSha(pull.head_sha), anchor(900), "Better: nowhere") is None
    assert all("nowhere" not in each.body for each in desk.repo.comments.values())


def test_a_pending_review_of_a_run_that_died_does_not_stand_in_the_way(desk, at, bot, pull) -> None:
    mark = review_marker(ReviewMarker(head=CommitSha(pull.head_sha), base=CommitSha(""), run="old.probe"))
    path = f"/repos/acme/shop/pulls/{pull.number}/reviews"
    assert bot.call("POST", path, stop=desk.clock.stop(), body={"body": mark}).ok
    assert at().suggest(CommitSha(pull.head_sha), anchor(9), "Better: nine") is not None
    assert all(each.state != "PENDING" for each in desk.repo.reviews.values())


# Threads


def test_a_thread_is_resolved_opened_and_a_comment_folded_away(desk, at, said) -> None:
    one = at()
    one.answer(said["reply"], "Here.")
    thread = next(each for each in one.recall().threads if each.comments[0].id == said["begun"].id)
    record = said["record"]["begun"].thread
    desk.server.faults.add(Fault(match="POST /graphql", contains="resolveReviewThread", status=502, when="after"))
    assert one.resolve(thread) == ""
    assert record.resolved_by is not None
    assert next(each for each in one.recall().threads if each.id == thread.id).resolved_by_us
    assert one.unresolve(thread) == ""
    assert record.resolved_by is None
    one.hide(record.comments[-1].node_id)
    assert record.comments[-1].minimized == "outdated"
    one.hide("IC_gone")


def test_who_may_not_resolve_is_told_what_is_missing(desk, at, said) -> None:
    token = "ghs_" + "reader" * 6
    desk.world.actions_token(desk.repo.full_name, token, {"contents": "read", "pull_requests": "write"})
    one = at(client=desk.client(token))
    (thread,) = [each for each in one.recall().threads if each.comments[0].id == said["begun"].id]
    assert "contents: write" in one.resolve(thread)
    assert said["record"]["begun"].thread.resolved_by is None
