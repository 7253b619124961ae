"""What earlier rounds left on a pull, read over real HTTP from the stand-in: threads, who did what in them, and whose notes count."""

from __future__ import annotations

import pytest

from bot.diff.model import Anchor, HunkKey, Side
from bot.errors import NotPermittedError
from bot.github import limits
from bot.github.threads import Threads
from bot.review.memory import FindingNote
from bot.review.model import Category, CommitSha, Fingerprint, Severity
from bot.review.ports import DraftComment, ReviewDraft
from bot.review.render.markers import (
    ReviewMarker,
    RoundMarker,
    finding_marker,
    note_marker,
    review_marker,
    round_marker,
    state_marker,
)
from bot.sandbox.github import Fault, talk

OWN = "POST /graphql"


def note(name: str) -> FindingNote:
    return FindingNote(
        fingerprint=Fingerprint(name),
        path="new.py",
        side=Side.RIGHT,
        severity=Severity.HIGH,
        category=Category.BUG,
        title=f"Finding {name}",
        source="model",
    )


def comment(name: str, line: int) -> DraftComment:
    anchor = Anchor(path="new.py", side=Side.RIGHT, start_line=line, line=line, hunk=HunkKey(0, 0), text=("x",))
    marks = f"{finding_marker(Fingerprint(name))}\n{note_marker(note(name))}"
    return DraftComment(anchor=anchor, body=f"Text.\n\n{marks}", entry="e", fingerprint=Fingerprint(name))


def draft(pull, *comments, run="run-1", number=1):
    mark = review_marker(ReviewMarker(head=pull.head_sha, base=pull.base_sha, run=run))
    body = f"Summary.\n\n{mark}\n{round_marker(RoundMarker(round=number, rules='abc', seen=frozenset({7})))}"
    return ReviewDraft(commit=CommitSha(pull.head_sha), body=body, comments=tuple(comments), run=run)


def lines(count: int) -> str:
    return "".join(f"line_{n} = {n}\n" for n in range(1, count + 1))


@pytest.fixture(scope="module")
def bot(hall, key):
    """A client of the App, whose account is `spark-app[bot]`."""
    installation = hall.install(key)
    return hall.app(key).client(installation.id, hall.repo.full_name)


@pytest.fixture
def pull(quiet):
    return quiet.new_pull({"new.py": lines(20)})


def begin(desk, pull, n: int):
    return talk.begin_thread(desk.repo, pull.number, f"Thread {n}", by="ann", path="new.py", line=1)


def thread_of(desk, pull, name):
    return next(
        each
        for each in desk.repo.threads.values()
        if each.pull is pull and f"finding v1 {name} " in each.comments[0].body
    )


def test_everything_that_was_said_and_done_in_our_threads_is_read(quiet, bot, pull) -> None:
    for login, level in (("wendy", "write"), ("tim", "triage")):
        quiet.repo.permission(login, level)
    done = quiet.at(pull, client=bot).publish(draft(pull, *[comment(f"f{n}", n) for n in range(1, 7)]))
    assert len(done.posted) == 6
    repo = quiet.repo
    by_hand, by_triage, liked, argued, heard, mending = (thread_of(quiet, pull, f"f{n}") for n in range(1, 7))
    talk.resolve(repo, by_hand, by="wendy")
    talk.resolve(repo, by_triage, by="tim")
    talk.react(repo, liked.comments[0], "-1", by="wendy")
    asked = talk.reply(repo, argued, "But why?", by="ann")
    # Seen is not answered.
    talk.react(repo, asked, "eyes", by="spark-app[bot]")
    answered = talk.reply(repo, heard, "Noted.", by="ann")
    talk.react(repo, answered, "+1", by="spark-app[bot]")
    # But a commit may be reviewed before the command that made it has its answer.
    wanted = talk.reply(repo, mending, "/spark fix --commit", by="wendy")
    talk.react(repo, wanted, "eyes", by="spark-app[bot]")
    talk.begin_thread(repo, pull.number, "A person's own", by="ann", path="new.py", line=9)
    recall = quiet.at(pull, client=bot).recall()
    assert [found.note.fingerprint for found in recall.findings] == [f"f{n}" for n in range(1, 7)]
    told = {found.note.fingerprint: found.dismissal for found in recall.findings}
    assert {mark: (said.by, said.excuses) for mark, said in told.items() if said} == {
        "f1": ("wendy", True),
        "f2": ("tim", False),
        "f3": ("wendy", True),
    }
    assert [thread.unanswered for thread in recall.threads] == [False, False, False, True, False, False, True]
    assert [thread.is_ours for thread in recall.threads] == [True] * 6 + [False]
    first = recall.threads[0]
    assert (first.path, first.side, first.line, first.original_line) == ("new.py", Side.RIGHT, 1, 1)
    assert (first.is_resolved, first.resolved_by, first.resolved_by_us) == (True, "wendy", False)
    assert recall.threads[2].comments[0].thumbs_down == ("wendy",)
    assert first.comments[0].login == "spark-app[bot]"
    assert recall.last is not None
    assert (recall.last.head, recall.last.round, recall.last.seen) == (pull.head_sha, 1, frozenset({7}))
    assert str(recall.last.id) in recall.last.url
    asked = {seen.path.rpartition("collaborators/")[2] for seen in quiet.sent("GET", "/collaborators/")}
    assert asked == {"wendy/permission", "tim/permission"}


