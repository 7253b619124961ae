from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bot.commands.model import Outcome, Reaction, Verb
from bot.commands.registry import COMMANDS
from bot.commands.serve import LOOP_ANSWERS, LOOP_ANSWERS_TO_WRITERS
from bot.commands.table import HANDLERS
from bot.errors import CredentialsError, NotPermittedError, OutsideError
from bot.review.config import Role
from bot.review.ports import StreamEnd

Make = Callable[..., Any]

BODIES = {
    Verb.REVIEW: "/spark review deep",
    Verb.FIX: "/spark fix",
    Verb.UNDO: "/spark undo",
    Verb.EXPLAIN: "/spark explain",
    Verb.ASK: "/spark ask is this called elsewhere?",
    Verb.IGNORE: "/spark ignore the caller holds it",
    Verb.RESOLVE: "/spark resolve",
    Verb.PAUSE: "/spark pause",
    Verb.RESUME: "/spark resume",
    Verb.CONFIG: "/spark config",
    Verb.HELP: "/spark help",
}
EVERY = [
    *BODIES.values(),
    "/spark fix --commit",
    "/spark fix all",
    "/spark fix turn it into a class",
    "/spark fxi",
    "/sprak fix",
]


def stranger(world: Any) -> None:
    world.people.roles.clear()
    world.pull = replace(world.pull, author="somebody")


def closed(world: Any) -> None:
    world.pull = replace(world.pull, is_open=False)


def no_model(world: Any) -> None:
    world.model = None


def endpoint_down(world: Any) -> None:
    world.model.script = lambda _prompt, _before: ("", StreamEnd.UNREACHABLE)


def wrong_key(world: Any) -> None:
    def script(_prompt: object, _before: int) -> str:
        raise CredentialsError("The endpoint refused the key", remedy="Set SPARK_API_KEY")

    world.model.script = script


def nonsense(world: Any) -> None:
    world.model.script = lambda _prompt, _before: "I am a teapot"


def refuses(*what: str) -> Callable[[Any], None]:
    return lambda world: world.talk.refuses.update(what)


def away(*what: str) -> Callable[[Any], None]:
    return lambda world: world.talk.down.update(what)


def unreadable(world: Any) -> None:
    def opened() -> None:
        raise OutsideError("GitHub does not answer", remedy="Try again in a while")

    world.open = opened


def role_unknown(world: Any) -> None:
    world.people.down = True


def broken_config(world: Any) -> None:
    world.config = "review: [\n"


def nothing(world: Any) -> None:
    """All is well."""
    nonsense(world)


WAYS: dict[str, Callable[[Any], None]] = {
    "all is well": nothing,
    "permission refused": stranger,
    "role unknown": role_unknown,
    "broken configuration": broken_config,
    "pull closed": closed,
    "no model": no_model,
    "endpoint down": endpoint_down,
    "wrong key": wrong_key,
    "the model talks nonsense": nonsense,
    "the change cannot be read": unreadable,
    "GitHub refuses reactions": refuses("react"),
    "GitHub refuses answers": refuses("answer"),
    "GitHub refuses to resolve": refuses("resolve"),
    "GitHub takes no answers": away("answer"),
    "GitHub does not tell what was answered": away("answered"),
    "GitHub does not tell what is there": away("recall"),
    "GitHub does not count": away("recent_answers"),
}


@pytest.mark.parametrize("in_thread", [True, False], ids=["in a thread", "not in a thread"])
@pytest.mark.parametrize("way", WAYS)
def test_every_command_comes_to_a_visible_end(make_world: Make, way: str, in_thread: bool) -> None:
    silent = []
    for body in EVERY:
        world = make_world(script=lambda _prompt, _before: "")
        thread = world.finding(suggestion="def load(path, cache=None):") if in_thread else None
        WAYS[way](world)
        ref = world.comment(body, thread=thread)
        world.says(body, ref=ref)
        answered = [one for one in world.talk.answers if one.ref is not None and one.ref.id == ref.id]
        reacted = {*world.talk.reactions_to(ref)} - {Reaction.SEEN}
        if not (answered or reacted):
            silent.append(body)
        assert len(answered) <= 1, body
    assert silent == []


@pytest.mark.parametrize("body", EVERY)
def test_the_reaction_comes_before_anything_else_is_asked(world: Any, body: str) -> None:
    world.talk.earlier_answers = LOOP_ANSWERS_TO_WRITERS
    ref = world.comment(body)
    world.says(body, ref=ref)
    assert world.talk.order[0] == "react"
    assert world.talk.reactions_to(ref)[0] is Reaction.SEEN
    assert world.opens == 0


def test_a_loop_is_broken_with_one_reaction_and_no_word(world: Any) -> None:
    world.talk.earlier_answers = LOOP_ANSWERS - 1
    assert world.says("/spark help", by="stranger").what == "answered"
    ref = world.comment("/spark help", by="stranger")
    outcome = world.says("/spark help", by="stranger", ref=ref)
    assert (outcome.what, len(world.talk.answers)) == ("refused", 1)
    assert "loop" in outcome.why
    assert world.talk.reactions_to(ref) == [Reaction.SEEN, Reaction.NO]


@pytest.mark.parametrize("body", ["/spark help", "/spark pause", "/spark fxi"])
@pytest.mark.parametrize(
    ("by", "answers", "is_heard"),
    [
        ("ada", LOOP_ANSWERS, True),
        ("ada", LOOP_ANSWERS_TO_WRITERS, False),
        ("stranger", LOOP_ANSWERS, False),
    ],
)
def test_strangers_cannot_use_up_the_answers_of_those_who_may_write(
    world: Any, body: str, by: str, answers: int, is_heard: bool
) -> None:
    world.talk.earlier_answers = answers
    world.says(body, by=by)
    assert len(world.talk.answers) == is_heard


