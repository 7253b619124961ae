from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

REPO = "/repos/octo/demo"


@pytest.fixture
def pulled(desk, numbered):
    return desk, desk.pull({"a.py": numbered(60)}, {"a.py": numbered(60, _30="thirty")})


def comment_on(desk, pull, line=30, **more):
    body = {"path": "a.py", "line": line, "side": "RIGHT", "body": "x", "commit_id": pull.head_sha} | more
    answer = desk.client.post(f"{REPO}/pulls/1/comments", body)
    assert answer.status == 201
    return answer.json


def reviews(desk, **more):
    return desk.client.get(f"{REPO}/pulls/1/reviews", **more).json


def test_a_review_without_an_event_is_pending_and_seen_by_its_author_alone(pulled) -> None:
    desk, _ = pulled
    made = desk.client.post(f"{REPO}/pulls/1/reviews", {"body": "Later"}).json
    assert made["state"] == "PENDING"
    assert "submitted_at" not in made
    assert [each["id"] for each in reviews(desk)] == [made["id"]]
    desk.world.user("carol", "carol-token")
    assert reviews(desk, token="carol-token") == []
    assert desk.client.get(f"{REPO}/pulls/1/reviews/{made['id']}", token="carol-token").status == 404


def test_there_is_one_pending_review_for_each_account(pulled) -> None:
    desk, pull = pulled
    desk.client.post(f"{REPO}/pulls/1/reviews", {"body": "One"})
    second = desk.client.post(f"{REPO}/pulls/1/reviews", {"body": "Two", "event": "COMMENT"})
    assert second.json["errors"] == ["User can only have one pending review per pull request"]
    body = {"path": "a.py", "line": 30, "side": "RIGHT", "body": "x", "commit_id": pull.head_sha}
    assert desk.client.post(f"{REPO}/pulls/1/comments", body).status == 422


def test_a_pending_review_can_be_submitted_or_deleted_but_not_both(pulled) -> None:
    desk, pull = pulled
    comment = {"path": "a.py", "line": 30, "side": "RIGHT", "body": "x"}
    made = desk.client.post(f"{REPO}/pulls/1/reviews", {"commit_id": pull.head_sha, "comments": [comment]}).json
    assert desk.client.get(f"{REPO}/pulls/1/comments").json == []
    own = f"{REPO}/pulls/1/reviews/{made['id']}"
    done = desk.client.post(f"{own}/events", {"event": "COMMENT", "body": "Now"})
    assert (done.json["state"], done.json["body"]) == ("COMMENTED", "Now")
    assert len(desk.client.get(f"{REPO}/pulls/1/comments").json) == 1
    assert desk.client.send("DELETE", own).json["errors"] == ["Can not delete a non-pending pull request review"]
    again = desk.client.post(f"{own}/events", {"event": "COMMENT", "body": "Again"})
    assert again.status == 422


def test_deleting_a_pending_review_takes_its_comments_along(pulled) -> None:
    desk, pull = pulled
    comment = {"path": "a.py", "line": 30, "side": "RIGHT", "body": "x"}
    made = desk.client.post(f"{REPO}/pulls/1/reviews", {"commit_id": pull.head_sha, "comments": [comment]}).json
    assert desk.client.send("DELETE", f"{REPO}/pulls/1/reviews/{made['id']}").status == 200
    assert reviews(desk) == []
    assert desk.repo.comments == {}
    assert desk.repo.threads == {}


@pytest.mark.wrong_requests
@pytest.mark.parametrize("event", ["COMMENT", "REQUEST_CHANGES"])
def test_a_review_that_says_nothing_is_refused(pulled, event) -> None:
    desk, _ = pulled
    answer = desk.client.post(f"{REPO}/pulls/1/reviews", {"event": event})
    assert (answer.status, answer.json["errors"]) == (422, ["Body can't be blank"])
    assert desk.client.post(f"{REPO}/pulls/1/reviews", {"event": "APPROVE"}).status == 200


