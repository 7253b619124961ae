"""Comments answered by a run of a workflow, with its own token: what becomes visible, what is reviewed, what the head is told."""

from __future__ import annotations

from typing import Any

import pytest

from bot.action.ending import Ending
from bot.action.status import run_url, status_of
from bot.github.statuses import State
from bot.review.model import Verdict
from bot.sandbox.github import talk
from bot.sandbox.github.world import APP_PERMISSIONS

US = "github-actions[bot]"
GATE = "gate:\n  fail_on: high\n"
ONE_HIGH = {"two.py": b"import os\n\n\ndef g(b):\n    os.system(f'ls {b}')\n"}
ONE_PATCH = {"one.py": b"def f(a):\n    if a == None:\n        return 1\n    return a\n"}
THREADS, CONVERSATION = "pull_request_review_comment", "issue_comment"


def without(**levels: str) -> dict[str, str]:
    """The permissions of a token, but for these."""
    return {**APP_PERMISSIONS, **levels}


def says(stage: Any, pull: Any, body: str, by: str = "mona", action: str = "created", **more: Any) -> tuple[Any, Any]:
    """The run on a comment of the conversation, and the comment."""
    said = talk.say(stage.repo, pull.number, body, by=by)
    return stage.run(CONVERSATION, stage.payload(CONVERSATION, action, by=by, pull=pull, comment=said), **more), said


def replies(stage: Any, pull: Any, thread: Any, body: str, by: str = "mona", **more: Any) -> tuple[Any, Any]:
    """The run on a reply in a thread, and the reply."""
    said = talk.reply(stage.repo, thread, body, by=by)
    return stage.run(THREADS, stage.payload(THREADS, "created", by=by, pull=pull, comment=said), **more), said


def thread_of(stage: Any, words: str) -> Any:
    """Our thread whose first comment has these words."""
    (found,) = (each for each in stage.repo.threads.values() if words in each.comments[0].body)
    assert found.comments[0].author.login == US
    return found


def reactions(comment: Any) -> list[str]:
    return [each.content for each in comment.reactions]


def statuses(stage: Any) -> list[tuple[str, str]]:
    return [(each.sha, each.state) for each in stage.repo.statuses]


def reviews(stage: Any) -> list[Any]:
    """Ours: a reply is a review too, as GitHub keeps it."""
    return [each for each in stage.reviews() if "<!-- spark:review" in each.body]


def newest(stage: Any) -> str:
    return max(stage.repo.issue_comments.values(), key=lambda each: each.id).body


@pytest.fixture
def talked(stage):
    """A pull that nobody has reviewed, and a person who may only read."""
    stage.repo.permission("reader", "read")
    return stage, stage.open()


# -- who is answered, and how --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "by", "seen", "answer"),
    [
        ("/spark help", "reader", ["eyes"], "These are the commands"),
        ("/spark frobnicate", "reader", ["eyes"], "I do not know the command"),
        ("/spark fix all", "reader", ["eyes", "confused"], "is not for you here"),
        ("/spark config", "mona", ["eyes"], "| the workflow |"),
        ("/spark ask what does f return?", "mona", ["eyes"], ""),
        ("/spark ignore", "mona", ["eyes", "confused"], "is about one thread"),
        ("/spark pause", "mona", ["eyes", "rocket"], "cancel its run on the Actions tab"),
        ("Looks good to me.", "reader", [], None),
        ("/spark help", "renovate[bot]", [], None),
        ("/spark help", US, [], None),
        ("/spark help\n\n<!-- spark:state v1 e30= -->", "mona", [], None),
    ],
)
def test_a_command_of_a_person_gets_its_reaction_and_its_answer(talked, body, by, seen, answer) -> None:
    stage, pull = talked
    ran, said = says(stage, pull, body, by=by, env={"SPARK_DEADLINE": "90"})
    assert ran.code == 0, ran.log
    assert reactions(said) == seen
    if answer is None:
        assert list(stage.repo.issue_comments.values()) == [said]
    else:
        assert newest(stage).startswith(f"@{by}")
        assert answer in newest(stage)
        assert stage.repo.issue_comments[max(stage.repo.issue_comments)].author.login == US
    assert statuses(stage) == []
    assert stage.reviews() == []


def test_an_edit_asks_for_nothing(talked) -> None:
    stage, pull = talked
    stage.github.requests.clear()
    ran, said = says(stage, pull, "/spark help", action="edited")
    assert (ran.code, reactions(said), list(stage.github.requests)) == (0, [], [])


def test_the_reaction_comes_before_anything_is_read_and_who_we_are_is_asked_once(talked) -> None:
    stage, pull = talked
    stage.github.requests.clear()
    says(stage, pull, "/spark review")
    sent = list(stage.github.requests)
    assert b"addReaction" in bytes(sent[0].body)
    assert sum(b"viewer { id login }" in bytes(seen.body) for seen in sent) == 1
    assert not any(seen.path.endswith("/user") for seen in sent)


