"""Reviews posted over real HTTP to the stand-in: whole, once, and with nothing lost, whatever GitHub answers."""

from __future__ import annotations

import itertools
import re
import threading
import time
from dataclasses import replace

import pytest

from bot.diff.model import Anchor, HunkKey, Side
from bot.errors import CredentialsError, NotPermittedError, OutsideError
from bot.github import limits
from bot.github.pace import Pace
from bot.review.model import CommitSha, Fingerprint
from bot.review.ports import DraftComment, ReviewDraft
from bot.review.render.markers import (
    ReviewMarker,
    finding_marker,
    read_finding_markers,
    read_review_marker,
    review_marker,
)
from bot.sandbox.github import Fault, Kind, Limits, Rates

REVIEWS = "POST */pulls/1/reviews"


def numbered(count, changed=None):
    return "".join(f"{(changed or {}).get(n, f'line_{n} = {n}')}\n" for n in range(1, count + 1))


def comment(
    number: int, *, line: int, start: int | None = None, side: Side = Side.RIGHT, path: str = "a.py"
) -> DraftComment:
    mark = Fingerprint(f"finding-{number}")
    anchor = Anchor(
        path=path,
        side=side,
        start_line=start or line,
        line=line,
        hunk=HunkKey(0, 0),
        text=("x",) * (line - (start or line) + 1),
    )
    body = f"**Finding {number}**\n\nText.\n\n{finding_marker(mark)}"
    return DraftComment(anchor=anchor, body=body, entry=f"**Finding {number}** in the summary", fingerprint=mark)


@pytest.fixture
def pull(desk):
    """A pull that adds `new.py` with 100 lines and changes line 30 of `a.py`; as our own value."""
    desk.pull({"new.py": numbered(100), "a.py": numbered(60, {30: "thirty = 0"})})
    return desk.read().change.pull


def draft(pull, comments, *, run: str = "run-1", head: str = "") -> ReviewDraft:
    head = CommitSha(head or pull.head_sha)
    mark = review_marker(ReviewMarker(head=head, base=pull.base_sha, run=run))
    return ReviewDraft(commit=head, body=f"## Spark\n\nSummary.\n\n{mark}", comments=tuple(comments), run=run)


def good(count: int) -> list[DraftComment]:
    return [comment(n, line=n + 1, path="new.py") for n in range(count)]


def mixed(count: int, bad: set[int]) -> list[DraftComment]:
    """Comments of which those at `bad` stand on lines outside the diff."""
    return [
        comment(n, line=n + 1, path="new.py") if n not in bad else comment(n, line=5_000 + n, path="new.py")
        for n in range(count)
    ]


def reviews(desk, state: str = "COMMENTED"):
    return [review for review in desk.repo.reviews.values() if review.state == state]


def posted_marks(desk) -> list[str]:
    return [
        mark
        for each in desk.repo.comments.values()
        if each.review.state == "COMMENTED"
        for mark in read_finding_markers(each.body)
    ]


def everything_told(desk) -> str:
    texts = [review.body for review in reviews(desk)] + [each.body for each in desk.repo.comments.values()]
    return "\n".join(texts + [each.body for each in desk.repo.issue_comments.values()])


def test_a_review_with_single_and_multi_line_comments_on_both_sides_is_one_post(desk, pull) -> None:
    comments = [
        comment(1, line=30),
        comment(2, start=28, line=31),
        comment(3, line=30, side=Side.LEFT),
        comment(4, start=3, line=9, path="new.py"),
    ]
    desk.server.requests.clear()
    done = desk.publisher(pull).publish(draft(pull, comments))
    assert done.posted == tuple(each.fingerprint for each in comments)
    assert (done.unposted, done.moved_to, done.problem) == ((), None, "")
    (review,) = reviews(desk)
    assert (review.commit_id, review.author.login) == (pull.head_sha, "spark")
    assert done.url is not None
    assert str(review.id) in done.url
    (sent,) = desk.sent("POST", "/reviews")
    assert sent.json["event"] == "COMMENT"
    assert sent.json["commit_id"] == pull.head_sha
    places = [
        (each.get("start_line"), each.get("start_side"), each["line"], each["side"]) for each in sent.json["comments"]
    ]
    assert places == [
        (None, None, 30, "RIGHT"),
        (28, "RIGHT", 31, "RIGHT"),
        (None, None, 30, "LEFT"),
        (3, "RIGHT", 9, "RIGHT"),
    ]
    assert desk.clock.waits == [], "a single post is not delayed"