def test_nobody_approves_their_own_pull_and_a_workflow_approves_none(pulled) -> None:
    desk, _ = pulled
    desk.world.user("bob", "bob-token")
    desk.world.actions_token("octo/demo", "workflow-token")
    for token, event, text in (
        ("bob-token", "APPROVE", "Can not approve your own pull request"),
        ("bob-token", "REQUEST_CHANGES", "Can not request changes on your own pull request"),
        ("workflow-token", "APPROVE", "GitHub Actions is not permitted to approve pull requests."),
    ):
        answer = desk.client.post(f"{REPO}/pulls/1/reviews", {"event": event, "body": "b"}, token=token)
        assert (answer.status, answer.json["errors"]) == (422, [text])


def test_only_approvals_and_requests_for_changes_can_be_dismissed(pulled) -> None:
    desk, _ = pulled
    said = desk.client.post(f"{REPO}/pulls/1/reviews", {"event": "COMMENT", "body": "b"}).json
    asked = desk.client.post(f"{REPO}/pulls/1/reviews", {"event": "REQUEST_CHANGES", "body": "b"}).json
    put = {"message": "m"}
    assert desk.client.send("PUT", f"{REPO}/pulls/1/reviews/{said['id']}/dismissals", put).status == 422
    done = desk.client.send("PUT", f"{REPO}/pulls/1/reviews/{asked['id']}/dismissals", put)
    assert done.json["state"] == "DISMISSED"


def test_a_reply_joins_the_thread_of_its_first_comment(pulled) -> None:
    desk, pull = pulled
    first = comment_on(desk, pull)
    ignored = {"commit_id": "0" * 40, "path": "nowhere"}
    reply = desk.client.post(f"{REPO}/pulls/1/comments", {"body": "y", "in_reply_to": first["id"]} | ignored).json
    also = desk.client.post(f"{REPO}/pulls/1/comments/{first['id']}/replies", {"body": "z"}).json
    assert {reply["in_reply_to_id"], also["in_reply_to_id"]} == {first["id"]}
    assert (reply["line"], reply["path"], reply["diff_hunk"]) == (30, "a.py", first["diff_hunk"])
    assert len(desk.repo.threads) == 1
    nested = desk.client.post(f"{REPO}/pulls/1/comments/{reply['id']}/replies", {"body": "no"})
    assert nested.status == 422


def test_a_push_that_shifts_the_line_takes_the_comment_along(pulled, numbered) -> None:
    desk, pull = pulled
    comment_on(desk, pull)
    head = desk.repo.commit("work", {"a.py": "# new\n# lines\n" + numbered(60, _30="thirty")})
    (comment,) = desk.client.get(f"{REPO}/pulls/1/comments").json
    assert (comment["line"], comment["original_line"], comment["commit_id"]) == (32, 30, head)
    assert comment["original_commit_id"] != head


def test_a_push_that_changes_the_line_outdates_the_comment(pulled, numbered) -> None:
    desk, pull = pulled
    before = pull.head_sha
    comment_on(desk, pull)
    comment_on(desk, pull, line=28)
    desk.repo.commit("work", {"a.py": numbered(60, _30="other")})
    gone, kept = desk.client.get(f"{REPO}/pulls/1/comments").json
    assert (gone["line"], gone["position"], gone["original_line"], gone["commit_id"]) == (None, None, 30, before)
    assert kept["line"] == 28


def test_a_push_that_takes_the_hunk_out_of_the_diff_outdates_the_comment(pulled, numbered) -> None:
    desk, pull = pulled
    comment_on(desk, pull, line=28)
    desk.repo.commit("work", {"a.py": numbered(60, _55="other")})
    assert desk.client.get(f"{REPO}/pulls/1/comments").json[0]["line"] is None


