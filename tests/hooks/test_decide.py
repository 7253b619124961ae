"""Events become orders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.commands.grammar import parse
from bot.commands.model import Command, CommentKind, CommentRef, NearMiss, Verb
from bot.hooks.decide import REPLY_LENGTH, Rules, decide
from bot.hooks.events import (
    CheckAsked,
    CheckedPull,
    CommentMade,
    Event,
    GroupAsked,
    InstallationChanged,
    InstallationId,
    Other,
    Ping,
    Place,
    PullAction,
    PullChanged,
    PullSeen,
    Sender,
    SuiteAsked,
)
from bot.hooks.orders import (
    AnswerComment,
    AnswerGroup,
    Cause,
    Nothing,
    Order,
    ReviewHead,
    ReviewPull,
    StopInstallation,
    StopPull,
)
from bot.review.memory import CommentId
from bot.review.model import CommitSha, Effort, RepoName

HEAD, OTHER_HEAD = CommitSha("a" * 40), CommitSha("b" * 40)
PLACE = Place(repo=RepoName("Octo/Demo"), repo_id=7, installation=InstallationId(5))
ALICE, ROBOT, OURSELVES = (
    Sender(login="alice", is_bot=False),
    Sender(login="autofix[bot]", is_bot=True),
    Sender(login="Spark-Review[bot]", is_bot=True),
)
RULES = Rules(app_id=11, app_slug="spark-review", allowed_repos=())


def pull(**changes: Any) -> PullSeen:
    seen = {
        "number": 3,
        "title": "Fix it",
        "author": "alice",
        "author_is_bot": False,
        "head_sha": HEAD,
        "base_sha": OTHER_HEAD,
        "base_ref": "main",
        "head_repo": PLACE.repo,
        "draft": False,
        "is_open": True,
    }
    return PullSeen(**(seen | changes))


def changed(action: PullAction, sender: Sender = ALICE, label: str = "", **of_pull: Any) -> PullChanged:
    return PullChanged(action=action, place=PLACE, sender=sender, pull=pull(**of_pull), label=label)


def check(**changes: Any) -> CheckAsked:
    asked = {
        "place": PLACE,
        "sender": ALICE,
        "app_id": 11,
        "name": "spark",
        "head_sha": HEAD,
        "pulls": (CheckedPull(number=3, head_sha=HEAD, base_ref="main"),),
        "external_id": "0" * 16,
    }
    return CheckAsked(**(asked | changes))


def suite(**changes: Any) -> SuiteAsked:
    asked = {"place": PLACE, "sender": ALICE, "app_id": 11, "head_sha": HEAD, "pulls": ()}
    return SuiteAsked(**(asked | changes))


def order(event: Event, *, drafts: bool = False, rules: Rules = RULES) -> Order:
    return decide(event, rules, reviews_drafts=lambda _repo: drafts)


def why_not(event: Event, *, drafts: bool = False, rules: Rules = RULES) -> str:
    found = order(event, drafts=drafts, rules=rules)
    assert isinstance(found, Nothing)
    return found.reason


@pytest.mark.parametrize(
    ("action", "cause"),
    [
        (PullAction.OPENED, Cause.OPENED),
        (PullAction.REOPENED, Cause.OPENED),
        (PullAction.SYNCHRONIZE, Cause.SYNCHRONIZE),
        (PullAction.READY_FOR_REVIEW, Cause.READY_FOR_REVIEW),
        (PullAction.RETARGETED, Cause.RETARGETED),
        (PullAction.LABELED, Cause.LABEL),
    ],
)
def test_a_persons_pull_is_reviewed(action: PullAction, cause: Cause) -> None:
    assert order(changed(action, label="spark")) == ReviewPull(
        place=PLACE,
        number=3,
        head_sha=HEAD,
        base_ref="main",
        cause=cause,
        title="Fix it",
        author="alice",
        label="spark",
        force=False,
    )


def test_a_deleted_forks_pull_is_reviewed_too() -> None:
    assert isinstance(order(changed(PullAction.OPENED, head_repo=None)), ReviewPull)


def test_a_closed_pull_is_stopped_whoever_closed_it() -> None:
    for sender in (ALICE, ROBOT):
        found = order(changed(PullAction.CLOSED, sender, is_open=False))
        assert found == StopPull(place=PLACE, number=3, why="The pull request was closed")


def test_nothing_is_done_for_a_pull_that_is_closed() -> None:
    for action in set(PullAction) - {PullAction.CLOSED}:
        assert why_not(changed(action, is_open=False)) == "The pull request is closed"


def test_a_draft_waits_until_it_is_ready() -> None:
    for action in (PullAction.OPENED, PullAction.SYNCHRONIZE, PullAction.LABELED, PullAction.RETARGETED):
        assert "draft" in why_not(changed(action, draft=True))
        assert isinstance(order(changed(action, draft=True), drafts=True), ReviewPull)


def test_a_pull_that_becomes_a_draft_is_stopped_unless_drafts_are_reviewed() -> None:
    event = changed(PullAction.CONVERTED_TO_DRAFT, draft=True)
    assert order(event) == StopPull(place=PLACE, number=3, why="The pull request became a draft")
    assert "drafts are reviewed" in why_not(event, drafts=True)


def test_our_own_events_are_nothing_whatever_they_are() -> None:
    for action in set(PullAction) - {PullAction.SYNCHRONIZE}:
        assert why_not(changed(action, OURSELVES)) == "Our own event"
    assert why_not(check(sender=OURSELVES)) == "Our own event"
    assert why_not(suite(sender=OURSELVES)) == "Our own event"


def test_the_head_that_a_command_had_us_commit_gets_its_check() -> None:
    for of_pull in ({}, {"author": "renovate[bot]", "author_is_bot": True}):
        found = order(changed(PullAction.SYNCHRONIZE, OURSELVES, **of_pull))
        assert isinstance(found, ReviewPull)
        assert found.cause is Cause.SYNCHRONIZE
    assert "draft" in why_not(changed(PullAction.SYNCHRONIZE, OURSELVES, draft=True))


def test_before_the_slug_is_known_our_events_are_still_a_bots() -> None:
    rules = Rules(app_id=11, app_slug=None, allowed_repos=())
    assert "A bot's event" in why_not(changed(PullAction.OPENED, OURSELVES), rules=rules)


def test_a_person_with_our_slug_as_login_is_a_person() -> None:
    namesake = Sender(login="spark-review", is_bot=False)
    assert isinstance(order(changed(PullAction.OPENED, namesake)), ReviewPull)


def test_bots_start_nothing() -> None:
    for action in (PullAction.OPENED, PullAction.REOPENED, PullAction.READY_FOR_REVIEW, PullAction.LABELED):
        assert why_not(changed(action, ROBOT)) == "A bot's event (autofix[bot])"
    for event in (check(sender=ROBOT), suite(sender=ROBOT)):
        assert why_not(event) == "A bot's event (autofix[bot])"


def test_another_bots_push_to_a_persons_pull_gets_its_check() -> None:
    for action in (PullAction.SYNCHRONIZE, PullAction.RETARGETED):
        assert isinstance(order(changed(action, ROBOT)), ReviewPull)
        assert "A bot's event" in why_not(changed(action, ROBOT, author="renovate[bot]", author_is_bot=True))


def test_a_bots_pull_is_not_reviewed_by_itself_but_when_a_person_wants_it() -> None:
    of_bot = {"author": "renovate[bot]", "author_is_bot": True}
    for action in (PullAction.OPENED, PullAction.REOPENED):
        assert why_not(changed(action, **of_bot)) == "A bot's pull request (renovate[bot])"
    for action in (PullAction.SYNCHRONIZE, PullAction.LABELED, PullAction.READY_FOR_REVIEW):
        assert isinstance(order(changed(action, **of_bot)), ReviewPull)


@pytest.mark.parametrize(
    ("globs", "allowed"),
    [
        ((), True),
        (("octo/demo",), True),
        (("OCTO/*",), True),
        (("*/demo",), True),
        (("*",), True),
        (("other/*", "octo/d?mo"), True),
        (("octo/demo2",), False),
        (("oct/*",), False),
        (("demo",), False),
        (("octo",), False),
        (("other/*",), False),
    ],
)
def test_only_allowed_repositories_are_served(globs: tuple[str, ...], *, allowed: bool) -> None:
    rules = Rules(app_id=11, app_slug="spark-review", allowed_repos=globs)
    group = GroupAsked(
        place=PLACE, sender=ALICE, head_sha=HEAD, head_ref="refs/heads/q", base_sha=HEAD, base_ref="refs/heads/main"
    )
    said = comment("/spark help")
    for event in (changed(PullAction.OPENED), changed(PullAction.CLOSED), check(), suite(), group, said):
        if allowed:
            assert not isinstance(order(event, rules=rules), Nothing)
        else:
            assert why_not(event, rules=rules) == "Octo/Demo is not among SPARK_ALLOWED_REPOS"


def test_a_check_that_is_run_again_reviews_its_pull_even_if_it_was_reviewed() -> None:
    wanted = ReviewPull(
        place=PLACE, number=3, head_sha=HEAD, base_ref="main", cause=Cause.ASKED, force=True, asked_by="alice"
    )
    assert order(check()) == wanted
    assert order(suite(pulls=check().pulls)) == wanted


def test_the_deep_button_asks_for_a_deep_review() -> None:
    found = order(check(identifier="deep"))
    assert isinstance(found, ReviewPull)
    assert found.effort is Effort.DEEP
    assert order(check(identifier="deep", pulls=())) == ReviewHead(
        place=PLACE, head_sha=HEAD, effort=Effort.DEEP, asked_by="alice"
    )
    assert why_not(check(identifier="fix")) == "This check has no such button"


def test_no_pull_or_several_are_looked_up_by_their_head() -> None:
    one = CheckedPull(number=3, head_sha=HEAD, base_ref="main")
    two = CheckedPull(number=4, head_sha=HEAD, base_ref="next")
    moved = CheckedPull(number=5, head_sha=OTHER_HEAD, base_ref="main")
    by_head = ReviewHead(place=PLACE, head_sha=HEAD, asked_by="alice")
    for pulls in ((), (one, two), (moved,)):
        assert order(check(pulls=pulls)) == by_head
        assert order(suite(pulls=pulls)) == by_head
    found = order(check(pulls=(moved, one)))
    assert isinstance(found, ReviewPull)
    assert found.number == 3


def test_other_apps_checks_and_other_checks_are_none_of_our_business() -> None:
    assert why_not(check(app_id=12)) == "Another App's check"
    assert why_not(check(name="spark (nightly)")) == "Another check of this App"
    assert why_not(suite(app_id=12)) == "Another App's checks"
    nobody = Rules(app_id=None, app_slug=None, allowed_repos=())
    assert why_not(check(app_id=0), rules=nobody) == "Another App's check"


def test_a_merge_queue_is_answered_even_where_it_is_a_bot_that_asks() -> None:
    queue = Sender(login="github-merge-queue[bot]", is_bot=True)
    named: dict[str, Any] = {
        "place": PLACE,
        "head_sha": HEAD,
        "head_ref": "refs/heads/gh-readonly-queue/main/pr-3",
        "base_sha": CommitSha("b" * 40),
        "base_ref": "refs/heads/main",
    }
    assert order(GroupAsked(sender=queue, **named)) == AnswerGroup(**named)


def comment(
    body: str, kind: CommentKind = CommentKind.CONVERSATION, *, root: int | None = None, **more: Any
) -> CommentMade:
    ref = CommentRef(kind=kind, id=CommentId(70), node_id="IC_x", root=CommentId(root) if root else None)
    return CommentMade(**{"place": PLACE, "sender": ALICE, "number": 3, "comment": ref, "body": body, **more})


@pytest.mark.parametrize("kind", CommentKind)
def test_a_persons_command_is_answered_wherever_it_stands(kind: CommentKind) -> None:
    event = comment("> as said\n\n/spark fix all --commit\nbut not the tests", kind)
    found = order(event)
    assert isinstance(found, AnswerComment)
    assert (found.place, found.number, found.comment, found.sender) == (PLACE, 3, event.comment, "alice")
    assert isinstance(found.command, Command)
    assert (found.command.verb, found.command.commit, found.text) == (Verb.FIX, True, "")


@pytest.mark.parametrize(
    "above",
    ["", "   ", "\t\n", "\u200b", "> quoted\n\n", "```\ncode /x\n```\n", "<!-- hidden -->\n", "\xa0 ", "\u2028"],
)
@pytest.mark.parametrize("line", ["/spark", "/SPARK: fix", "/spark, help", "/psark help"])
def test_whatever_the_grammar_takes_for_a_command_reaches_it(above: str, line: str) -> None:
    found = order(comment(above + line))
    assert (found.command if isinstance(found, AnswerComment) else None) == parse(above + line)


def test_a_near_miss_is_answered_too() -> None:
    found = order(comment("/spark fixx"))
    assert isinstance(found, AnswerComment)
    assert found.command == NearMiss(wrote="fixx", meant=Verb.FIX)


def test_a_reply_in_a_thread_is_read_and_other_talk_is_not() -> None:
    asks = "Why is that a bug?" + "x" * 5_000
    found = order(comment(asks, CommentKind.THREAD, root=69))
    assert isinstance(found, AnswerComment)
    assert (found.command, found.text) == (None, asks[:REPLY_LENGTH])
    quiet = "A comment without a command"
    assert why_not(comment(asks, CommentKind.THREAD, root=70)) == quiet, "it begins a thread of its own"
    assert why_not(comment(asks)) == why_not(comment(asks, CommentKind.REVIEW)) == quiet
    assert why_not(comment(" \n", CommentKind.THREAD, root=69)) == quiet
    assert why_not(comment("```\n/spark fix\n```")) == why_not(comment("> /spark fix")) == quiet


def test_no_bots_comment_no_apps_and_none_of_ours_asks_for_anything() -> None:
    for body in ("/spark fix", "/sprak fix", "Why?"):
        for kind, root in ((CommentKind.CONVERSATION, None), (CommentKind.THREAD, 69)):
            assert why_not(comment(body, kind, root=root, sender=OURSELVES)) == "Our own event"
            assert why_not(comment(body, kind, root=root, sender=ROBOT)) == "A bot's comment (autofix[bot])"
            assert "in the name of alice" in why_not(comment(body, kind, root=root, through_app=True))
            marked = f"{body}\n\n<!-- spark:answer v1 thread-7 -->"
            assert "mark of Spark's own" in why_not(comment(marked, kind, root=root))


def installed(action: str, *, removed: bool = False, repos: tuple[RepoName, ...] = ()) -> InstallationChanged:
    return InstallationChanged(
        installation=InstallationId(5),
        account="octo",
        sender=ALICE,
        removed=removed,
        repos_removed=repos,
        action=action,
    )


def test_a_removed_app_stops_what_it_did_there() -> None:
    for action, word in (("deleted", "deleted"), ("suspend", "suspended")):
        found = order(installed(action, removed=True))
        assert found == StopInstallation(installation=InstallationId(5), repos=(), why=f"The App was {word} by octo")


def test_removed_repositories_stop_alone() -> None:
    found = order(installed("removed", repos=(PLACE.repo,)))
    assert isinstance(found, StopInstallation)
    assert found.repos == (PLACE.repo,)
    assert why_not(installed("removed")) == "Noted: the installation of octo (removed)"


def test_everything_else_is_answered_with_a_reason() -> None:
    assert why_not(Ping(zen="Keep it simple.")) == "pong: Keep it simple."
    assert why_not(Ping(zen="")) == "pong"
    assert why_not(Other(what="issues.opened")) == "Spark does nothing on issues.opened"
    assert why_not(Other(what="issue_comment.edited", why="Edits never count")) == "Edits never count"
    assert why_not(installed("created")) == "Noted: the installation of octo (created)"


def test_every_example_of_githubs_gets_an_order(examples: dict[str, list[Any]], event: Callable[..., Event]) -> None:
    for name in ("pull_request", "check_run", "check_suite", "merge_group", "installation", "ping", "issues", "push"):
        for action in {each.get("action") for each in examples[name]}:
            found = order(event(name, action))
            assert isinstance(found, Order)
            assert getattr(found, "reason", "a reason")


shas = st.sampled_from([HEAD, OTHER_HEAD])
senders = st.sampled_from([ALICE, ROBOT, OURSELVES, Sender(login="", is_bot=False)])
places = st.builds(
    Place,
    repo=st.sampled_from([PLACE.repo, RepoName("x/y"), RepoName("Octo/other")]),
    repo_id=st.just(7),
    installation=st.sampled_from([InstallationId(0), InstallationId(5)]),
)
checked = st.lists(st.builds(CheckedPull, number=st.integers(1, 4), head_sha=shas, base_ref=st.just("main"))).map(tuple)
happenings: st.SearchStrategy[Event] = st.one_of(
    st.builds(PullChanged, place=places, sender=senders, pull=st.builds(PullSeen, head_sha=shas, base_sha=shas)),
    st.builds(
        CheckAsked,
        place=places,
        sender=senders,
        head_sha=shas,
        pulls=checked,
        app_id=st.sampled_from([0, 11, 12]),
        name=st.sampled_from(["spark", "x"]),
        identifier=st.sampled_from(["", "deep", "x"]),
    ),
    st.builds(SuiteAsked, place=places, sender=senders, head_sha=shas, pulls=checked, app_id=st.sampled_from([0, 11])),
    st.builds(GroupAsked, place=places, sender=senders, head_sha=shas, base_sha=shas),
    st.builds(
        CommentMade,
        place=places,
        sender=senders,
        comment=st.builds(
            CommentRef, kind=st.sampled_from(CommentKind), id=st.just(7), root=st.sampled_from([None, 7, 8])
        ),
        body=st.sampled_from(
            ["", " ", "/spark fix", "/sprak help", "Why?", "> /spark fix", "<!-- spark:x -->\n/spark fix"]
        ),
        through_app=st.booleans(),
    ),
    st.builds(InstallationChanged, sender=senders),
    st.builds(Ping),
    st.builds(Other),
)


@settings(max_examples=300, deadline=None)
@given(event=happenings, drafts=st.booleans(), app_id=st.sampled_from([None, 11]))
def test_whatever_happens_the_rules_hold(event: Event, *, drafts: bool, app_id: int | None) -> None:
    rules = Rules(app_id=app_id, app_slug="spark-review", allowed_repos=("octo/*",))
    found = order(event, drafts=drafts, rules=rules)
    assert found == order(event, drafts=drafts, rules=rules)
    if isinstance(found, Nothing):
        assert found.reason
        return
    if isinstance(found, StopInstallation):
        assert isinstance(event, InstallationChanged)
        return
    assert not isinstance(event, InstallationChanged | Ping | Other)
    assert found.place == event.place
    if isinstance(found, AnswerComment):
        assert isinstance(event, CommentMade)
        assert not event.sender.is_bot
        assert not event.through_app
        assert (found.command is None) == bool(found.text)
        assert found.command is not None or event.comment.root not in {None, event.comment.id}
        return
    assert event.place.repo.startswith("Octo/")
    if not isinstance(event, GroupAsked):
        pushed = isinstance(event, PullChanged) and event.action is PullAction.SYNCHRONIZE
        assert event.sender != OURSELVES or pushed
    if isinstance(found, ReviewPull):
        assert found.head_sha == (event.pull.head_sha if isinstance(event, PullChanged) else event.head_sha)
        assert found.force == (found.cause is Cause.ASKED) == (not isinstance(event, PullChanged))
        assert drafts or not found.draft
        assert not event.sender.is_bot or found.cause in {Cause.SYNCHRONIZE, Cause.RETARGETED}
