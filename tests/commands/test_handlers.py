from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bot.commands.model import CommentKind, Reaction, Verb
from bot.commands.registry import COMMANDS
from bot.review.config import RepoConfig, Role
from bot.review.memory import CommentId, Dismissal, PastReview
from bot.review.model import Effort, Severity
from bot.review.render.markers import read_dismissal_marker, read_state_marker

Make = Callable[..., Any]


# -- review, pause, resume


@pytest.mark.parametrize(
    ("body", "effort"),
    [
        ("/spark review", None),
        ("/spark review deep", Effort.DEEP),
        ("/spark review Instant.", Effort.INSTANT),
        ("/spark review standard\nplease", Effort.STANDARD),
    ],
)
def test_a_review_is_ordered_with_a_reaction_and_no_comment(world: Any, body: str, effort: Effort | None) -> None:
    ref = world.comment(body)
    assert world.says(body, ref=ref).what == "answered"
    assert world.reviews.started == [effort]
    assert world.talk.answers == []
    assert world.talk.reactions_to(ref) == [Reaction.SEEN, Reaction.DONE]


def test_a_review_that_cannot_be_shown_by_a_reaction_is_told(world: Any) -> None:
    world.talk.refuses.add("react")
    world.says("/spark review")
    assert world.reviews.started == [None]
    assert world.last == "@ada A full review has been ordered."


LAST_URL = "https://github.test/ada/engine/pull/7#pullrequestreview-1"


def reviewed(world: Any) -> None:
    """Our last review saw the head of now."""
    pull = world.pull
    world.talk.last = PastReview(
        id=1, url=LAST_URL, head=pull.head_sha, base=pull.base_sha, round=1, rules="", seen=frozenset(), body=""
    )


def test_a_review_of_what_was_reviewed_already_is_answered_with_where_it_will_show(world: Any) -> None:
    reviewed(world)
    ref = world.comment("/spark review")
    world.says("/spark review", ref=ref)
    assert world.last == (
        f"@ada Nothing was pushed since [my last review]({LAST_URL}); I review all of it again. What is new is posted; if "
        "nothing is, that review's text and [the checks](https://github.test/ada/engine/pull/7/checks) are brought up to date."
    )
    assert world.talk.reactions_to(ref) == [Reaction.SEEN, Reaction.DONE]
    world.branch.push({"app.py": b"1\n"}, message="More")
    before = len(world.talk.answers)
    world.says("/spark review")
    assert (world.reviews.started, len(world.talk.answers)) == ([None, None], before)


def test_a_review_is_ordered_also_where_what_is_on_the_pull_cannot_be_read(world: Any) -> None:
    world.talk.down.add("recall")
    ref = world.comment("/spark review")
    assert world.says("/spark review", ref=ref).what == "answered"
    assert (world.reviews.started, world.talk.answers) == ([None], [])
    assert world.talk.reactions_to(ref) == [Reaction.SEEN, Reaction.DONE]


def test_an_effort_that_does_not_exist_is_answered_and_nothing_ordered(world: Any) -> None:
    assert world.says("/spark review quickly").what == "refused"
    assert world.reviews.started == []
    assert world.last == (
        "@ada I know no effort `quickly`. `/spark review` takes one of `instant`, `standard`, `deep`, or nothing."
    )


def test_an_author_who_may_not_write_can_have_more_effort_and_not_less(make_world: Make) -> None:
    """The gate goes by what the newest review found."""
    world = make_world(roles={}, fork=True)
    assert world.says("/spark review instant", by="grace").why == "less effort than usual"
    assert "with effort `standard`, and less (`instant`) is for those who may write" in world.last
    assert world.reviews.started == []
    world.says("/spark review deep", by="grace")
    world.says("/spark review standard", by="grace")
    assert world.reviews.started == [Effort.DEEP, Effort.STANDARD]