@pytest.mark.parametrize("body", EVERY)
def test_a_job_that_runs_again_says_nothing_twice(make_world: Make, body: str) -> None:
    world = make_world(script=lambda _prompt, _before: "nonsense")
    thread = world.finding()
    ref = world.comment(body, thread=thread)
    first = world.says(body, ref=ref)
    told = [one.body for one in world.talk.answers]
    again = world.says(body, ref=ref)
    assert [one.body for one in world.talk.answers] == told
    assert again.url == first.url


def test_an_error_is_answered_with_its_words_and_what_to_do(world: Any) -> None:
    world.talk.down.add("recall")
    ref = world.comment("/spark pause")
    outcome = world.says("/spark pause", ref=ref)
    assert outcome.what == "failed"
    assert world.last == "@ada That did not work: GitHub does not answer. Try again in a while."
    assert world.talk.reactions_to(ref) == [Reaction.SEEN, Reaction.NO]


def test_only_where_github_takes_neither_answer_nor_reaction_the_error_is_the_callers(world: Any) -> None:
    world.talk.refuses.update({"answer", "react"})
    with pytest.raises(NotPermittedError, match="does not let me answer"):
        world.says("/spark help")


def test_a_bug_of_ours_is_seen_and_passed_on(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(_call: object) -> Outcome:
        raise RuntimeError("a bug")

    monkeypatch.setattr("bot.commands.serve.HANDLERS", {Verb.HELP: bug})
    ref = world.comment("/spark help")
    with pytest.raises(RuntimeError):
        world.says("/spark help", ref=ref)
    assert world.talk.reactions_to(ref) == [Reaction.SEEN, Reaction.NO]


@pytest.mark.parametrize("error", [RuntimeError("stopped"), OutsideError("stopped")])
def test_a_process_that_stops_tells_nothing_for_the_job_runs_again(
    world: Any, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def stopped(_call: object) -> Outcome:
        world.stop.cancel()
        raise error

    monkeypatch.setattr("bot.commands.serve.HANDLERS", {Verb.HELP: stopped})
    ref = world.comment("/spark help")
    with pytest.raises(type(error)):
        world.says("/spark help", ref=ref)
    assert world.talk.answers == []
    assert world.talk.reactions_to(ref) == [Reaction.SEEN]


def test_a_near_miss_is_answered_once_with_the_right_word(world: Any) -> None:
    ref = world.comment("/spark fxi", by="stranger")
    for _ in range(2):
        world.says("/spark fxi", by="stranger", ref=ref)
    assert [one.text for one in world.talk.answers] == [
        "@stranger I do not know the command `fxi`. Did you mean `/spark fix`? `/spark help` lists what I can do."
    ]


def test_what_a_command_does_not_need_is_not_read(world: Any) -> None:
    for body in ("/spark help", "/spark config"):
        world.says(body)
    assert (world.talk.recalled, world.opens) == (0, 0)
    world.says("/spark review")
    assert world.opens == 0


def test_nobody_but_the_asker_is_mentioned_and_a_strange_login_is_not(world: Any) -> None:
    thread = world.finding()
    world.says("/spark ignore ask @linus and @ada/team, see https://evil.test #1", thread=thread)
    outside = world.last.replace("`@linus`", "").replace("`@ada/team`", "")
    assert "@" not in outside
    assert "`https://evil.test`" in outside
    world.says("/spark help", by="a @linus b")
    assert world.last.startswith("These are the commands.")


def test_a_secret_in_a_reason_is_masked_wherever_it_would_stand(world: Any) -> None:
    thread = world.finding()
    secret = "gh" + "p_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4"
    world.says(f"/spark ignore the token {secret} is for tests", thread=thread)
    world.says("/spark ignore", thread=thread)
    assert all(secret not in one.body for one in world.talk.answers)
    assert secret not in repr(world.memory.kept)
    assert secret not in repr(world.talk.recall().findings[0].dismissal)


# -- replies


def test_a_reply_in_a_persons_thread_is_nobodys_business(world: Any) -> None:
    thread = world.thread("I would name this differently", by="linus")
    outcome = world.says("Why?", thread=thread)
    assert outcome.what == "nothing"
    assert (world.talk.answers, world.talk.reactions) == ([], [])
    assert "answered" not in world.talk.order


def test_a_strangers_reply_costs_nothing_and_is_not_answered(world: Any) -> None:
    thread = world.finding()
    world.talk.down.add("recall")
    outcome = world.says("Why is this wrong?", by="stranger", thread=thread)
    assert outcome.what == "nothing"
    assert (world.talk.answers, world.talk.reactions, world.talk.order) == ([], [], [])


def test_a_reply_that_cannot_be_read_gets_a_reaction(make_world: Make) -> None:
    world = make_world()
    thread = world.finding()
    world.config = "review: [\n"
    ref = world.comment("Why is this wrong?", thread=thread)
    outcome = world.says("Why is this wrong?", thread=thread, ref=ref)
    assert outcome.what == "failed"
    assert world.talk.reactions_to(ref) == [Reaction.NO]


def test_every_command_has_a_handler_and_a_line_of_the_registry() -> None:
    assert {*HANDLERS} == {*COMMANDS} == {*Verb}
    assert {*BODIES} == {*Verb}


def test_roles_are_asked_once_and_not_for_help(world: Any) -> None:
    world.people.roles["ada"] = Role.ADMIN
    world.says("/spark help")
    assert world.people.asked == []
    world.says("/spark pause")
    assert world.people.asked == ["ada"]
