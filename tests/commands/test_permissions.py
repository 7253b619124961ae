"""Who may give which command, as one table to read. Every cell is served as a real comment of such a person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bot.commands.model import CommentKind, CommentRef, Outcome, Reaction
from bot.commands.permit import permitted
from bot.commands.registry import Need
from bot.hooks.decide import Rules, decide
from bot.hooks.events import CommentMade, InstallationId, Place, Sender
from bot.hooks.orders import AnswerComment, Nothing
from bot.review.config import CommandKeys, Role
from bot.review.memory import CommentId
from bot.review.model import RepoName

PEOPLE = (
    "admin",
    "maintain",
    "write",
    "triage",
    "read",
    "none",
    "author",
    "fork's author",
    "unknown",
    "unknown author",
)
"""`author` and `fork's author` are nobody's in the repository; of an `unknown` GitHub does not tell the role."""

TABLE = """
commands.allow is not set: admin, maintain, write
                  admin  maintain  write  triage  read  none  author  fork's  unknown  unknown-author
help              yes    yes       yes    yes     yes   yes   yes     yes     yes      yes
review            yes    yes       yes    no      no    no    yes     yes     no       yes
fix               yes    yes       yes    no      no    no    yes     yes     no       yes
fix do it         yes    yes       yes    no      no    no    yes     yes     no       yes
fix --commit      yes    yes       yes    no      no    no    no      no      no       no
fix all           yes    yes       yes    no      no    no    no      no      no       no
undo              yes    yes       yes    no      no    no    no      no      no       no
explain           yes    yes       yes    no      no    no    yes     yes     no       yes
ask why?          yes    yes       yes    no      no    no    yes     yes     no       yes
ignore            yes    yes       yes    no      no    no    no      no      no       no
resolve           yes    yes       yes    no      no    no    yes     yes     no       yes
pause             yes    yes       yes    no      no    no    no      no      no       no
resume            yes    yes       yes    no      no    no    no      no      no       no
config            yes    yes       yes    no      no    no    yes     yes     no       yes

commands.allow: admin
                  admin  maintain  write  triage  read  none  author  fork's  unknown  unknown-author
help              yes    yes       yes    yes     yes   yes   yes     yes     yes      yes
review            yes    no        no     no      no    no    yes     yes     no       yes
fix               yes    no        no     no      no    no    yes     yes     no       yes
fix do it         yes    no        no     no      no    no    yes     yes     no       yes
fix --commit      yes    no        no     no      no    no    no      no      no       no
fix all           yes    no        no     no      no    no    no      no      no       no
undo              yes    no        no     no      no    no    no      no      no       no
explain           yes    no        no     no      no    no    yes     yes     no       yes
ask why?          yes    no        no     no      no    no    yes     yes     no       yes
ignore            yes    no        no     no      no    no    no      no      no       no
resolve           yes    no        no     no      no    no    yes     yes     no       yes
pause             yes    no        no     no      no    no    no      no      no       no
resume            yes    no        no     no      no    no    no      no      no       no
config            yes    no        no     no      no    no    yes     yes     no       yes

commands.allow: admin, maintain, write, triage, read, author
                  admin  maintain  write  triage  read  none  author  fork's  unknown  unknown-author
help              yes    yes       yes    yes     yes   yes   yes     yes     yes      yes
review            yes    yes       yes    yes     yes   no    yes     yes     no       yes
fix               yes    yes       yes    yes     yes   no    yes     yes     no       yes
fix do it         yes    yes       yes    yes     yes   no    yes     yes     no       yes
fix --commit      yes    yes       yes    no      no    no    no      no      no       no
fix all           yes    yes       yes    no      no    no    no      no      no       no
undo              yes    yes       yes    no      no    no    no      no      no       no
explain           yes    yes       yes    yes     yes   no    yes     yes     no       yes
ask why?          yes    yes       yes    yes     yes   no    yes     yes     no       yes
ignore            yes    yes       yes    no      no    no    no      no      no       no
resolve           yes    yes       yes    yes     yes   no    yes     yes     no       yes
pause             yes    yes       yes    no      no    no    no      no      no       no
resume            yes    yes       yes    no      no    no    no      no      no       no
config            yes    yes       yes    yes     yes   no    yes     yes     no       yes
"""


def cells() -> list[tuple[str, str, str, bool]]:
    """(allow, command, person, whether they may)."""
    out = []
    for block in TABLE.strip().split("\n\n"):
        head, _, *rows = block.split("\n")
        allow = head.partition(": ")[2] if head.startswith("commands.allow:") else ""
        for row in rows:
            command, told = row[:18].strip(), row[18:].split()
            assert len(told) == len(PEOPLE)
            out += [(allow, command, person, word == "yes") for person, word in zip(PEOPLE, told, strict=True)]
    return out