def test_hostile_path_names_are_commented_as_they_are(desk) -> None:
    names = ["x b/y", "tab\there.py", 'q"uote.py', "日本.py", "a?b#c.py", "new\nline.py"]
    desk.pull({name: numbered(5) for name in names})
    pull = desk.read().change.pull
    done = desk.publisher(pull).publish(draft(pull, [comment(n, line=2, path=name) for n, name in enumerate(names)]))
    assert len(done.posted) == len(names)
    assert {thread.path for thread in desk.repo.threads.values()} == set(names)


def test_a_moved_head_is_noticed_and_nothing_posted(desk, pull) -> None:
    desk.repo.commit("work", {"late.py": "x = 1\n"})
    done = desk.publisher(pull).publish(draft(pull, good(3)))
    assert done.moved_to == desk.repo.pulls[1].head_sha
    assert (done.url, done.posted) == (None, ())
    assert [mark for mark, _ in done.unposted] == ["finding-0", "finding-1", "finding-2"]
    assert desk.sent("POST", "/reviews") == []


def test_a_head_that_was_just_read_is_asked_for_beside_the_post_and_a_move_is_told(desk, pull) -> None:
    publisher = desk.publisher(pull, fresh=2.0)
    desk.repo.commit("work", {"late.py": "x = 1\n"})
    done = publisher.publish(draft(pull, good(3)))
    assert done.moved_to == desk.repo.pulls[1].head_sha
    assert len(done.posted) == 3
    (review,) = reviews(desk)
    assert review.commit_id == pull.head_sha


def test_a_head_that_was_read_too_long_ago_is_asked_for_before_the_post(desk, pull) -> None:
    publisher = desk.publisher(pull, fresh=2.0)
    desk.clock.time += 2.5
    desk.repo.commit("work", {"late.py": "x = 1\n"})
    done = publisher.publish(draft(pull, good(3)))
    assert (done.url, done.moved_to) == (None, desk.repo.pulls[1].head_sha)
    assert reviews(desk) == []


def test_a_head_that_moves_at_the_last_moment_is_noticed_by_github_s_refusal(desk, pull) -> None:
    fork_point = desk.repo.git.resolve("main")
    publisher = desk.publisher(pull)
    real = publisher._sender.write

    def write(verb, path, body=None):
        if desk.repo.pulls[1].head_sha == pull.head_sha:
            # A force-push: the analysed commit is no longer part of the pull.
            desk.repo.push("work", desk.repo.commit("other", {"z.py": "x = 1\n"}))
        return real(verb, path, body)

    publisher._sender.write = write
    done = publisher.publish(draft(pull, good(2)))
    assert fork_point
    assert done.moved_to == desk.repo.pulls[1].head_sha
    assert done.posted == ()
    assert len(done.unposted) == 2
    assert reviews(desk) == []


def test_more_than_thirty_comments_become_several_reviews_in_turn(make_desk) -> None:
    desk = make_desk(limits=Limits(review_comments=30))
    desk.pull({"new.py": numbered(100)})
    pull = desk.read().change.pull
    done = desk.publisher(pull).publish(draft(pull, good(65)))
    assert len(done.posted) == 65
    assert done.problem == ""
    assert sorted(posted_marks(desk)) == sorted(f"finding-{n}" for n in range(65))
    sent = desk.sent("POST", "/reviews")
    assert [len(each.json["comments"]) for each in sent] == [30, 30, 5]
    assert [mark.run for each in sent if (mark := read_review_marker(each.json["body"]))] == [
        "run-1",
        "run-1.2",
        "run-1.3",
    ]
    assert "Part 2 of 3" in sent[1].json["body"]
    assert str(reviews(desk)[0].id) in str(done.url)


