"""Commands without a server: a workflow's token answers one comment, and what is dismissed is read back from GitHub itself."""

from __future__ import annotations

import pytest

from bot.commands.grammar import parse
from bot.commands.model import CommentKind, CommentRef, Reaction
from bot.commands.serve import serve
from bot.diff.model import Side
from bot.github import repo_memory
from bot.github.repo_memory import RepoMemory
from bot.review.memory import CommentId, Dismissal, FindingNote
from bot.review.model import Category, Effort, Fingerprint, RepoName, Severity
from bot.review.render.markers import answer_marker, dismissal_marker, finding_marker, note_marker
from bot.sandbox.github import Fault, talk
from bot.settings import read_settings
from bot.wiring import Shared
from bot.wiring.desk import CommentDesk, CommentErrand
from bot.wiring.later import Kind, LaterReviews, Ordered

ACCOUNT = "github-actions[bot]"
TOKEN = "ghs_" + "W0rkflow" * 4
LINES = "".join(f"line_{n} = {n}\n" for n in range(40))


@pytest.fixture(scope="module")
def made(hall):
    """A workflow's token, the people, and two pulls that all tests share."""
    permissions = {"contents": "write", "pull_requests": "write", "issues": "write", "metadata": "read"}
    hall.world.actions_token(hall.repo.full_name, TOKEN, permissions)
    for login, level in {"ada": "write", "grace": "read"}.items():
        hall.world.user(login)
        hall.repo.permission(login, level)
    return hall.new_pull({"new.py": LINES}), hall.new_pull({"new.py": LINES})


@pytest.fixture
def desk(quiet, made):
    quiet.repo.comments.clear()
    quiet.repo.threads.clear()
    return quiet


@pytest.fixture
def memory(desk):
    """The memory of a run that knows nothing yet."""

    def make(token=TOKEN):
        return RepoMemory(desk.client(token), RepoName(desk.repo.full_name), stop=desk.clock.stop())

    return make


def note(line):
    return FindingNote(
        fingerprint=Fingerprint(f"v1:{line:016x}"),
        path="new.py",
        side=Side.RIGHT,
        severity=Severity.HIGH,
        category=Category.BUG,
        title=f"Line {line} is wrong",
        source="model",
        lines=(f"{line:020x}",),
    )


def finding(desk, pull, line, *, by=ACCOUNT):
    """A thread about a finding."""
    body = f"**High · Line {line} is wrong**\n\nIt is.\n\n{note_marker(note(line))}\n{finding_marker(note(line).fingerprint)}"
    return talk.begin_thread(desk.repo, pull.number, body, by=by, path="new.py", line=line).thread


def dismissed(
    desk, thread, *, by="ada", how="ignored", excuses=True, said_by=ACCOUNT, open_=False, reason="It is meant so"
):
    """The answer to `/spark ignore`, and the thread resolved by us."""
    asked = talk.reply(desk.repo, thread, f"/spark ignore {reason}", by=by)
    mark = dismissal_marker(Dismissal(by=by, reason=reason, how=how, excuses=excuses, held_open=open_))
    talk.reply(desk.repo, thread, f"Dismissed.\n\n{mark}\n{answer_marker(f'thread-{asked.id}')}", by=said_by)
    if not open_:
        thread.resolved_by = desk.world.user(ACCOUNT)


def titles(memory):
    return [each.title for each in memory.remembered()]


def test_what_was_dismissed_in_any_pull_is_known_with_who_why_and_where_the_newest_first(desk, memory, made) -> None:
    one, two = made
    first, second = finding(desk, one, 3), finding(desk, two, 4)
    dismissed(desk, first)
    dismissed(desk, second, reason="")
    finding(desk, two, 5)
    newest, oldest = memory().remembered()
    assert (newest.title, newest.reason) == ("Line 4 is wrong", "")
    assert (oldest.title, oldest.reason, oldest.by) == ("Line 3 is wrong", "It is meant so", "ada")
    assert (oldest.fingerprint, oldest.lines, oldest.severity) == (note(3).fingerprint, note(3).lines, Severity.HIGH)
    assert f"/pull/{one.number}#discussion_r" in oldest.url