def test_post_false_writes_nothing_and_says_so(talked) -> None:
    stage, pull = talked
    ran, said = says(stage, pull, "/spark help", post="false")
    assert (ran.code, reactions(said), newest(stage)) == (0, [], said.body)
    assert "post is false" in ran.outputs["reason"]


# -- what follows from it ------------------------------------------------------------------------------------------


def test_what_is_ignored_turns_the_status_of_the_head_green_and_stays_so_in_the_next_run(stage) -> None:
    pull = stage.open(GATE, after=ONE_HIGH)
    assert stage.on_pull(pull).code == 1
    thread = thread_of(stage, "High")
    ran, said = replies(stage, pull, thread, "/spark ignore b is a constant of ours")
    assert (ran.code, ran.outputs["verdict"]) == (0, "pass"), ran.log
    assert reactions(said) == ["eyes"]
    assert thread.comments[-1].body.startswith("Dismissed. Reason: b is a constant of ours.")
    assert statuses(stage) == [(pull.head_sha, "failure"), (pull.head_sha, "success")]
    assert stage.on_pull(pull, "synchronize").code == 0
    assert len(reviews(stage)) == 1


def test_a_commit_of_ours_is_reviewed_in_the_same_run_and_its_head_gets_the_status(stage) -> None:
    pull = stage.open(GATE, after=ONE_PATCH)
    stage.on_pull(pull)
    before, thread = pull.head_sha, thread_of(stage, "None")
    ran, said = replies(stage, pull, thread, "/spark fix --commit")
    assert (ran.code, ran.outputs["verdict"]) == (0, "pass"), ran.log
    assert pull.head_sha != before
    assert stage.repo.git.read(f"{pull.head_sha}:one.py")[2].decode().splitlines()[1] == "    if a is None:"
    assert statuses(stage) == [(before, "success"), (pull.head_sha, "success")]
    assert reactions(said)[0] == "eyes"
    assert thread.resolved_by is not None

    head = pull.head_sha
    ran, _ = says(stage, pull, "/spark undo")
    assert statuses(stage)[2:] == [(pull.head_sha, "success")]
    assert pull.head_sha != head


def test_another_tokens_commit_is_left_to_the_run_that_it_starts(stage) -> None:
    pull = stage.open(GATE, after=ONE_PATCH)
    stage.github.world.user("spark-machine", token="ghp_machine")
    stage.repo.permission("spark-machine", "write")
    stage.on_pull(pull, github_token="ghp_machine")
    (thread,) = stage.repo.threads.values()
    before = pull.head_sha
    ran, _ = replies(stage, pull, thread, "/spark fix --commit", github_token="ghp_machine")
    assert pull.head_sha != before, ran.log
    assert [sha for sha, _ in statuses(stage)] == [before]
    assert (ran.code, ran.outputs["verdict"]) == (0, "neutral")


def test_a_pause_holds_until_somebody_resumes_and_then_what_came_is_reviewed(stage) -> None:
    pull = stage.open()
    says(stage, pull, "/spark pause")
    assert "paused by mona" in stage.on_pull(pull).outputs["reason"]
    assert statuses(stage) == [(pull.head_sha, "success")]
    assert stage.repo.statuses[-1].description.startswith(
        "neutral: Not reviewed: the reviews of this pull request are paused"
    )
    ran, said = says(stage, pull, "/spark resume")
    assert (ran.code, len(reviews(stage)), reactions(said)) == (0, 1, ["eyes", "rocket"])


def test_a_review_that_was_asked_for_and_cannot_be_made_is_told_where_it_was_asked_for(talked) -> None:
    stage, pull = talked
    ran, said = says(stage, pull, "/spark review", api_key="", base_url="", require_key="true")
    assert (ran.code, reactions(said)) == (2, ["eyes", "rocket", "confused"])
    assert "no API key is set" in newest(stage)
    assert "require-key" in ran.outputs["reason"]


# -- the check of a run that stands on the head ---------------------------------------------------------------------


def test_no_word_in_a_thread_makes_a_red_head_green(stage) -> None:
    pull = stage.open(GATE, after=ONE_HIGH)
    assert stage.on_pull(pull).code == 1
    thread = thread_of(stage, "High")
    stage.repo.permission("reader", "read")
    calls = len(stage.endpoint.requests)
    for body, by in (("I disagree.", "renovate[bot]"), ("/spark help", "reader"), ("/spark ignore", "reader")):
        ran, _ = replies(stage, pull, thread, body, by=by)
        assert (ran.code, ran.outputs["verdict"]) == (1, "fail"), (body, ran.log)
    assert (len(stage.endpoint.requests), len(reviews(stage))) == (calls, 1)