@pytest.mark.parametrize("bad", [{7}, {0}, {29}, {3, 14, 15}, {0, 1, 28, 29}])
def test_refused_comments_are_found_without_anybody_seeing_it_and_go_to_the_summary(desk, pull, bad: set[int]) -> None:
    done = desk.publisher(pull).publish(draft(pull, mixed(30, bad)))
    assert [mark for mark, _ in done.unposted] == [f"finding-{n}" for n in sorted(bad)]
    assert all("must be part of the diff" in reason for _, reason in done.unposted)
    assert done.posted == tuple(f"finding-{n}" for n in range(30) if n not in bad)
    (review,) = reviews(desk)
    for n in sorted(bad):
        assert f"**Finding {n}** in the summary" in review.body
    assert read_review_marker(review.body) is not None
    assert sorted(posted_marks(desk)) == sorted(done.posted)
    assert reviews(desk, "PENDING") == []
    probes = [each for each in desk.sent("POST", "/reviews") if "event" not in each.json]
    assert 0 < len(probes) <= 2 * len(bad) * 6
    assert all("event" not in each.json or each.json["event"] == "COMMENT" for each in desk.sent("POST", "/reviews"))


def test_when_all_comments_are_refused_the_summary_has_them_all(desk, pull) -> None:
    done = desk.publisher(pull).publish(draft(pull, mixed(30, set(range(30)))))
    assert done.posted == ()
    assert len(done.unposted) == 30
    assert done.url is not None
    (review,) = reviews(desk)
    assert all(f"**Finding {n}** in the summary" in review.body for n in range(30))
    assert len(desk.sent("POST", "/reviews")) <= limits.MAX_PROBES + 2


def test_what_there_is_no_time_to_find_out_is_told_in_the_summary(desk, pull) -> None:
    stop = desk.clock.stop(14.0)
    done = desk.publisher(pull, stop=stop).publish(draft(pull, mixed(30, {3, 14})))
    assert {*done.posted, *(mark for mark, _ in done.unposted)} == {f"finding-{n}" for n in range(30)}
    (review,) = reviews(desk)
    for mark, _ in done.unposted:
        assert f"**Finding {mark.removeprefix('finding-')}** in the summary" in review.body
    assert {mark for mark, _ in done.unposted} >= {"finding-3", "finding-14"}


def test_a_refusal_that_is_no_comment_s_fault_still_ends_in_a_summary(desk, pull) -> None:
    desk.server.faults.add(Fault(match=REVIEWS, status=422, contains="COMMENT", message="Something new", errors=()))
    done = desk.publisher(pull).publish(draft(pull, good(4)))
    assert done.posted == ()
    assert len(done.unposted) == 4
    (review,) = reviews(desk)
    assert all(f"**Finding {n}** in the summary" in review.body for n in range(4))


def test_when_no_review_is_taken_at_all_a_comment_of_the_conversation_tells_everything(desk, pull) -> None:
    desk.server.faults.add(Fault(match=REVIEWS, status=422, message="Something new", times=None))
    done = desk.publisher(pull).publish(draft(pull, good(4)))
    (note,) = desk.repo.issue_comments.values()
    assert all(f"**Finding {n}** in the summary" in note.body for n in range(4))
    assert "Summary." in note.body
    assert done.url is not None
    assert "issuecomment" in done.url
    assert len(done.unposted) == 4
    assert done.problem == ""


def test_when_nothing_at_all_is_taken_the_problem_is_told(desk, pull) -> None:
    desk.server.faults.add(Fault(match=REVIEWS, status=422, message="Something new", times=None))
    desk.server.faults.add(Fault(match="POST */issues/1/comments", status=403, times=None))
    done = desk.publisher(pull).publish(draft(pull, good(2)))
    assert (done.url, done.posted) == (None, ())
    assert "Something new" in done.problem
    assert "pull_requests" in done.problem


def test_a_pending_review_that_a_crash_left_behind_is_deleted(desk, pull) -> None:
    mark = review_marker(ReviewMarker(head=pull.head_sha, base=pull.base_sha, run="old.probe"))
    client = desk.client()
    client.call("POST", "/repos/acme/shop/pulls/1/reviews", body={"body": mark}, stop=desk.clock.stop())
    assert len(reviews(desk, "PENDING")) == 1
    done = desk.publisher(pull).publish(draft(pull, good(2)))
    assert len(done.posted) == 2
    assert reviews(desk, "PENDING") == []


def test_a_pending_review_is_never_taken_for_the_posted_one(desk, pull) -> None:
    body = draft(pull, []).body
    desk.client().call("POST", "/repos/acme/shop/pulls/1/reviews", body={"body": body}, stop=desk.clock.stop())
    done = desk.publisher(pull).publish(draft(pull, good(2)))
    assert len(done.posted) == 2
    assert len(reviews(desk)) == 1