def test_what_was_begun_is_not_asked_for_twice_and_is_kept(quiet, bot, pull) -> None:
    quiet.at(pull, client=bot).publish(draft(pull, comment("f1", 1)))
    quiet.server.requests.clear()
    publisher = quiet.at(pull, client=bot)
    publisher.begin()
    first = publisher.recall()
    publisher.begin()
    assert publisher.recall() is first
    reads = [f"{seen.method} {seen.path.rpartition('/')[2]}" for seen in quiet.sent()]
    assert sorted(reads) == ["GET comments", "GET reviews", "POST graphql"]
    assert quiet.sent("GET", "/collaborators/") == []


def test_a_recall_that_failed_may_be_asked_for_again(quiet, pull) -> None:
    publisher = quiet.at(pull)
    quiet.server.faults.add(Fault(match=f"GET */pulls/{pull.number}/reviews", status=403))
    publisher.begin()
    with pytest.raises(NotPermittedError):
        publisher.recall()
    assert publisher.recall().findings == ()


def test_notes_of_a_person_or_of_another_app_count_for_nothing(quiet, bot, pull) -> None:
    quiet.world.user("echo[bot]", token="echo-token", bot=True)
    quiet.repo.permission("echo[bot]", "write")
    for token in (None, "echo-token"):
        client = quiet.client(token) if token else quiet.client()
        assert quiet.at(pull, client=client).publish(draft(pull, comment("f1", 1))).posted
    talk.say(quiet.repo, pull.number, f"x\n\n{state_marker({'paused_by': 'mallory'})}", by="mallory")
    recall = quiet.at(pull, client=bot).recall()
    assert (recall.findings, dict(recall.known), recall.last, recall.paused_by) == ((), {}, None, "")
    assert [(thread.is_ours, thread.comments[0].is_bot) for thread in recall.threads] == [(False, False), (False, True)]


def test_the_newest_note_counts_wherever_it_stands(quiet, bot, pull) -> None:
    publisher = quiet.at(pull, client=bot)
    publisher.publish(draft(pull, comment("f1", 1)))
    number = pull.number
    body = draft(pull, run="run-2", number=2).body
    answer = bot.call(
        "POST", f"/repos/acme/shop/issues/{number}/comments", stop=quiet.clock.stop(), body={"body": body}
    )
    last = quiet.at(pull, client=bot).recall().last
    assert last is not None
    assert (last.id, last.round, last.in_conversation) == (answer.json()["id"], 2, True)


def test_our_pending_review_and_its_comments_are_nobody_s_business(quiet, pull) -> None:
    json = {"body": draft(pull).body, "comments": [{"path": "new.py", "line": 3, "body": comment("f1", 3).body}]}
    path = f"/repos/acme/shop/pulls/{pull.number}/reviews"
    assert quiet.client().call("POST", path, stop=quiet.clock.stop(), body=json).ok
    recall = quiet.at(pull).recall()
    assert (recall.threads, recall.last, dict(recall.known)) == ((), None, {})