def test_only_what_our_own_account_wrote_in_its_own_threads_is_believed(desk, memory, made) -> None:
    one, _ = made
    dismissed(desk, finding(desk, one, 3), said_by="grace")
    dismissed(desk, finding(desk, one, 4), said_by="dependabot[bot]")
    dismissed(desk, finding(desk, one, 4), said_by="github-actions")
    dismissed(desk, finding(desk, one, 5, by="grace"))
    quoted = finding(desk, one, 6)
    mark = dismissal_marker(Dismissal(by="ada", reason="", how="ignored", excuses=True))
    talk.reply(desk.repo, quoted, f"You said: {mark}\n\nand I doubt it.", by=ACCOUNT)
    assert titles(memory()) == []


def test_nothing_is_believed_where_github_does_not_say_who_we_are(desk, memory, made) -> None:
    dismissed(desk, finding(desk, made[0], 3))
    desk.server.faults.add(Fault(match="POST /graphql", status=403))
    assert titles(memory()) == []
    desk.server.faults.clear()
    assert titles(memory()) == ["Line 3 is wrong"]


def test_a_dismissal_that_answers_nobody_who_may_write_is_not_believed_of_an_account_that_all_workflows_share(
    desk, memory, made
) -> None:
    mark = dismissal_marker(Dismissal(by="ada", reason="", how="ignored", excuses=True))
    for line, key in ((3, ""), (4, f"\n{answer_marker('thread-7')}")):
        thread = finding(desk, made[0], line)
        talk.reply(desk.repo, thread, f"The plan:\n\n{mark}{key}", by=ACCOUNT)
        thread.resolved_by = desk.world.user(ACCOUNT)
    assert titles(memory()) == []
    dismissed(desk, finding(desk, made[0], 5), by="grace")
    assert titles(memory()) == []


def test_what_holds_for_its_pull_alone_is_not_remembered(desk, memory, made) -> None:
    one, _ = made
    dismissed(desk, finding(desk, one, 3), how="talked over")
    dismissed(desk, finding(desk, one, 4), by="grace", excuses=False)
    assert titles(memory()) == []


def test_who_opens_the_thread_again_has_it_forgotten_and_it_takes_the_right_to_write_to_have_it_back(
    desk, memory, made
) -> None:
    thread = finding(desk, made[0], 3)
    dismissed(desk, thread)
    assert titles(memory()) == ["Line 3 is wrong"]
    thread.resolved_by = None
    assert titles(memory()) == []
    thread.resolved_by = desk.world.user("grace")
    assert titles(memory()) == []
    thread.resolved_by = desk.world.user("ada")
    assert titles(memory()) == ["Line 3 is wrong"]


def test_a_thread_that_github_did_not_let_us_resolve_holds_all_the_same(desk, memory, made) -> None:
    dismissed(desk, finding(desk, made[0], 3), open_=True)
    assert titles(memory()) == ["Line 3 is wrong"]


def test_a_run_knows_what_it_was_told_itself_and_reads_once(desk, memory, made) -> None:
    one, _ = made
    dismissed(desk, finding(desk, one, 3))
    dismissed(desk, finding(desk, one, 4))
    own = memory()
    [four, three] = own.remembered()
    before = len(desk.server.requests)
    own.forget(note(4))
    assert titles(own) == ["Line 3 is wrong"]
    own.remember(four)
    own.remember(four)
    assert titles(own) == ["Line 4 is wrong", "Line 3 is wrong"]
    own.forget(note(4))
    own.remember(three)
    assert titles(own) == ["Line 3 is wrong"]
    assert len(desk.server.requests) == before


def test_what_is_read_is_bounded_and_the_newest_are_read(desk, memory, made, monkeypatch) -> None:
    one, two = made
    monkeypatch.setattr(repo_memory, "MOST_PAGES", 2)
    monkeypatch.setattr(repo_memory, "MOST_PULLS", 1)
    dismissed(desk, finding(desk, two, 7))
    dismissed(desk, finding(desk, one, 3))
    assert titles(memory()) == ["Line 3 is wrong"]
    thread = finding(desk, two, 4, by="ada")
    for number in range(220):
        talk.reply(desk.repo, thread, f"And {number}", by="ada")
    desk.server.requests.clear()
    assert titles(memory()) == []
    assert len(desk.sent("GET", "/pulls/comments")) == 2