def test_a_person_s_own_pending_review_is_left_alone_and_the_review_goes_elsewhere(desk, pull) -> None:
    client = desk.client()
    client.call("POST", "/repos/acme/shop/pulls/1/reviews", body={"body": "my draft thoughts"}, stop=desk.clock.stop())
    done = desk.publisher(pull).publish(draft(pull, good(2)))
    assert [review.body for review in reviews(desk, "PENDING")] == ["my draft thoughts"]
    assert all("pending review" in reason for _, reason in done.unposted)
    assert "**Finding 0** in the summary" in everything_told(desk)


@pytest.mark.parametrize("kind", [Kind.STATUS, Kind.CUT])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_answer_is_looked_for_before_anything_is_sent_again(desk, pull, kind, when: str) -> None:
    desk.server.faults.add(Fault(match=REVIEWS, status=502, kind=kind, when=when))
    done = desk.publisher(pull).publish(draft(pull, good(3)))
    assert len(done.posted) == 3
    assert len(reviews(desk)) == 1
    assert sorted(posted_marks(desk)) == ["finding-0", "finding-1", "finding-2"]
    assert done.url is not None
    assert str(reviews(desk)[0].id) in done.url
    assert len(desk.sent("POST", "/reviews")) == (1 if when == "after" else 2)


def test_an_answer_cut_in_the_middle_is_a_lost_answer(desk, pull) -> None:
    desk.server.faults.add(Fault(match=REVIEWS, kind=Kind.CUT_BODY, when="after"))
    done = desk.publisher(pull).publish(draft(pull, good(3)))
    assert len(done.posted) == 3
    assert len(reviews(desk)) == 1


def test_a_server_that_stays_down_is_not_posted_to_without_end(desk, pull) -> None:
    desk.server.faults.add(Fault(match=REVIEWS, status=502, times=None))
    with pytest.raises(OutsideError, match="502"):
        desk.publisher(pull).publish(draft(pull, good(3)))
    assert len(desk.sent("POST", "/reviews")) == limits.POST_TRIES
    assert reviews(desk) == []


def test_when_nobody_can_tell_whether_it_landed_it_is_not_sent_again(desk, pull) -> None:
    publisher = desk.publisher(pull)
    publisher.recall()
    desk.server.faults.add(Fault(match=REVIEWS, status=502, when="after"))
    desk.server.faults.add(Fault(match="GET */pulls/1/reviews", status=502, times=None))
    with pytest.raises(OutsideError, match="could not be seen"):
        publisher.publish(draft(pull, good(3)))
    assert len(desk.sent("POST", "/reviews")) == 1
    assert len(reviews(desk)) == 1
    # The next run of the same job finds it.
    desk.server.faults.clear()
    done = desk.publisher(pull).publish(draft(pull, good(3)))
    assert len(done.posted) == 3
    assert len(reviews(desk)) == 1


def test_two_publishes_of_one_run_post_once(desk, pull) -> None:
    first = desk.publisher(pull).publish(draft(pull, good(3)))
    again = desk.publisher(pull).publish(draft(pull, good(3)))
    assert len(reviews(desk)) == 1
    assert again == first
    publisher = desk.publisher(pull)
    publisher.recall()
    assert publisher.publish(draft(pull, good(3))).url == first.url
    assert publisher.publish(draft(pull, good(3))).url == first.url
    assert len(reviews(desk)) == 1
    assert len(desk.sent("POST", "/reviews")) == 1


def test_a_run_that_was_killed_between_two_parts_goes_on_with_the_second(desk, pull) -> None:
    desk.server.faults.add(Fault(match=REVIEWS, status=502, skip=1, times=None))
    done = desk.publisher(pull).publish(draft(pull, good(40)))
    assert len(done.posted) == 30
    assert len(done.unposted) == 10
    assert "502" in done.problem
    desk.server.faults.clear()
    again = desk.publisher(pull).publish(draft(pull, good(40)))
    assert (len(again.posted), again.unposted, again.problem) == (40, (), "")
    assert sorted(posted_marks(desk)) == sorted(f"finding-{n}" for n in range(40))


def test_two_runs_are_two_reviews(desk, pull) -> None:
    desk.publisher(pull).publish(draft(pull, good(1), run="run-1"))
    desk.publisher(pull).publish(draft(pull, [], run="run-2"))
    assert len(reviews(desk)) == 2


