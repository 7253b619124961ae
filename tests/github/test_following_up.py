"""A later round over real HTTP: our last review's text replaced, notes put into our threads, threads resolved and opened again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.diff.model import Anchor, HunkKey, Side
from bot.errors import OutsideError
from bot.github.mutations import Change, Verb, document
from bot.github.pace import Pace
from bot.github.patience import PAUSES, PatientPublisher
from bot.github.reviews import PullPublisher
from bot.review.memory import CommentId, ThreadId
from bot.review.model import CommitSha, Fingerprint, RepoName
from bot.review.ports import Amend, DraftComment, ReviewDraft, Then, ThreadStep
from bot.review.render.markers import (
    ReviewMarker,
    answer_marker,
    finding_marker,
    read_keys,
    read_review_marker,
    review_marker,
    step_marker,
)
from bot.review.render.threads import round_note
from bot.sandbox.github import Fault, Kind, talk


def draft(pull, *, run="run-2", **more):
    mark = review_marker(ReviewMarker(head=pull.head_sha, base=pull.base_sha, run=run))
    return ReviewDraft(
        **{"commit": CommitSha(pull.head_sha), "body": f"Round {run}.\n\n{mark}", "comments": (), "run": run} | more
    )


def comment(name: str, line: int) -> DraftComment:
    anchor = Anchor(path="new.py", side=Side.RIGHT, start_line=line, line=line, hunk=HunkKey(0, 0), text=("x",))
    body = f"Text.\n\n{finding_marker(Fingerprint(name))}"
    return DraftComment(anchor=anchor, body=body, entry="e", fingerprint=Fingerprint(name))


@pytest.fixture
def pull(quiet):
    """A pull with a review of ours and two threads."""
    record = quiet.new_pull({"new.py": "".join(f"line_{n} = {n}\n" for n in range(20))})
    first = draft(record, run="run-1", comments=(comment("f1", 1), comment("f2", 2)))
    assert len(quiet.at(record).publish(first).posted) == 2
    quiet.server.requests.clear()
    quiet.clock.waits.clear()
    quiet.clock.time += 3600.0
    return record


@pytest.fixture
def ours(quiet, pull):
    """Our threads, oldest first."""
    return [each for each in quiet.repo.threads.values() if each.pull is pull]


def reviews(desk, pull):
    """Those of rounds, of all kinds of reviews."""
    found = [each for each in desk.repo.reviews.values() if each.pull is pull]
    return [each for each in found if each.body and not each.body.startswith("Followed up")]


def bundles(desk, pull):
    """The reviews that notes were sent in, as people read them."""
    found = [each for each in desk.repo.reviews.values() if each.pull is pull and each.body.startswith("Followed up")]
    return [(each.state, each.body.partition("\n")[0]) for each in found]


def mails(desk, pull):
    """How many mails the replies in threads were: a reply that was sent alone is a review of its own."""
    return len({id(each.review) for each in desk.repo.comments.values() if each.thread.pull is pull and each.reply_to})


def amend(desk, pull):
    (review,) = [each for each in reviews(desk, pull) if each.state != "PENDING"]
    return Amend(id=review.id, url="https://example.org/last")


def documents(desk):
    """The bodies of what was written by GraphQL."""
    return [seen.body for seen in desk.sent("POST", "/graphql") if b'"mutation' in seen.body]


def quietly(thread, follows):
    return ThreadStep(
        thread=ThreadId(thread.node_id),
        root=CommentId(thread.comments[0].id),
        body="",
        then=Then.RESOLVE,
        follows=ThreadId(follows.node_id),
    )


def step(thread, key="fixed-abc", then=Then.RESOLVE, text="Fixed in abc."):
    return ThreadStep(
        thread=ThreadId(thread.node_id),
        root=CommentId(thread.comments[0].id),
        body=f"{text}\n\n{step_marker(key)}",
        then=then,
    )


# The review of a round without anything new


@pytest.mark.parametrize(
    "fault", [None, Fault(match="PUT *", status=502, when="after"), Fault(match="PUT *", kind=Kind.CUT)]
)
def test_with_nothing_new_to_say_the_last_review_s_text_is_replaced(quiet, pull, fault) -> None:
    if fault is not None:
        quiet.server.faults.add(fault)
    done = quiet.at(pull).publish(draft(pull, amend=amend(quiet, pull)))
    (review,) = reviews(quiet, pull)
    mark = read_review_marker(review.body)
    assert mark is not None
    assert mark.run == "run-2"
    assert (done.url or "").endswith(str(review.id))
    assert (done.posted, done.unposted, done.problem, done.moved_to) == ((), (), "", None)
    assert quiet.sent("POST", "/reviews") == []


def test_a_note_of_the_conversation_that_stands_for_a_review_is_replaced_likewise(quiet, pull) -> None:
    path = f"/repos/acme/shop/issues/{pull.number}/comments"
    answer = quiet.client().call("POST", path, stop=quiet.clock.stop(), body={"body": "old"})
    number = answer.json()["id"]
    done = quiet.at(pull).publish(draft(pull, amend=Amend(id=number, url="u", in_conversation=True)))
    assert quiet.repo.issue_comments[number].body.startswith("Round run-2.")
    assert f"issuecomment-{number}" in (done.url or "")
    assert len(reviews(quiet, pull)) == 1


@pytest.mark.parametrize("status", [403, 404, 422])
def test_where_the_text_may_not_be_replaced_a_new_review_is_posted(quiet, pull, status) -> None:
    quiet.server.faults.add(Fault(match="PUT *", status=status))
    done = quiet.at(pull).publish(draft(pull, amend=amend(quiet, pull)))
    first, second = reviews(quiet, pull)
    assert first.body.startswith("Round run-1.")
    assert second.body.startswith("Round run-2.")
    assert (done.url or "").endswith(str(second.id))


def test_a_text_that_was_replaced_already_is_left_alone(quiet, pull) -> None:
    wanted = draft(pull, amend=amend(quiet, pull))
    first = quiet.at(pull).publish(wanted)
    quiet.server.requests.clear()
    assert quiet.at(pull).publish(wanted).url == first.url
    assert quiet.sent("PUT") + quiet.sent("POST", "/reviews") == []


def test_on_a_head_that_moved_nothing_is_replaced_and_no_step_taken(quiet, pull, ours) -> None:
    wanted = draft(pull, amend=amend(quiet, pull), steps=(step(ours[0]),))
    quiet.repo.commit(pull.head_ref, {"late.py": "x = 1\n"})
    done = quiet.at(pull).publish(wanted)
    assert (done.url, done.moved_to, done.followed) == (None, pull.head_sha, 0)
    assert reviews(quiet, pull)[0].body.startswith("Round run-1.")
    assert (len(ours[0].comments), ours[0].resolved_by) == (1, None)


# Threads


@pytest.mark.parametrize("answered", [False, True])
def test_a_step_without_words_is_taken_with_the_one_that_it_follows_or_not_at_all(quiet, pull, ours, answered) -> None:
    if answered:
        talk.reply(quiet.repo, ours[0], "Wait!", by="alice")
    before = len(ours[1].comments)
    quiet.at(pull).publish(draft(pull, steps=(step(ours[0]), quietly(ours[1], ours[0]))))
    assert [each.resolved_by is not None for each in ours] == [not answered] * 2
    assert len(ours[1].comments) == before


def test_a_thread_gets_its_note_and_is_resolved_and_another_is_opened_again(quiet, pull, ours) -> None:
    talk.resolve(quiet.repo, ours[1], by="spark")
    steps = (step(ours[0]), step(ours[1], "back-abc", Then.REOPEN, "It is back in abc."))
    done = quiet.at(pull).publish(draft(pull, steps=steps))
    assert (done.followed, done.unfollowed) == (2, ())
    assert [each.comments[-1].body.partition("\n")[0] for each in ours] == ["Fixed in abc.", "It is back in abc."]
    assert [each.resolved_by.login if each.resolved_by else None for each in ours] == ["spark", None]
    assert len(documents(quiet)) == 2, "the notes, then what becomes of the threads"


def test_many_threads_take_few_requests(quiet) -> None:
    record = quiet.new_pull({"new.py": "".join(f"line_{n} = {n}\n" for n in range(30))})
    many = tuple(comment(f"f{n}", n) for n in range(1, 25))
    assert len(quiet.at(record).publish(draft(record, run="run-1", comments=many)).posted) == 24
    quiet.clock.time += 3600.0
    quiet.clock.waits.clear()
    quiet.server.requests.clear()
    began = quiet.clock.now()
    threads = [each for each in quiet.repo.threads.values() if each.pull is record]
    steps = tuple(step(each, f"fixed-{n}") for n, each in enumerate(threads))
    done = quiet.at(record).publish(draft(record, steps=steps))
    assert (done.followed, done.unfollowed) == (24, ())
    assert all(len(each.comments) == 2 and each.resolved_by is not None for each in threads)
    assert [asked.count(b"(input:") for asked in documents(quiet)] == [20, 4, 20, 4]
    assert quiet.sent("POST", "/comments") == []
    assert bundles(quiet, record) == [("COMMENTED", "Followed up on 24 threads: 24 fixed.")]
    assert mails(quiet, record) == 1
    assert quiet.clock.waits == [1.0] * 4, "the writes of a minute beyond the third, and each of them a second"
    assert done.at == began, "when the review stood, which the steps do not put off"


@pytest.mark.parametrize("type_", ["UNPROCESSABLE", "FORBIDDEN"])
def test_of_many_notes_one_that_is_refused_keeps_only_its_own_thread_open(quiet, pull, ours, type_) -> None:
    refused = Fault(
        match="POST /graphql",
        contains="Reply(",
        kind=Kind.FIELDS,
        fields=("s0",),
        type=type_,
        message="No.",
        times=None,
    )
    quiet.server.faults.add(refused)
    done = quiet.at(pull).publish(draft(pull, steps=(step(ours[0]), step(ours[1]))))
    assert done.followed == 1
    assert [why.rpartition(": ")[2] for why in done.unfollowed] == ["No."]
    assert [len(each.comments) for each in ours] == [1, 2]
    assert [each.resolved_by is None for each in ours] == [True, False]
    assert bundles(quiet, pull) == [("COMMENTED", "Followed up on 1 thread: 1 fixed.")]


@pytest.mark.parametrize("what", ["Reply(", "resolveReviewThread"])
def test_what_github_could_not_do_for_trouble_of_its_own_is_asked_for_once_more_alone(quiet, pull, ours, what) -> None:
    quiet.server.faults.add(Fault(match="POST /graphql", contains=what, kind=Kind.FIELDS, fields=("s1",), type=""))
    done = quiet.at(pull).publish(draft(pull, steps=(step(ours[0]), step(ours[1]))))
    assert (done.followed, done.unfollowed) == (2, ())
    assert [len(each.comments) for each in ours] == [2, 2]
    assert sorted(asked.count(b"(input:") for asked in documents(quiet)) == [1, 2, 2]


@pytest.mark.parametrize(
    ("type_", "message"), [("RATE_LIMITED", "API rate limit exceeded"), ("UNPROCESSABLE", "was submitted too quickly")]
)
def test_what_came_too_fast_for_github_is_asked_for_again_after_a_minute(quiet, pull, ours, type_, message) -> None:
    held = Fault(
        match="POST /graphql", contains="Reply(", kind=Kind.FIELDS, fields=("s1",), type=type_, message=message
    )
    quiet.server.faults.add(held)
    done = quiet.at(pull).publish(draft(pull, steps=(step(ours[0]), step(ours[1]))))
    assert (done.followed, done.unfollowed) == (2, ())
    assert [len(each.comments) for each in ours] == [2, 2], "what was done before the limit is not done again"
    assert quiet.clock.waits == [60.0]


def test_somebody_who_writes_while_a_lost_note_is_looked_for_gets_no_note_and_keeps_the_thread_open(
    quiet, pull, ours
) -> None:
    def wait(stop, seconds):
        if len(ours[0].comments) == 1:
            talk.reply(quiet.repo, ours[0], "No, it is not.", by="ann")
        return quiet.clock.wait(stop, seconds)

    quiet.server.faults.add(Fault(match="POST /graphql", contains="Reply(", status=502))
    pace = Pace(clock=quiet.clock, wait=wait)
    publisher = PullPublisher(quiet.client(), RepoName("acme/shop"), pull.number, pace=pace, stop=quiet.clock.stop())
    done = publisher.publish(draft(pull, steps=(step(ours[0]), step(ours[1]))))
    assert done.followed == 1
    assert "somebody has written there since" in done.unfollowed[0]
    assert [each.comments[-1].author.login for each in ours] == ["ann", "spark"]
    assert [each.resolved_by is None for each in ours] == [True, False]


def test_a_person_s_own_pending_review_gets_no_note_of_ours(quiet, pull, ours) -> None:
    path = f"/repos/acme/shop/pulls/{pull.number}/reviews"
    made = quiet.client().call("POST", path, stop=quiet.clock.stop(), body={"body": "my draft"})
    done = quiet.at(pull).publish(draft(pull, amend=amend(quiet, pull), steps=(step(ours[0]),)))
    assert "pending review" in done.unfollowed[0]
    assert (len(ours[0].comments), ours[0].resolved_by) == (1, None)
    review = quiet.repo.reviews[made.json()["id"]]
    assert (review.state, review.body) == ("PENDING", "my draft")


def test_a_pending_review_of_a_run_that_died_is_deleted_and_the_note_is_seen(quiet, pull, ours) -> None:
    mark = review_marker(ReviewMarker(head=pull.head_sha, base=pull.base_sha, run="old.probe"))
    path = f"/repos/acme/shop/pulls/{pull.number}/reviews"
    made = quiet.client().call("POST", path, stop=quiet.clock.stop(), body={"body": mark})
    done = quiet.at(pull).publish(draft(pull, amend=amend(quiet, pull), steps=(step(ours[0]),)))
    assert (done.followed, len(ours[0].comments)) == (1, 2)
    assert made.json()["id"] not in quiet.repo.reviews


@pytest.mark.parametrize("kind", [Kind.STATUS, Kind.CUT])
def test_notes_whose_answer_was_lost_are_not_written_twice(quiet, pull, ours, kind) -> None:
    quiet.server.faults.add(Fault(match="POST /graphql", contains="Reply(", status=502, kind=kind, when="after"))
    done = quiet.at(pull).publish(draft(pull, steps=(step(ours[0]), step(ours[1]))))
    assert (done.followed, done.unfollowed) == (2, ())
    assert [len(each.comments) for each in ours] == [2, 2]
    assert len(documents(quiet)) == 3, "together, one by one after that, and what becomes of the threads"
    assert (bundles(quiet, pull), mails(quiet, pull)) == ([], 2)


@pytest.mark.parametrize("kind", [Kind.STATUS, Kind.CUT])
def test_notes_that_did_not_arrive_are_sent_again(quiet, pull, ours, kind) -> None:
    quiet.server.faults.add(Fault(match="POST /graphql", contains="Reply(", status=502, kind=kind))
    done = quiet.at(pull).publish(draft(pull, steps=(step(ours[0]), step(ours[1]))))
    assert (done.followed, done.unfollowed) == (2, ())
    assert [len(each.comments) for each in ours] == [2, 2]
    assert len(documents(quiet)) == 3


def test_one_note_alone_is_a_reply_and_no_review_of_its_own(quiet, pull, ours) -> None:
    assert quiet.at(pull).publish(draft(pull, steps=(step(ours[0]),))).followed == 1
    assert (bundles(quiet, pull), quiet.sent("POST", "/events"), len(documents(quiet))) == ([], [], 2)


REVIEWS = "POST */pulls/*/reviews"
EVENTS = "POST */events"


@pytest.mark.parametrize(
    ("fault", "together"),
    [
        (Fault(match=REVIEWS, contains="Followed up", status=422), False),
        (Fault(match=REVIEWS, contains="Followed up", status=502), False),
        (Fault(match=REVIEWS, contains="Followed up", status=502, when="after"), False),
        (Fault(match=EVENTS, status=422), False),
        (Fault(match=EVENTS, status=502), False),
        (Fault(match=EVENTS, status=502, when="after"), True),
        (Fault(match=EVENTS, kind=Kind.CUT, when="after"), True),
    ],
)
def test_notes_that_cannot_go_out_together_go_out_alone_and_none_twice(quiet, pull, ours, fault, together) -> None:
    quiet.server.faults.add(fault)
    done = quiet.at(pull).publish(draft(pull, steps=(step(ours[0]), step(ours[1], "still-1", Then.NOTHING, "Still."))))
    assert (done.followed, done.unfollowed) == (2, ())
    assert [len(each.comments) for each in ours] == [2, 2]
    assert [each.resolved_by is None for each in ours] == [False, True]
    told = [("COMMENTED", "Followed up on 2 threads: 1 fixed, 1 still there.")]
    assert (bundles(quiet, pull), mails(quiet, pull)) == ((told, 1) if together else ([], 2))


def test_a_review_of_notes_that_a_killed_run_left_pending_is_deleted_and_never_submitted(quiet, pull, ours) -> None:
    steps = (step(ours[0]), step(ours[1]))
    path = f"/repos/acme/shop/pulls/{pull.number}/reviews"
    old = round_note([each.body for each in steps])
    made = quiet.client().call("POST", path, stop=quiet.clock.stop(), body={"body": old}).json()
    given = {"pullRequestReviewThreadId": ours[0].node_id, "pullRequestReviewId": made["node_id"], "body": "Stale."}
    text, variables = document([Change(alias="a", verb=Verb.REPLY, given=given)])
    assert quiet.client().mutate_all(text, variables, stop=quiet.clock.stop()).ok
    assert [each.body for each in ours[0].comments][1:] == ["Stale."]
    done = quiet.at(pull).publish(draft(pull, steps=steps))
    assert (done.followed, done.unfollowed) == (2, ())
    assert [[each.body.partition("\n")[0] for each in thread.comments[1:]] for thread in ours] == [
        ["Fixed in abc."]
    ] * 2
    assert made["id"] not in quiet.repo.reviews
    assert bundles(quiet, pull) == [("COMMENTED", "Followed up on 2 threads: 2 fixed.")]


def test_a_review_of_notes_is_no_memory_of_a_round(quiet, pull, ours) -> None:
    quiet.at(pull).publish(draft(pull, steps=(step(ours[0]), step(ours[1]))))
    last = quiet.at(pull).recall().last
    assert last is not None
    assert last.body.startswith("Round run-2.")


def test_while_nobody_can_tell_what_became_of_the_notes_no_thread_is_touched(quiet, pull, ours) -> None:
    quiet.server.faults.add(Fault(match=EVENTS, status=502, times=None))
    quiet.server.faults.add(Fault(match="DELETE *", status=502, times=None))
    done = quiet.at(pull).publish(draft(pull, steps=(step(ours[0]), step(ours[1]))))
    assert (done.followed, len(done.unfollowed)) == (0, 2)
    assert [each.resolved_by for each in ours] == [None, None]
    quiet.server.faults.clear()
    again = quiet.at(pull).publish(draft(pull, steps=(step(ours[0]), step(ours[1]))))
    assert (again.followed, [len(each.comments) for each in ours]) == (2, [2, 2])


# Words put into an earlier note's place


def still(thread, name):
    marks = f"{finding_marker(Fingerprint(name))}\n{step_marker(f'still-{name}')}"
    body = f"Still there in {name}.\n\n{marks}"
    return ThreadStep(thread=ThreadId(thread.node_id), root=CommentId(thread.comments[0].id), body=body)


def test_what_is_still_there_is_told_by_a_reply_once_and_by_an_edit_after_that(quiet, pull, ours) -> None:
    heard = []
    quiet.world.listeners.append(lambda happening: heard.append((happening.event, happening.action)))
    for name in ("aa", "bb", "bb", "cc"):
        done = quiet.at(pull).publish(draft(pull, amend=amend(quiet, pull), steps=(still(ours[0], name),)))
        assert (done.followed, done.unfollowed) == (1, ())
    quiet.world.listeners.clear()
    assert [each.body.partition("\n")[0] for each in ours[0].comments[1:]] == ["Still there in cc."]
    assert heard.count(("pull_request_review_comment", "created")) == 1
    assert heard.count(("pull_request_review_comment", "edited")) == 2, "the same words are not written again"
    (known, _) = quiet.at(pull).recall().findings
    assert known.aliases == ("aa", "bb", "cc"), "under each of its names it is known again"


@pytest.mark.parametrize("fault", [None, "FORBIDDEN", "NOT_FOUND"])
def test_below_a_person_s_words_and_where_github_refuses_the_edit_it_is_a_reply(quiet, pull, ours, fault) -> None:
    quiet.at(pull).publish(draft(pull, amend=amend(quiet, pull), steps=(still(ours[0], "aa"),)))
    if fault is None:
        talk.reply(quiet.repo, ours[0], "I see.", by="ann")
    else:
        no = Fault(match="POST /graphql", contains="ReviewComment(", kind=Kind.FIELDS, fields=("s0",), type=fault)
        quiet.server.faults.add(no)
    done = quiet.at(pull).publish(draft(pull, amend=amend(quiet, pull), steps=(still(ours[0], "bb"),)))
    assert (done.followed, done.unfollowed) == (1, ())
    said = [each.body.partition("\n")[0] for each in ours[0].comments if each.author.login == "spark"][1:]
    assert said == ["Still there in aa.", "Still there in bb."]


def test_an_edit_whose_answer_was_lost_is_made_again_and_says_it_once(quiet, pull, ours) -> None:
    quiet.at(pull).publish(draft(pull, amend=amend(quiet, pull), steps=(still(ours[0], "aa"),)))
    quiet.server.faults.add(Fault(match="POST /graphql", contains="ReviewComment(", status=502, when="after"))
    done = quiet.at(pull).publish(draft(pull, amend=amend(quiet, pull), steps=(still(ours[0], "bb"),)))
    assert (done.followed, done.unfollowed) == (1, ())
    assert [each.body.partition("\n")[0] for each in ours[0].comments[1:]] == ["Still there in bb."]


def test_where_we_said_that_we_committed_it_that_answer_says_that_it_is_fixed_and_the_thread_is_resolved(
    quiet, pull, ours
) -> None:
    answer = f"Committed abc.\n\n{step_marker('committed-abc')}\n{answer_marker('thread-7')}"
    talk.reply(quiet.repo, ours[0], answer, by="spark")
    reply = ours[0].comments[1]
    wanted = draft(pull, amend=amend(quiet, pull), steps=(step(ours[0]),))
    assert quiet.at(pull).publish(wanted).followed == 1
    assert reply.body.split("\n\n")[:2] == ["Committed abc.", "Fixed in abc."]
    assert read_keys(reply.body, "step") == ["committed-abc", "fixed-abc"]
    assert read_keys(reply.body, "answer") == ["thread-7"]
    assert (len(ours[0].comments), ours[0].resolved_by is not None) == (2, True)
    ours[0].resolved_by = None
    before = reply.body
    assert quiet.at(pull).publish(wanted).followed == 1, "a run that was killed before it resolved"
    assert (reply.body, len(ours[0].comments), ours[0].resolved_by is not None) == (before, 2, True)


def test_a_step_that_an_earlier_run_took_halfway_is_only_finished(quiet, pull, ours) -> None:
    wanted = draft(pull, steps=(step(ours[0]),))
    quiet.at(pull).publish(replace(wanted, steps=(step(ours[0], then=Then.NOTHING),)))
    done = quiet.at(pull).publish(wanted)
    assert (done.followed, len(ours[0].comments)) == (1, 2)
    assert ours[0].resolved_by is not None
    quiet.server.requests.clear()
    assert quiet.at(pull).publish(wanted).followed == 1
    assert [seen.path for seen in quiet.sent("POST")] == ["/graphql"] * 2, "who we are, and how the threads are"


def test_the_same_mark_of_somebody_else_does_not_count_as_our_note(quiet, pull, ours) -> None:
    copied = step(ours[0]).body
    talk.reply(quiet.repo, ours[0], copied, by="mallory")
    done = quiet.at(pull).publish(draft(pull, steps=(step(ours[0], then=Then.NOTHING),)))
    assert done.followed == 1
    assert [each.author.login for each in ours[0].comments] == ["spark", "mallory", "spark"]


def test_a_thread_in_which_somebody_has_just_written_is_not_resolved(quiet, pull, ours) -> None:
    publisher = quiet.at(pull)
    assert not publisher.recall().threads[0].unanswered
    talk.reply(quiet.repo, ours[0], "Wait, is that so?", by="ann")
    done = publisher.publish(draft(pull, steps=(step(ours[0]), step(ours[1]))))
    assert done.followed == 1
    (why,) = done.unfollowed
    assert "was not resolved: somebody has written there since" in why
    assert (len(ours[0].comments), ours[0].resolved_by) == (2, None)
    assert ours[1].resolved_by is not None


def test_an_app_that_may_not_resolve_says_so_and_leaves_its_note(quiet, pull, key) -> None:
    installation = quiet.install(key)
    installation.permissions["contents"] = "read"
    client = quiet.app(key).client(installation.id, "acme/shop")
    quiet.at(pull, client=client).publish(draft(pull, comments=(comment("f3", 3),)))
    thread = [each for each in quiet.repo.threads.values() if each.pull is pull][-1]
    done = quiet.at(pull, client=client).publish(draft(pull, run="run-3", steps=(step(thread),)))
    (why,) = done.unfollowed
    assert "contents: write" in why
    assert thread.comments[-1].body.startswith("Fixed in abc.")
    assert thread.resolved_by is None
    assert done.url is not None


def test_a_thread_that_is_gone_costs_the_others_nothing(quiet, pull, ours) -> None:
    gone = replace(step(ours[0]), thread=ThreadId("PRRT_nowhere"))
    done = quiet.at(pull).publish(draft(pull, steps=(gone, step(ours[1]))))
    assert done.followed == 1
    assert "the thread is gone" in done.unfollowed[0]


def test_a_thread_of_somebody_else_is_never_touched(quiet, pull) -> None:
    begun = talk.begin_thread(quiet.repo, pull.number, "Mine", by="ann", path="new.py", line=4)
    done = quiet.at(pull).publish(draft(pull, steps=(step(begun.thread),)))
    assert "it is not ours" in done.unfollowed[0]
    assert (len(begun.thread.comments), begun.thread.resolved_by) == (1, None)


def test_steps_for_which_there_is_no_time_are_told(quiet, pull, ours) -> None:
    for _ in range(2):
        path = f"/repos/acme/shop/issues/{pull.number}/comments"
        stop = quiet.clock.stop()
        quiet.pace.write(lambda: quiet.client().call("POST", path, stop=stop, body={"body": "x"}), stop=stop)  # noqa: B023
    publisher = quiet.at(pull, stop=quiet.clock.stop(1.5))
    done = publisher.publish(draft(pull, steps=(step(ours[0], "a"), step(ours[1], "b", Then.NOTHING))))
    assert done.url is not None
    assert [len(each.comments) for each in ours] == [2, 2]
    assert done.followed == 1
    (why,) = done.unfollowed
    assert "was not resolved: there was no time left" in why


@pytest.mark.parametrize(("contains", "why"), [("nodes(ids", "403"), ("resolveReviewThread", "403")])
def test_where_graphql_is_refused_the_review_stands_all_the_same(quiet, pull, ours, contains, why) -> None:
    quiet.server.faults.add(Fault(match="POST /graphql", contains=contains, status=403, times=None))
    done = quiet.at(pull).publish(draft(pull, steps=(step(ours[0]),)))
    assert done.url is not None
    assert why in done.unfollowed[0]


def test_while_github_is_away_the_review_stands_and_each_step_is_told(quiet, pull, ours) -> None:
    quiet.server.faults.add(Fault(match="POST /graphql", contains="resolveReviewThread", status=502, times=None))
    done = quiet.at(pull).publish(draft(pull, steps=(step(ours[0]), step(ours[1]))))
    assert done.url is not None
    assert (done.followed, len(done.unfollowed)) == (0, 2)
    assert "502" in done.unfollowed[0]


def test_who_has_patience_takes_the_steps_when_github_is_back(quiet, pull, ours) -> None:
    match = "POST /graphql"
    quiet.server.faults.add(Fault(match=match, contains="resolveReviewThread", status=502, times=3))
    stop = quiet.clock.stop()
    patient = PatientPublisher(quiet.at(pull, stop=stop), stop=stop, pause=quiet.clock.wait, fields={})
    done = patient.publish(draft(pull, steps=(step(ours[0]), step(ours[1]))))
    assert (done.followed, done.unfollowed) == (2, ())
    assert [len(each.comments) for each in ours] == [2, 2]
    assert len(reviews(quiet, pull)) == 2
    assert PAUSES[0] in quiet.clock.waits


def test_patience_ends_with_the_job_s_time_and_the_review_is_told_as_posted(quiet, pull, ours) -> None:
    quiet.server.faults.add(Fault(match="POST /graphql", contains="resolveReviewThread", status=502, times=None))
    stop = quiet.clock.stop(20.0)
    patient = PatientPublisher(quiet.at(pull, stop=stop), stop=stop, pause=quiet.clock.wait, fields={})
    done = patient.publish(draft(pull, steps=(step(ours[0]),)))
    assert done.url is not None
    assert (done.followed, len(done.unfollowed)) == (0, 1)


def test_a_patient_reader_waits_for_the_memory(quiet, pull) -> None:
    match = f"GET */pulls/{pull.number}/reviews"
    quiet.server.faults.add(Fault(match=match, status=503, kind=Kind.CUT, times=3))
    patient = PatientPublisher(quiet.at(pull), stop=quiet.clock.stop(), pause=quiet.clock.wait, fields={})
    patient.begin()
    assert len(patient.recall().findings) == 2
    quiet.server.faults.add(Fault(match=match, kind=Kind.CUT, times=None))
    hasty = PatientPublisher(quiet.at(pull), stop=quiet.clock.stop(1.0), pause=quiet.clock.wait, fields={})
    with pytest.raises(OutsideError):
        hasty.recall()