def test_a_comment_for_an_older_commit_is_followed_to_the_head(pulled, numbered) -> None:
    desk, pull = pulled
    old = pull.head_sha
    desk.repo.commit("work", {"a.py": "# new\n" + numbered(60, _30="thirty")})
    moved = comment_on(desk, pull, line=30, commit_id=old)
    assert (moved["line"], moved["original_line"], moved["original_commit_id"]) == (31, 30, old)


def test_after_a_force_push_reviews_point_at_the_new_head(pulled, numbered) -> None:
    desk, _ = pulled
    made = desk.client.post(f"{REPO}/pulls/1/reviews", {"event": "COMMENT", "body": "b"}).json
    desk.repo.commit("work", {"b.py": "1\n"})
    assert reviews(desk)[0]["commit_id"] == made["commit_id"]
    desk.repo.push("work", desk.repo.git.resolve("main"))
    desk.repo.commit("work", {"c.py": "1\n"})
    assert reviews(desk)[0]["commit_id"] != made["commit_id"]


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    pushes=st.lists(
        st.lists(st.tuples(st.integers(0, 25), st.sampled_from(["drop", "insert", "change"])), min_size=1, max_size=4),
        min_size=1,
        max_size=3,
    ),
    line=st.integers(1, 20),
)
def test_a_followed_comment_always_stands_on_the_text_it_was_written_for(desk, pushes, line) -> None:
    number = len(desk.repo.pulls) + 1
    branch = f"work-{number}"
    if number == 1:
        desk.repo.commit("main", {"x": "1\n"})
    text = [f"text {at} of {number}" for at in range(20)]
    desk.repo.branch(branch)
    desk.repo.commit(branch, {f"f{number}": "\n".join(text) + "\n"})
    pull = desk.repo.open_pull("P", head=branch)
    body = {"path": f"f{number}", "line": line, "side": "RIGHT", "body": "b", "commit_id": pull.head_sha}
    made = desk.client.post(f"{REPO}/pulls/{number}/comments", body)
    assert made.status == 201
    wanted, now, fresh = text[line - 1], list(text), 0
    for edits in pushes:
        for place, edit in edits:
            fresh += 1
            if edit == "insert":
                now.insert(place, f"new {fresh} of {number}")
            elif place < len(now):
                now[place : place + 1] = [] if edit == "drop" else [f"changed {fresh} of {number}"]
        desk.repo.commit(branch, {f"f{number}": "\n".join(now) + "\n"})
        comment = desk.client.get(f"{REPO}/pulls/comments/{made.json['id']}").json
        if comment["line"] is None:
            assert wanted not in now
        else:
            assert now[comment["line"] - 1] == wanted


def test_comments_are_sorted_and_cut_by_time(pulled) -> None:
    desk, pull = pulled
    ids = [comment_on(desk, pull, line=line)["id"] for line in (28, 29, 30)]
    own = f"{REPO}/pulls/1/comments"
    assert [each["id"] for each in desk.client.get(own).json] == ids
    assert [each["id"] for each in desk.client.get(f"{own}?sort=created&direction=desc").json] == ids[::-1]
    assert desk.client.get(f"{own}?since=2999-01-01T00:00:00Z").json == []


def test_the_conversation_holds_comments_up_to_the_limit(pulled) -> None:
    desk, _ = pulled
    own = f"{REPO}/issues/1/comments"
    made = desk.client.post(own, {"body": "Hello"}).json
    changed = desk.client.send("PATCH", f"{REPO}/issues/comments/{made['id']}", {"body": "x" * 65_536})
    assert len(changed.json["body"]) == 65_536


@pytest.mark.wrong_requests
def test_a_body_over_the_limit_is_refused(pulled) -> None:
    desk, _ = pulled
    answer = desk.client.post(f"{REPO}/issues/1/comments", {"body": "x" * 65_537})
    assert answer.status == 422
    assert answer.json["errors"][0]["message"] == "body is too long (maximum is 65536 characters)"