def test_a_repository_that_leaves_out_commands_is_not_reviewed_by_one(make_world: Make) -> None:
    world = make_world(config="review:\n  on: [opened]\n")
    assert world.says("/spark review").what == "refused"
    assert world.reviews.started == []
    assert "`review.on` of `.github/spark.yml` on the base branch has no `command`" in world.last


def test_a_closed_pull_is_neither_reviewed_nor_paused(make_world: Make) -> None:
    world = make_world(is_open=False)
    for verb in ("review", "pause"):
        assert world.says(f"/spark {verb}").what == "refused"
        assert world.last.endswith(f"is closed, so `/spark {verb}` has nothing to do: it works on open ones.")
    assert (world.reviews.started, world.reviews.stopped) == ([], [])
    assert world.talk.recall().paused_by == ""


@pytest.mark.parametrize("in_thread", [False, True])
def test_pause_and_resume_stand_on_the_pull_wherever_they_are_said(world: Any, in_thread: bool) -> None:
    thread = world.finding() if in_thread else None
    ref = world.comment("/spark pause", thread=thread)
    world.says("/spark pause", ref=ref)
    assert world.talk.recall().paused_by == "ada"
    assert world.reviews.stopped == ["paused by ada"]
    assert world.talk.reactions_to(ref) == [Reaction.SEEN, Reaction.DONE]
    assert [one.ref.kind for one in world.talk.answers] == [CommentKind.CONVERSATION]

    assert world.says("/spark pause", by="grace", thread=thread).why == "paused already"
    assert "paused already, by `ada`" in world.last
    assert world.reviews.stopped == ["paused by ada"]

    assert world.says("/spark resume", by="grace", thread=thread).why == "resumed"
    assert world.talk.recall().paused_by == ""
    assert world.reviews.caught_up == 1
    assert world.says("/spark resume", thread=thread).why == "not paused"
    assert (world.reviews.started, world.reviews.caught_up) == ([], 1)


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_a_pause_asked_in_a_thread_and_run_again_is_said_once(world: Any, verb: str) -> None:
    thread = world.finding()
    if verb == "resume":
        world.says("/spark pause")
    before = len(world.talk.answers)
    ref = world.comment(f"/spark {verb}", thread=thread)
    urls = {world.says(f"/spark {verb}", ref=ref).url for _ in range(2)}
    assert (len(urls), len(world.talk.answers)) == (1, before + 1)


def test_the_mark_of_a_pause_says_who(world: Any) -> None:
    world.says("/spark pause")
    assert read_state_marker(world.talk.answers[-1].body) == {"paused_by": "ada"}
    world.says("/spark resume")
    assert read_state_marker(world.talk.answers[-1].body) == {"paused_by": ""}


@pytest.mark.parametrize(
    ("config", "draft", "pushed", "says"),
    [
        ("", False, True, "Resumed: what came meanwhile is reviewed now, and each push after it (paused by `ada`)."),
        (
            "",
            False,
            False,
            f"Resumed: no push came since [my last review]({LAST_URL}), and each one from now on is reviewed",
        ),
        ("review:\n  on: [opened, command]\n", False, True, "Pushes are not reviewed by themselves here: `review.on`"),
        ("", True, True, "what came meanwhile is reviewed when this is ready for review"),
        ("review:\n  drafts: true\n", True, True, "Resumed: what came meanwhile is reviewed now"),
    ],
)
def test_resume_says_what_comes_of_it(make_world: Make, config: str, draft: bool, pushed: bool, says: str) -> None:
    world = make_world(config=config)
    world.pull = replace(world.pull, draft=draft)
    reviewed(world)
    world.says("/spark pause")
    if pushed:
        world.branch.push({"app.py": b"1\n"}, message="Meanwhile")
    world.says("/spark resume")
    assert says in world.last
    assert "The check is decided anew" not in world.last


def test_resume_says_that_the_check_is_decided_anew_where_it_is(make_world: Make) -> None:
    world = make_world(config="gate:\n  fail_on: high\n")
    reviewed(world)
    world.says("/spark pause")
    world.says("/spark ignore", thread=world.finding())
    world.says("/spark resume")
    assert world.last.endswith("The check is decided anew, without what was dismissed.")
    assert world.reviews.judged == 1