@pytest.mark.parametrize("status", [403, 429])
def test_a_pause_that_github_asks_for_is_kept_and_the_review_posted_once(desk, pull, status: int) -> None:
    desk.server.faults.add(
        Fault(
            match=REVIEWS,
            status=status,
            message="You have exceeded a secondary rate limit",
            headers={"Retry-After": "7"},
        )
    )
    done = desk.publisher(pull).publish(draft(pull, good(2)))
    assert len(done.posted) == 2
    assert desk.clock.waits == [7.0]
    assert len(reviews(desk)) == 1


def test_a_pause_longer_than_the_deadline_is_told_as_a_problem(desk, pull) -> None:
    desk.server.faults.add(Fault(match=REVIEWS, status=429, headers={"Retry-After": "900"}, times=None))
    done = desk.publisher(pull, stop=desk.clock.stop(60.0)).publish(draft(pull, good(2)))
    assert (done.url, done.posted) == (None, ())
    assert "900 seconds" in done.problem
    assert [mark for mark, _ in done.unposted] == ["finding-0", "finding-1"]
    assert len(desk.sent("POST", "/reviews")) == 1


def test_the_stand_in_s_secondary_limits_are_never_hit(make_desk, clock) -> None:
    start = time.time() - clock.now()
    desk = make_desk(rates=Rates(enforce=True), clock=lambda: start + clock.now())
    desk.pull({"new.py": numbered(100)})
    pull = desk.read().change.pull
    done = desk.publisher(pull).publish(draft(pull, mixed(30, {1, 5, 9, 13, 17, 21, 25})))
    assert len(done.posted) == 23
    assert len(desk.sent("POST", "/reviews")) > limits.FREE_WRITES
    assert {seen.status for seen in desk.server.requests} <= {200, 201, 204, 404, 422}


def test_posting_after_a_look_at_what_is_known_takes_one_look_at_the_head_and_one_post(desk, pull) -> None:
    publisher = desk.publisher(pull)
    publisher.recall()
    desk.server.requests.clear()
    publisher.publish(draft(pull, good(5)))
    assert [(seen.method, seen.path) for seen in desk.server.requests] == [
        ("GET", "/repos/acme/shop/pulls/1"),
        ("POST", "/repos/acme/shop/pulls/1/reviews"),
    ]


def test_a_review_that_becomes_visible_late_is_still_found(desk, pull, monkeypatch) -> None:
    publisher = desk.publisher(pull)
    publisher.recall()
    desk.server.faults.add(Fault(match=REVIEWS, status=502, when="after"))
    real, looks = publisher._notes.read, []

    def read(*kinds):
        looks.append(kinds)
        return [[]] if len(looks) == 1 else real(*kinds)

    monkeypatch.setattr(publisher._notes, "read", read)
    assert len(publisher.publish(draft(pull, good(2))).posted) == 2
    assert len(looks) == 2
    assert len(reviews(desk)) == 1
    assert len(desk.sent("POST", "/reviews")) == 1


def test_a_probe_whose_answer_is_lost_leaves_no_pending_review_behind(desk, pull) -> None:
    for when in ("before", "after"):
        desk.server.faults.add(Fault(match=REVIEWS, status=502, when=when, contains=".probe"))
    desk.server.faults.add(Fault(match="DELETE */reviews/*", status=502, when="before"))
    done = desk.publisher(pull).publish(draft(pull, mixed(8, {6})))
    assert [mark for mark, _ in done.unposted] == ["finding-6"]
    assert len(done.posted) == 7
    assert reviews(desk, "PENDING") == []


def test_no_permission_is_told_with_what_is_missing(desk, pull) -> None:
    desk.server.faults.add(Fault(match=REVIEWS, status=403, times=None))
    with pytest.raises(NotPermittedError, match="pull_requests"):
        desk.publisher(pull).publish(draft(pull, good(2)))
    assert len(desk.sent("POST", "/reviews")) == 1


def test_a_read_only_token_is_told_what_it_lacks(desk, pull) -> None:
    token = "github_pat_" + "r" * 40
    desk.world.fine_grained_token("spark", token, {"metadata": "read", "contents": "read", "pull_requests": "read"})
    with pytest.raises(NotPermittedError, match="pull_requests=write") as caught:
        desk.publisher(pull, token=token).publish(draft(pull, good(2)))
    assert token not in str(caught.value)