# -- a whole command


def test_a_workflow_s_token_answers_a_command_without_a_server_and_the_next_run_knows(desk, memory, made) -> None:
    one, _ = made
    thread = finding(desk, one, 3)
    asked = talk.reply(desk.repo, thread, "/spark ignore the caller checks it", by="ada")
    env = {
        "GITHUB_TOKEN": TOKEN,
        "GITHUB_API_URL": desk.server.api_url,
        "GITHUB_GRAPHQL_URL": desk.server.graphql_url,
        "GITHUB_SERVER_URL": desk.server.web_url,
    }
    reviews = LaterReviews()
    with Shared(read_settings(env)) as shared:
        place = shared.own_place(RepoName(desk.repo.full_name), one.number)
        stop = shared.stop()
        kept = RepoMemory(place.client, place.repo, stop=stop)
        front = CommentDesk(shared, CommentErrand(place=place, stop=stop, memory=kept, reviews=reviews))
        root = CommentId(thread.comments[0].id)
        ref = CommentRef(kind=CommentKind.THREAD, id=CommentId(asked.id), node_id=asked.node_id, root=root)
        front.talk.react(ref, Reaction.SEEN)
        outcome = serve(ref=ref, command=parse(asked.body), sender="ada", desk=front.desk())
        assert front.talk.account == ACCOUNT
        front.close()
    assert outcome.what == "ignored", outcome
    answer = thread.comments[-1]
    assert (answer.author.login, answer.body.startswith("Dismissed. Reason: the caller checks it.")) == (ACCOUNT, True)
    assert [(each.content, each.user.login) for each in asked.reactions] == [("eyes", ACCOUNT)]
    [known] = memory().remembered()
    assert (known.title, known.by, known.reason) == ("Line 3 is wrong", "ada", "the caller checks it")
    assert reviews.ordered in {None, Ordered(kind=Kind.JUDGE, judges=True)}


def test_a_bot_s_commit_is_not_taken_for_one_of_a_workflow_s_token(desk, made) -> None:
    one, _ = made
    with Shared(
        read_settings(
            {
                "GITHUB_TOKEN": TOKEN,
                "GITHUB_API_URL": desk.server.api_url,
                "GITHUB_GRAPHQL_URL": desk.server.graphql_url,
            }
        )
    ) as shared:
        place = shared.own_place(RepoName(desk.repo.full_name), one.number)
        errand = CommentErrand(
            place=place,
            stop=shared.stop(),
            memory=RepoMemory(place.client, place.repo, stop=shared.stop()),
            reviews=LaterReviews(),
        )
        front = CommentDesk(shared, errand)
        desk.world.user("dependabot[bot]")
        desk.repo.commit(one.head_ref, {"three.py": "a = 1\n"}, "Bump", "dependabot[bot]")
        assert not any(commit.is_ours for commit in front.desk().branch.commits())
        front.close()


@pytest.mark.parametrize(
    ("orders", "comes_to"),
    [
        ("", None),
        ("judge", Ordered(kind=Kind.JUDGE, judges=True)),
        ("catch_up judge", Ordered(kind=Kind.CATCH_UP, judges=True)),
        ("judge catch_up", Ordered(kind=Kind.CATCH_UP, judges=True)),
        ("start catch_up", Ordered(kind=Kind.FULL, effort=Effort.DEEP)),
        ("judge start", Ordered(kind=Kind.FULL, effort=Effort.DEEP, judges=True)),
        ("start stop", None),
    ],
)
def test_what_a_comment_orders_comes_to_one_review(orders, comes_to) -> None:
    reviews = LaterReviews()
    for order in orders.split():
        match order:
            case "start":
                reviews.start(Effort.DEEP)
            case "stop":
                reviews.stop("paused")
            case _:
                getattr(reviews, order)()
    assert reviews.ordered == comes_to
    assert reviews.stopped == ("paused" if "stop" in orders else "")