def test_resume_of_a_closed_pull_promises_no_review(world: Any) -> None:
    world.says("/spark pause")
    world.pull = replace(world.pull, is_open=False)
    world.says("/spark resume")
    assert world.last.endswith("This pull request is closed, so nothing is reviewed until it is opened again.")


# -- ignore


def test_an_ignored_finding_is_dismissed_resolved_and_remembered_with_its_reason(world: Any) -> None:
    thread = world.finding(lines=("a1b2c3",))
    outcome = world.says("/spark ignore the caller\n> cited\nholds the lock", thread=thread)
    assert (outcome.what, outcome.url) == ("ignored", world.talk.answers[-1].url)
    known = world.talk.recall().findings[0]
    reason = "the caller\nholds the lock"
    assert known.dismissal == Dismissal(by="ada", reason=reason, how="ignored", excuses=True)
    assert world.now(thread).is_resolved
    kept = world.memory.kept[0]
    assert (kept.fingerprint, kept.lines) == (known.note.fingerprint, ("a1b2c3",))
    assert (kept.by, kept.reason, kept.url) == ("ada", reason, thread.url)
    assert world.last == (
        "Dismissed. Reason: the caller holds the lock. I will not bring this up again, neither in this pull request nor in "
        "another one of this repository, and the gate leaves it out. To have it counted here again, unresolve this thread."
    )


@pytest.mark.parametrize(
    ("level", "severity", "judged"),
    [
        ("high", Severity.HIGH, 1),
        ("low", Severity.CRITICAL, 1),
        ("high", Severity.MEDIUM, 0),
        ("never", Severity.HIGH, 0),
    ],
)
@pytest.mark.parametrize("verb", ["ignore", "resolve"])
def test_the_check_is_decided_anew_where_the_gate_goes_by_what_was_dismissed(
    make_world: Make, verb: str, level: str, severity: Severity, judged: int
) -> None:
    world = make_world(config=f"gate:\n  fail_on: {level}\n")
    world.says(f"/spark {verb}", thread=world.finding(severity=severity))
    assert world.reviews.judged == judged


def test_the_check_is_left_alone_by_who_may_not_write_and_while_reviews_are_paused(make_world: Make) -> None:
    world = make_world(config="gate:\n  fail_on: high\n", roles={"ada": Role.WRITE})
    assert world.says("/spark resolve", thread=world.finding(), by="grace").what == "answered"
    world.says("/spark pause")
    assert world.says("/spark ignore", thread=world.finding(line=5)).what == "ignored"
    assert world.reviews.judged == 0


@pytest.mark.parametrize("verb", ["ignore", "resolve"])
def test_a_dismissal_during_a_pause_says_that_the_check_follows_and_it_does(make_world: Make, verb: str) -> None:
    world = make_world(config="gate:\n  fail_on: high\n")
    world.says("/spark pause")
    world.says(f"/spark {verb}", thread=world.finding())
    assert world.last.endswith("the check follows when they are resumed (`/spark resume`).")
    world.says(f"/spark {verb}", thread=world.finding(line=5, severity=Severity.LOW))
    assert "the check follows" not in world.last
    assert world.reviews.judged == 0
    world.says("/spark resume")
    assert (world.reviews.caught_up, world.reviews.judged) == (1, 1)


@pytest.mark.parametrize("by", ["ada", "grace"])
def test_whoever_may_not_write_is_told_that_what_they_resolve_still_counts(make_world: Make, by: str) -> None:
    world = make_world(roles={"ada": Role.WRITE}, fork=True)
    world.says("/spark resolve", by=by, thread=world.finding())
    counts = (
        "only somebody who may write to this repository can have the gate leave it out, with `/spark ignore REASON`."
    )
    assert (counts in world.last) is (by == "grace")
    [known] = world.talk.recall().findings
    assert known.dismissal is not None
    assert known.dismissal.excuses is (by == "ada")