def person(world: Any, who: str) -> str:
    """The login of such a person, whom the world then knows."""
    world.people.down = who.startswith("unknown")
    if who in {"author", "fork's author", "unknown author"}:
        world.people.roles.pop("grace", None)
        return "grace"
    if who not in {"none", "unknown"}:
        world.people.roles["somebody"] = Role(who)
    return "somebody"


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each command that was not refused; what it then does is for other tests."""
    done: list[str] = []

    def handler(call: Any) -> Outcome:
        done.append(call.command.verb)
        return Outcome(what="answered", why="", url=call.answer("Done."))

    class Everything:
        def __getitem__(self, verb: object) -> Callable[[Any], Outcome]:
            return handler

    monkeypatch.setattr("bot.commands.serve.HANDLERS", Everything())
    return done


def test_every_command_for_every_kind_of_person(make_world: Callable[..., Any], reached: list[str]) -> None:
    wrong = []
    for allow, command, who, may in cells():
        config = f"commands:\n  allow: [{allow}]\n" if allow else ""
        world = make_world(config=config, fork=who == "fork's author")
        reached.clear()
        by = person(world, who)
        ref = world.comment(f"/spark {command}", by=by)
        outcome = world.says(f"/spark {command}", by=by, ref=ref)
        if (reached == [command.split()[0]]) is not may:
            wrong.append(f"{command} by {who}, allow [{allow}]: {outcome.why}")
        # Who is refused reads why, and the comment shows it.
        assert len(world.talk.answers) == 1
        assert (Reaction.NO in world.talk.reactions_to(ref)) is not may
        assert ("because" in world.last) is not may
    assert wrong == []


def test_a_bot_never_gets_as_far_as_a_command() -> None:
    ref = CommentRef(kind=CommentKind.CONVERSATION, id=CommentId(1), node_id="IC_1")
    made = CommentMade(
        place=Place(repo=RepoName("ada/engine"), repo_id=1, installation=InstallationId(1)),
        sender=Sender(login="renovate[bot]", is_bot=True),
        number=7,
        comment=ref,
        body="/spark fix all",
    )
    rules = Rules(app_id=1, app_slug="spark", allowed_repos=())
    assert isinstance(decide(made, rules, reviews_drafts=lambda _repo: False), Nothing)
    ours = replace(made, sender=Sender(login="spark[bot]", is_bot=True))
    assert isinstance(decide(ours, rules, reviews_drafts=lambda _repo: False), Nothing)
    person = replace(made, sender=Sender(login="ada", is_bot=False))
    assert isinstance(decide(person, rules, reviews_drafts=lambda _repo: False), AnswerComment)


def test_the_refusal_names_the_role_and_the_rule() -> None:
    allow = CommandKeys().allow
    assert permitted(Need.WRITE, Role.READ, is_author=True, allow=allow) == (
        "it takes the right to write to this repository, and your role here is `read`"
    )
    assert permitted(Need.ASK, None, is_author=False, allow=allow) == (
        "`commands.allow` of `.github/spark.yml` names `admin`, `maintain`, `write`, and you have no role in this repository"
    )
    assert permitted(Need.WRITE, Role.WRITE, is_author=False, allow=(Role.ADMIN,)) == (
        "`commands.allow` of `.github/spark.yml` names `admin`, and your role here is `write`"
    )
    assert permitted(Need.ASK, Role.ADMIN, is_author=False, allow=()).startswith(
        "`commands.allow` of `.github/spark.yml` names nobody"
    )
    assert permitted(Need.ASK, Role.ADMIN, is_author=False, allow=allow, role_known=False) == (
        "GitHub did not tell me what you may do in this repository"
    )


def test_a_refusal_is_answered_in_these_words(make_world: Callable[..., Any]) -> None:
    world = make_world(roles={"linus": Role.READ})
    world.says("/spark pause", by="linus")
    assert world.last == (
        "@linus I did not do this: `/spark pause` is not for you here, because it takes the right to write to this "
        "repository, and your role here is `read`."
    )


def test_where_the_file_does_not_say_who_may_the_refusal_does_not_say_that_it_does(
    make_world: Callable[..., Any],
) -> None:
    world = make_world(roles={"linus": Role.READ}, config="review:\n  effort: deep\n")
    world.says("/spark review", by="linus")
    assert "by default it is for `admin`, `maintain`, `write` and the author of the pull request" in world.last
    assert "commands.allow" not in world.last
    world = make_world(roles={"linus": Role.READ}, config="commands:\n  allow: [admin]\n")
    world.says("/spark review", by="linus")
    assert "`commands.allow` of `.github/spark.yml` names `admin`, and your role here is `read`" in world.last


@pytest.mark.parametrize("typed", ["/spark fix all", "/spark fix --commit"])
def test_who_may_not_commit_is_told_of_suggestions_where_they_may_have_them(
    make_world: Callable[..., Any], typed: str
) -> None:
    world = make_world(roles={"linus": Role.READ})
    world.says(typed, by="grace")
    assert world.last.startswith(f"@grace I did not do this: `{typed}` is not for you here, because it takes the right")
    assert world.last.endswith("`/spark fix` in a thread gives you a suggestion.")
    world.says(typed, by="linus")
    assert f"`{typed}` is not for you here" in world.last
    assert "suggestion" not in world.last


def test_an_author_who_may_write_counts_as_author_where_allow_names_authors_alone() -> None:
    assert not permitted(Need.WRITE, Role.WRITE, is_author=True, allow=(Role.AUTHOR,))
    assert permitted(Need.WRITE, Role.WRITE, is_author=False, allow=(Role.AUTHOR,))
    assert permitted(Need.WRITE, Role.READ, is_author=True, allow=(Role.AUTHOR,))


def test_a_login_in_another_case_is_the_same_author(make_world: Callable[..., Any], reached: list[str]) -> None:
    world = make_world(roles={})
    world.says("/spark ask why?", by="Grace")
    assert reached == ["ask"]


def test_a_broken_configuration_refuses_everybody_but_tells_why(make_world: Callable[..., Any]) -> None:
    world = make_world(config="commands:\n  alow: [read]\n", roles={"ada": Role.ADMIN})
    for body in ("/spark review", "/spark pause", "/spark fix all"):
        assert world.says(body).what == "refused"
        assert ".github/spark.yml:2: commands.alow: unknown key, did you mean allow?" in world.last
    assert world.reviews.started == world.reviews.stopped == []
    assert world.says("/spark config").what == "answered"
    assert "did you mean allow?" in world.last
    assert world.says("/spark help").what == "answered"