def test_a_refused_token_stops_the_job(desk, pull) -> None:
    desk.server.faults.add(Fault(match=REVIEWS, status=401, times=None))
    with pytest.raises(CredentialsError):
        desk.publisher(pull).publish(draft(pull, good(2)))


def test_a_workflow_s_token_posts_and_knows_its_own_reviews(desk, pull) -> None:
    token = "ghs_" + "workflow" * 5
    desk.world.actions_token("acme/shop", token)
    findings = [replace(each, body=f"**High · bug · It breaks**\n\n{each.body}") for each in good(2)]
    done = desk.publisher(pull, token=token).publish(draft(pull, findings))
    assert len(done.posted) == 2
    assert set(desk.publisher(pull, token=token).recall().known) == {"finding-0", "finding-1"}


def test_findings_that_have_a_thread_are_known_with_their_address(desk, pull) -> None:
    assert dict(desk.publisher(pull).recall().known) == {}
    desk.publisher(pull).publish(draft(pull, good(65)))
    desk.repo.commit("work", {"new.py": "everything = 'changed'\n"})
    known = desk.publisher(pull).recall().known
    assert set(known) == {f"finding-{n}" for n in range(65)}
    urls = {each.id for each in desk.repo.comments.values()}
    assert all(int(re.findall(r"\d+$", url)[0]) in urls for url in known.values())


def test_all_pages_of_comments_are_looked_at(desk, pull) -> None:
    for n in range(4):
        desk.publisher(pull).publish(
            draft(pull, [comment(30 * n + i, line=i + 1, path="new.py") for i in range(30)], run=f"r{n}")
        )
    assert len(desk.publisher(pull).recall().known) == 120


def test_markers_of_others_silence_nothing_and_stand_for_no_review(desk, pull) -> None:
    desk.world.user("mallory", token="ghp_" + "M" * 40)
    fake = draft(pull, good(2))
    desk.publisher(pull, token="ghp_" + "M" * 40).publish(fake)
    assert dict(desk.publisher(pull).recall().known) == {}
    done = desk.publisher(pull).publish(fake)
    assert len(done.posted) == 2
    assert {review.author.login for review in reviews(desk)} == {"mallory", "spark"}


def test_where_graphql_is_refused_our_login_comes_by_rest(desk, pull) -> None:
    desk.server.faults.add(Fault(match="POST /graphql", status=403, times=None))
    first = desk.publisher(pull).publish(draft(pull, good(2)))
    assert desk.publisher(pull).publish(draft(pull, good(2))) == first
    assert len(reviews(desk)) == 1
    assert desk.sent("GET", "/user")


def test_a_body_that_is_too_long_is_cut_and_one_that_github_still_finds_too_long_cut_again(make_desk) -> None:
    for most in (limits.MAX_BODY, 40_000):
        desk = make_desk(limits=Limits(body_characters=most))
        desk.pull({"new.py": numbered(100)})
        pull = desk.read().change.pull
        whole = draft(pull, good(2))
        text, mark = whole.body.rsplit("\n\n", 1)
        long = ReviewDraft(
            commit=whole.commit,
            body=f"{text}\n{'words ' * 9 + chr(10)}" * 2_000 + f"\n\n{mark}",
            comments=whole.comments,
            run="run-1",
        )
        done = desk.publisher(pull).publish(long)
        assert len(done.posted) == 2
        (review,) = reviews(desk)
        assert len(review.body) <= most
        assert read_review_marker(review.body) is not None


def test_publishers_of_one_account_take_turns(desk, pull) -> None:
    desk.server.latency = 0.03
    done = []
    publishers = [desk.publisher(pull) for _ in range(4)]
    threads = [
        threading.Thread(target=lambda p=p, n=n: done.append(p.publish(draft(pull, good(1), run=f"r{n}"))))
        for n, p in enumerate(publishers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len(done) == 4
    spans = sorted((seen.started, seen.started + seen.seconds) for seen in desk.sent("POST", "/reviews"))
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))
    assert isinstance(desk.pace, Pace)


def test_another_bot_that_repeats_our_marker_cannot_keep_a_finding_from_being_posted(desk, pull) -> None:
    desk.server.world.user("echo-bot", "echo-token", bot=True)
    desk.repo.permission("echo-bot", "write")
    desk.publisher(pull, token="echo-token").publish(draft(pull, good(1)))
    assert desk.publisher(pull).recall().known == {}