@pytest.mark.parametrize("verb", ["ignore", "resolve"])
def test_on_a_closed_pull_a_dismissal_orders_no_verdict(make_world: Make, verb: str) -> None:
    world = make_world(config="gate:\n  fail_on: high\n", is_open=False)
    assert world.says(f"/spark {verb}", thread=world.finding()).what in {"ignored", "answered"}
    assert world.reviews.judged == 0


def test_without_a_reason_one_is_asked_for_and_the_dismissal_holds(world: Any) -> None:
    thread = world.finding()
    world.says("/spark ignore", thread=thread)
    assert "With a reason (`/spark ignore REASON`) others would know why." in world.last
    assert world.talk.recall().findings[0].dismissal is not None


def test_a_second_ignore_says_that_it_is_so_already(world: Any) -> None:
    thread = world.finding()
    world.says("/spark ignore fine here", thread=thread)
    assert world.says("/spark ignore no", by="grace", thread=thread).why == "dismissed already"
    assert world.last == "This was dismissed already by `ada` (ignored). Reason: fine here."
    assert len(world.memory.kept) == 1


def test_a_dismissal_without_a_reason_is_given_one_by_a_second_ignore(world: Any) -> None:
    thread = world.finding()
    world.says("/spark ignore", thread=thread)
    assert world.says("/spark ignore", thread=thread).why == "dismissed already"
    assert world.says("/spark ignore the caller holds the lock", thread=thread).what == "ignored"
    assert "Reason: the caller holds the lock." in world.last
    assert world.memory.kept[-1].reason == "the caller holds the lock"
    assert world.talk.recall().findings[0].dismissal.reason == "the caller holds the lock"
    assert world.says("/spark ignore another one", thread=thread).why == "dismissed already"


def test_where_github_does_not_let_us_resolve_it_is_said_and_the_dismissal_holds(world: Any) -> None:
    world.talk.refuses.add("resolve")
    thread = world.finding()
    outcome = world.says("/spark ignore fine here", thread=thread)
    assert outcome.what == "ignored"
    assert not world.now(thread).is_resolved
    assert "GitHub did not let me resolve this thread: Resource not accessible by integration." in world.last
    assert world.last.endswith("The dismissal holds all the same.")
    dismissal = world.talk.recall().findings[0].dismissal
    assert dismissal == Dismissal(by="ada", reason="fine here", how="ignored", excuses=True, held_open=True)
    assert len(world.memory.kept) == 1


def test_a_thread_resolved_by_hand_can_still_be_ignored_with_a_reason(world: Any) -> None:
    thread = world.finding()
    world.talk.threads[thread.id] = replace(world.now(thread), is_resolved=True, resolved_by="linus")
    assert world.talk.recall().findings[0].dismissal.how == "resolved by hand"
    assert world.says("/spark ignore fine here", thread=thread).what == "ignored"
    assert world.memory.kept[0].reason == "fine here"
    assert world.talk.recall().findings[0].dismissal.excuses
    assert world.now(thread).resolved_by_us


def test_an_ignored_thread_that_a_person_opened_again_counts_again(world: Any) -> None:
    thread = world.finding()
    world.says("/spark ignore", thread=thread)
    world.talk.unresolve(world.now(thread))
    assert world.talk.recall().findings[0].dismissal is None
    assert world.says("/spark ignore after all", thread=thread).what == "ignored"
    assert world.talk.recall().findings[0].dismissal.reason == "after all"


def test_ignore_elsewhere_says_where_to_say_it_and_changes_nothing(world: Any) -> None:
    theirs = world.thread("I would name this differently")
    assert world.says("/spark ignore").why == "not in a thread"
    assert "Say it as a reply in that thread" in world.last
    assert world.says("/spark ignore", thread=theirs).why == "no finding of ours"
    assert "not about a finding of mine" in world.last
    assert world.memory.kept == []
    assert not world.now(theirs).is_resolved