def test_a_word_in_a_thread_of_a_head_without_a_verdict_starts_no_review(stage) -> None:
    pull = stage.open(GATE, after=ONE_HIGH)
    thread = talk.begin_thread(stage.repo, pull.number, "Why?", by="mona", path="two.py", line=5).thread
    ran, said = replies(stage, pull, thread, "/spark help")
    assert (ran.code, ran.outputs["verdict"], reviews(stage)) == (0, "neutral", [])
    assert reactions(said) == ["eyes"]


def test_a_thread_of_a_fork_is_answered_by_nobody_and_no_write_is_tried(stage) -> None:
    stage.permit({"metadata": "read", "contents": "read", "pull_requests": "read", "issues": "read"})
    pull = stage.open(fork="ann")
    thread = talk.begin_thread(stage.repo, pull.number, "Why?", by="mona", path="two.py", line=5).thread
    stage.github.requests.clear()
    ran, said = replies(stage, pull, thread, "/spark help")
    assert (ran.code, reactions(said)) == (0, [])
    assert any("heard in the conversation" in each for each in ran.said("notice"))
    assert [seen.path for seen in stage.github.requests if seen.method != "GET" and seen.path != "/graphql"] == []


def test_no_word_in_a_thread_makes_a_forks_red_head_green_that_nothing_could_be_posted_on(stage) -> None:
    stage.permit({"metadata": "read", "contents": "read", "pull_requests": "read", "issues": "read"})
    pull = stage.open(GATE, fork="ann")
    assert stage.on_pull(pull).code == 1
    thread = talk.begin_thread(stage.repo, pull.number, "Why?", by="ann", path="two.py", line=5).thread
    ran, _ = replies(stage, pull, thread, "Looks good to me.", by="ann")
    assert (ran.code, ran.outputs["verdict"], reviews(stage)) == (1, "fail", [])


def test_a_command_in_the_text_of_a_review_is_answered_in_the_conversation(talked) -> None:
    stage, pull = talked
    said = talk.review(stage.repo, pull.number, "/spark help", by="reader")
    payload = stage.payload("pull_request_review", "submitted", by="reader", pull=pull, review=said)
    ran = stage.run("pull_request_review", payload)
    assert (ran.code, reactions(said)) == (0, ["eyes"]), ran.log
    assert newest(stage).startswith("@reader These are the commands")


# -- what the token may not do --------------------------------------------------------------------------------------


def test_a_token_that_may_not_answer_says_which_permissions_it_takes(talked) -> None:
    stage, pull = talked
    stage.permit(without(issues="read", pull_requests="read"))
    ran, said = says(stage, pull, "/spark help")
    assert (ran.code, reactions(said)) == (2, [])
    assert "Give the job the permissions issues: write and pull-requests: write" in ran.outputs["reason"]


def test_a_token_that_may_not_commit_says_so_in_the_answer(stage) -> None:
    stage.permit(without(contents="read"))
    pull = stage.open(after=ONE_PATCH)
    stage.on_pull(pull)
    head, thread = pull.head_sha, thread_of(stage, "None")
    ran, _ = replies(stage, pull, thread, "/spark fix --commit")
    assert pull.head_sha == head
    assert "contents: write" in thread.comments[-1].body
    assert ran.code == 0


# -- words ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "verdict", "state", "said"),
    [
        (0, Verdict.PASS, State.SUCCESS, "Why"),
        (0, Verdict.NEUTRAL, State.SUCCESS, "neutral: Why"),
        (1, Verdict.FAIL, State.FAILURE, "Why"),
        (1, Verdict.NEUTRAL, State.FAILURE, "neutral: Why"),
        (2, Verdict.NEUTRAL, State.ERROR, "neutral: Why"),
        (3, Verdict.NEUTRAL, State.ERROR, "neutral: Why"),
        (130, Verdict.NEUTRAL, State.ERROR, "neutral: Why"),
    ],
)
def test_a_status_is_green_only_where_the_job_is(code, verdict, state, said) -> None:
    assert status_of(Ending(exit_code=code, verdict=verdict, reason="Why")) == (state, said)


@pytest.mark.parametrize(
    ("server", "repo", "run", "url"),
    [
        ("https://ghe.example/", "acme/shop", "7", "https://ghe.example/acme/shop/actions/runs/7"),
        ("", "acme/shop", "7", ""),
        ("javascript:alert(1)//", "acme/shop", "7", ""),
        ("https://github.com", "acme/shop", "7/../8", ""),
    ],
)
def test_the_page_of_a_run(server, repo, run, url) -> None:
    env = {"GITHUB_SERVER_URL": server, "GITHUB_REPOSITORY": repo, "GITHUB_RUN_ID": run}
    assert run_url(env) == url