def test_an_outdated_thread_has_no_line(quiet, bot, pull) -> None:
    quiet.at(pull, client=bot).publish(draft(pull, comment("f1", 5)))
    quiet.repo.commit(pull.head_ref, {"new.py": "other = 1\n"})
    (thread,) = quiet.at(pull, client=bot).recall().threads
    assert (thread.line, thread.original_line, thread.is_outdated) == (None, 5, True)


def test_hundreds_of_threads_and_a_long_one_are_read_to_their_ends(quiet, pull) -> None:
    begun = [begin(quiet, pull, n) for n in range(230)]
    for n in range(1, 205):
        talk.reply(quiet.repo, begun[0], f"Comment {n}", by="ann")
    recall = quiet.at(pull).recall()
    assert [thread.comments[0].body for thread in recall.threads] == [f"Thread {n}" for n in range(230)]
    assert [said.body for said in recall.threads[0].comments][1:] == [f"Comment {n}" for n in range(1, 205)]
    assert len(quiet.sent("POST", "graphql")) == 1 + 3 + 2


def test_a_page_that_graphql_cannot_finish_is_asked_for_in_smaller_ones(quiet, pull) -> None:
    for n in range(30):
        begin(quiet, pull, n)
    quiet.server.faults.add(Fault(match=OWN, contains=f'"first": {limits.PER_PAGE}', status=502, times=2))
    assert len(quiet.at(pull).recall().threads) == 30
    given = [seen.json["variables"] for seen in quiet.sent("POST", "graphql")]
    asked = [variables["first"] for variables in given if "first" in variables]
    assert asked == [100, 100, limits.THREADS_PER_SMALL_PAGE, 100]


def test_a_pull_that_is_not_there_is_told_as_such(quiet) -> None:
    with pytest.raises(NotPermittedError):
        quiet.at(type("Pull", (), {"number": 999})()).recall()


class OneAnswer:
    """A client that gives one page of threads: for accounts that the stand-in does not have."""

    def __init__(self, node):
        connection = {"nodes": [node], "pageInfo": {"hasNextPage": False}}
        self._data = {"repository": {"pullRequest": {"author": None, "reviewThreads": connection}}}

    def graphql(self, *_args, **_kwargs):
        return type("Reply", (), {"data": self._data, "errors": ()})()


@pytest.mark.parametrize(
    ("resolver", "ours", "by", "is_us"),
    [
        (None, "spark-app[bot]", "", False),
        ({"id": "U_1", "login": "ann"}, "spark-app[bot]", "ann", False),
        ({"id": "U_1", "login": "spark-app"}, "spark-app[bot]", "spark-app", False),
        ({"id": "BOT_1", "login": "spark-app"}, "spark-app[bot]", "spark-app[bot]", True),
        ({"id": "MDM6Qm90MQ==", "login": "spark-app"}, "spark-app[bot]", "spark-app[bot]", True),
        ({"id": "U_9", "login": "spark-app[bot]"}, "spark-app[bot]", "spark-app[bot]", True),
        ({"id": "BOT_2", "login": "dependabot"}, "spark-app[bot]", "dependabot[bot]", False),
        ({"id": "BOT_2", "login": "github-actions"}, None, "github-actions[bot]", True),
        ({"id": "U_1", "login": "ann"}, "ann", "ann", True),
    ],
)
def test_who_resolved_a_thread_is_told_apart_also_where_github_calls_an_app_a_user(
    quiet, resolver, ours, by, is_us
) -> None:
    gone = {"databaseId": 5, "body": "text", "url": "u", "author": None, "reactionGroups": None}
    node = {
        "id": "T",
        "isResolved": True,
        "resolvedBy": resolver,
        "comments": {"nodes": [gone]},
        "first": {"nodes": [{"reactions": {"nodes": [{"user": None}, {"user": resolver}]}}]},
    }
    reader = Threads(OneAnswer(node), "acme/shop", 1, stop=quiet.clock.stop())
    (thread,) = reader.all(reader.page(), ours)
    assert (thread.resolved_by, thread.resolved_by_us) == (by, is_us)
    (said,) = thread.comments
    assert (said.login, said.is_ours, said.is_bot, said.id) == ("", False, False, 5)
    assert said.thumbs_down == ((by,) if by and not is_us and not by.endswith("[bot]") else ())