def test_a_dismissal_that_was_cut_short_is_finished_by_the_next_run(world: Any) -> None:
    thread = world.finding()
    ref = world.comment("/spark ignore fine here", thread=thread)
    world.talk.down.add("answer")
    world.says("/spark ignore fine here", ref=ref)
    assert world.now(thread).is_resolved
    world.talk.down.clear()
    assert world.says("/spark ignore fine here", ref=ref).what == "ignored"
    assert len(world.memory.kept) == 1
    assert read_dismissal_marker(world.talk.answers[-1].body).reason == "fine here"


# -- resolve


def test_a_finding_is_resolved_and_marked_as_closed(world: Any) -> None:
    thread = world.finding()
    assert world.says("/spark resolve", thread=thread).why == "resolved"
    assert world.now(thread).is_resolved
    assert read_state_marker(world.talk.answers[-1].body) == {"closed_by": "ada"}
    assert world.talk.recall().findings[0].closed
    assert world.says("/spark resolve", thread=thread).why == "resolved already"
    assert world.last == "I resolved this thread already."


def test_an_author_without_a_role_may_resolve_our_thread_but_no_persons(make_world: Make) -> None:
    world = make_world(roles={}, fork=True)
    ours, theirs = world.finding(), world.thread("Please rename this", by="linus")
    assert world.says("/spark resolve", by="grace", thread=ours).why == "resolved"
    assert world.says("/spark resolve", by="grace", thread=theirs).what == "refused"
    assert "a person began it" in world.last
    assert (world.now(ours).is_resolved, world.now(theirs).is_resolved) == (True, False)


def test_who_may_write_resolves_anybodys_thread(world: Any) -> None:
    theirs = world.thread("Please rename this", by="linus")
    assert world.says("/spark resolve", thread=theirs).why == "resolved"
    assert world.now(theirs).is_resolved
    assert world.last == "Resolved, as you asked."


def test_a_thread_resolved_by_somebody_else_is_told(world: Any) -> None:
    thread = world.thread("Please rename this")
    world.talk.threads[thread.id] = replace(world.now(thread), is_resolved=True, resolved_by="linus")
    world.says("/spark resolve", thread=thread)
    assert world.last == "This thread was resolved already by `linus`."


def test_resolving_that_github_refuses_is_said_and_leaves_no_mark(world: Any) -> None:
    world.talk.refuses.add("resolve")
    thread = world.finding()
    ref = world.comment("/spark resolve", thread=thread)
    assert world.says("/spark resolve", ref=ref).what == "refused"
    assert world.talk.reactions_to(ref) == [Reaction.SEEN, Reaction.NO]
    assert "`contents: write`" in world.last
    assert read_state_marker(world.talk.answers[-1].body) is None
    assert not world.talk.recall().findings[0].closed


def test_a_resolution_that_was_cut_short_is_finished_by_the_next_run(world: Any) -> None:
    thread = world.finding()
    world.talk.resolve(thread)
    assert world.says("/spark resolve", thread=thread).why == "resolved"
    assert world.talk.recall().findings[0].closed


# -- help, config


def test_the_help_has_every_usage_of_the_registry_and_no_other(world: Any) -> None:
    world.says("/spark help", by="a-stranger")
    lines = [line for line in world.last.split("\n") if line.startswith("- ")]
    usages = [usage for spec in COMMANDS.values() for usage in spec.usages]
    assert len(lines) == len(usages)
    for line, usage in zip(lines, usages, strict=True):
        assert line.startswith(f"- `{usage.text}`")
        assert line.endswith(usage.does)
    assert {usage.text.split()[1] for usage in usages} == {*Verb}


def rows(text: str) -> dict[str, tuple[str, str]]:
    cells = [[cell.strip() for cell in line.split(" | ")] for line in text.split("\n") if line.startswith("| `")]
    return {cell[0].strip("| `"): (cell[1], cell[2].removesuffix(" |")) for cell in cells}


