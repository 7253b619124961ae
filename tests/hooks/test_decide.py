"""Events become orders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.hooks.decide import Rules, decide
from bot.hooks.events import (
    CheckAsked,
    CheckedPull,
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
from bot.hooks.orders import AnswerGroup, Cause, Nothing, Order, ReviewHead, ReviewPull, StopInstallation, StopPull
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
    for action in PullAction:
        assert why_not(changed(action, OURSELVES)) == "Our own event"
    assert why_not(check(sender=OURSELVES)) == "Our own event"
    assert why_not(suite(sender=OURSELVES)) == "Our own event"


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
    group = GroupAsked(place=PLACE, sender=ALICE, head_sha=HEAD, head_ref="refs/heads/q")
    for event in (changed(PullAction.OPENED), changed(PullAction.CLOSED), check(), suite(), group):
        if allowed:
            assert not isinstance(order(event, rules=rules), Nothing)
        else:
            assert why_not(event, rules=rules) == "Octo/Demo is not among SPARK_ALLOWED_REPOS"


def test_a_check_that_is_run_again_reviews_its_pull_even_if_it_was_reviewed() -> None:
    wanted = ReviewPull(place=PLACE, number=3, head_sha=HEAD, base_ref="main", cause=Cause.ASKED, force=True)
    assert order(check()) == wanted
    assert order(suite(pulls=check().pulls)) == wanted


def test_the_deep_button_asks_for_a_deep_review() -> None:
    found = order(check(identifier="deep"))
    assert isinstance(found, ReviewPull)
    assert found.effort is Effort.DEEP
    assert order(check(identifier="deep", pulls=())) == ReviewHead(place=PLACE, head_sha=HEAD, effort=Effort.DEEP)
    assert why_not(check(identifier="fix")) == "This check has no such button"


def test_no_pull_or_several_are_looked_up_by_their_head() -> None:
    one = CheckedPull(number=3, head_sha=HEAD, base_ref="main")
    two = CheckedPull(number=4, head_sha=HEAD, base_ref="next")
    moved = CheckedPull(number=5, head_sha=OTHER_HEAD, base_ref="main")
    by_head = ReviewHead(place=PLACE, head_sha=HEAD)
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
    event = GroupAsked(place=PLACE, sender=queue, head_sha=HEAD, head_ref="refs/heads/gh-readonly-queue/main/pr-3")
    assert order(event) == AnswerGroup(place=PLACE, head_sha=HEAD, head_ref="refs/heads/gh-readonly-queue/main/pr-3")


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
    st.builds(GroupAsked, place=places, sender=senders, head_sha=shas),
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
    assert event.place.repo.startswith("Octo/")
    if not isinstance(event, GroupAsked):
        assert event.sender != OURSELVES
    if isinstance(found, ReviewPull):
        assert found.head_sha == (event.pull.head_sha if isinstance(event, PullChanged) else event.head_sha)
        assert found.force == (found.cause is Cause.ASKED) == (not isinstance(event, PullChanged))
        assert drafts or not found.draft
        assert not event.sender.is_bot or found.cause in {Cause.SYNCHRONIZE, Cause.RETARGETED}