CONFIG = """\
review:
  on: [opened, command]
  instructions: |
    Money is in cents | always.
    ping @linus and /spark fix
gate: {fail_on: high}
paths:
  ignore:
    - "docs/**"
dismiss:
  - rule: S311
    paths: ["tests/**"]
    reason: no secret | there
  - category: style
    severity: low
"""


def test_every_key_is_shown_with_its_value_and_the_line_it_came_from(make_world: Make) -> None:
    world = make_world(config=CONFIG)
    world.says("/spark config")
    told = rows(world.last)
    keys = {
        f"{name}.{inner}".rstrip(".")
        for name, field in RepoConfig.model_fields.items()
        for inner in (getattr(field.annotation, "model_fields", None) or [""])
    }
    assert keys - {"dismiss"} <= set(told)
    assert told["dismiss.0"] == (
        r'`{"rule": "S311", "paths": ["tests/**"], "severity": "high", "reason": "no secret \| there"}`',
        "`.github/spark.yml` line 11",
    )
    assert told["dismiss.1"] == ('`{"category": "style", "severity": "low"}`', "`.github/spark.yml` line 14")
    assert told["review.on"] == ('`["opened", "command"]`', "`.github/spark.yml` line 2")
    assert told["gate.fail_on"] == ("`high`", "`.github/spark.yml` line 6")
    assert told["paths.ignore"] == ('`["docs/**"]`', "`.github/spark.yml` line 8")
    assert told["review.effort"] == ("`standard`", "default")
    assert told["review.instructions"][0] == r"`Money is in cents \| always. ping @linus and /spark fix`"
    assert told["SPARK_MODEL"] == ("`codex-spark-preview`", "default")


def test_the_servers_effort_goes_before_the_repositorys(make_world: Make) -> None:
    world = make_world(config="review:\n  effort: deep\n")
    world.effort = Effort.INSTANT
    world.says("/spark config")
    assert rows(world.last)["review.effort"] == ("`instant`", "the server's setting `SPARK_EFFORT`")


def test_without_a_file_the_defaults_are_shown_as_such(world: Any) -> None:
    world.says("/spark config")
    assert world.last.startswith(
        "@ada There is no `.github/spark.yml` on the base branch, so the defaults are in force."
    )
    assert {origin for key, (_, origin) in rows(world.last).items() if "." in key} == {"default"}
    assert rows(world.last)["dismiss"] == ("`[]`", "default")


def test_a_broken_file_is_shown_with_every_mistake_and_the_server_beside_it(make_world: Make) -> None:
    world = make_world(config="review:\n  efort: deep\n  drafts: maybe\n")
    assert world.says("/spark config").why == "the configuration has mistakes"
    assert ".github/spark.yml:2: review.efort: unknown key, did you mean effort?" in world.last
    assert ".github/spark.yml:3: review.drafts: must be true or false" in world.last
    assert "SPARK_MODEL" in world.last


def test_a_value_of_the_file_that_looks_like_a_secret_is_masked(make_world: Make) -> None:
    secret = "gh" + "p_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4"
    world = make_world(config=f"review:\n  instructions: use {secret} there\n")
    world.says("/spark config")
    assert secret not in world.last
    assert "•••" in rows(world.last)["review.instructions"][0]


def test_an_answer_that_is_too_long_keeps_its_mark(world: Any) -> None:
    call = world.call("/spark help")
    call.answer("x" * 200_000 + "\n\n<!-- spark:step v1 key -->")
    body = world.talk.answers[-1].body
    assert len(body) < 65_536
    assert "<!-- spark:step v1 key -->\n<!-- spark:answer v1" in body


def test_a_comment_outside_of_threads_is_in_none(world: Any) -> None:
    world.people.roles["ada"] = Role.ADMIN
    thread = world.finding()
    ref = replace(world.comment("/spark resolve"), kind=CommentKind.REVIEW, id=CommentId(thread.comments[0].id))
    assert world.says("/spark resolve", ref=ref).why == "not in a thread"
