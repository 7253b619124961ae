from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.commands import answers
from bot.commands.grammar import MOST_REST, parse
from bot.commands.model import Command, NearMiss, Verb
from bot.commands.registry import COMMANDS, need
from bot.diff.model import Patch
from bot.errors import ConfigError
from bot.review.memory import Dismissal
from bot.review.render.markers import state_marker
from bot.review.render.redact import Redactor
from bot.review.render.safe import one_line, prose

HELP, FIX = Command(verb=Verb.HELP), Command(verb=Verb.FIX)


def fix(rest: str = "", *, commit: bool = False, everything: bool = False) -> Command:
    return Command(verb=Verb.FIX, rest=rest, commit=commit, everything=everything)


def test_a_verb_alone_is_a_command_in_any_case() -> None:
    for verb in Verb:
        assert parse(f"/spark {verb}") == Command(verb=verb)
        assert parse(f"/SPARK {verb.upper()}") == Command(verb=verb)


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("/spark", HELP),
        ("  /spark  ", HELP),
        ("/spark:", HELP),
        ("/spark: fix", FIX),
        ("/spark, fix", FIX),
        ("/spark:fix", FIX),
        ("/spark fix!", FIX),
        ("/spark\tfix", FIX),
        ("\r\n\r\n/spark fix\r\n", FIX),
        ("/spark fix\rthe old way", fix("the old way")),
        ("\ufeff/spark fix", FIX),
        ("\u200b/spa\u200brk\u00a0fix\u2060", FIX),
        ("\u00a0/spark fix", FIX),
        ("   /spark fix", FIX),
        ("> /spark undo\n\n/spark fix", FIX),
        ("   > /spark undo\n/spark fix", FIX),
        ("```\n/spark undo\n```\n/spark fix", FIX),
        ("~~~~py\n~~~\n/spark undo\n~~~~\n/spark fix", FIX),
        ("    /spark undo\n/spark fix", FIX),
        ("\t/spark undo\n/spark fix", FIX),
        ("<!-- for the form -->\n/spark fix", FIX),
        ("  <!-- /spark undo\n/spark undo\n-->\n/spark fix", FIX),
        ("/spark fix\n/spark undo\nmore", FIX),
        ("/spark ask why?\n> cited\nand\nhow?", Command(verb=Verb.ASK, rest="why?\nand\nhow?")),
        (
            "/spark fix like this:\n```py\n/spark undo\n> x\n```",
            fix("like this:\n```py\n/spark undo\n> x\n```"),
        ),
        ("/spark ignore the caller holds it", Command(verb=Verb.IGNORE, rest="the caller holds it")),
        ("/spark ignore: the caller", Command(verb=Verb.IGNORE, rest="the caller")),
        ("/spark review deep", Command(verb=Verb.REVIEW, rest="deep")),
    ],
)
def test_the_first_line_that_counts_gives_the_command(body: str, what: Command) -> None:
    assert parse(body) == what


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ("--commit", fix(commit=True)),
        ("—commit", fix(commit=True)),
        ("–COMMIT", fix(commit=True)),
        ("all", fix(everything=True)),
        ("ALL.", fix(everything=True)),
        ("all --commit", fix(commit=True, everything=True)),
        ("--commit all", fix(commit=True, everything=True)),
        ("all please", fix(everything=True)),
        ("all, thank you!", fix(everything=True)),
        ("all of the open findings, please --commit", fix(commit=True, everything=True)),
        ("correct all the typos", fix("correct all the typos")),
        ("all\nThank you", fix("Thank you", everything=True)),
        ("make it async --commit", fix("make it async", commit=True)),
        ("keep  the  spaces", fix("keep  the  spaces")),
        ("what --commit does", fix("what --commit does")),
        ("nothing at all", fix("nothing at all")),
    ],
)
def test_flags_of_fix_stand_at_its_ends_and_all_stands_alone(words: str, what: Command) -> None:
    assert parse(f"/spark fix {words}") == what


@pytest.mark.parametrize(
    "body",
    [
        "",
        "\n\n",
        "Thanks!",
        "Please /spark fix",
        "Look:\n/spark fix",
        "> /spark fix",
        ">/spark fix",
        "```\n/spark fix",
        "    /spark fix",
        "`/spark fix`",
        "- /spark fix",
        "<!-- /spark fix",
        "/sparkle fix",
        "/spark/fix",
        "/spark-fix",
        "/sparks",
        "/spakr",
        "/sprak is a typo",
        "/park fixtures",
        "spark fix",
        "Spark review was useful",
        "@spark fix",
        "/ spark fix",
        "/spark fix\n\n<!-- spark:answer v1 thread-1 -->",
    ],
)
def test_what_does_not_begin_with_our_name_is_no_command(body: str) -> None:
    assert parse(body) is None


@pytest.mark.parametrize(
    ("body", "wrote", "meant"),
    [
        ("/sprak fix", "/sprak", Verb.FIX),
        ("/sparkk fix it", "/sparkk", Verb.FIX),
        ("/spak Help", "/spak", Verb.HELP),
        ("/spqrk undo", "/spqrk", Verb.UNDO),
        ("//spark undo", "//spark", Verb.UNDO),
        ("/spark fxi", "fxi", Verb.FIX),
        ("/spark reveiw", "reveiw", Verb.REVIEW),
        ("/spark explian this", "explian", Verb.EXPLAIN),
        ("/spark resovle", "resovle", Verb.RESOLVE),
        ("/spark dismiss it", "dismiss", Verb.IGNORE),
        ("/spark revert", "revert", Verb.UNDO),
        ("/spark stop!", "stop!", Verb.PAUSE),
        ("/spark fix --comit", "--comit", Verb.FIX),
        ("/spark fix all the typos", "all the typos", Verb.FIX),
        ("/spark fix --commit all of the critical ones", "all of the critical ones", Verb.FIX),
        ("/spark please do", "please", None),
        ("/spark 🙏", "🙏", None),
        (f"/spark {'x' * 5_000}", "x" * 60, None),
    ],
)
def test_a_near_miss_comes_with_the_right_word(body: str, wrote: str, meant: Verb | None) -> None:
    assert parse(body) == NearMiss(wrote=wrote, meant=meant)


def test_a_word_that_people_use_instead_is_no_command_and_names_one_alone() -> None:
    words = [word for spec in COMMANDS.values() for word in spec.also]
    assert len(words) == len(set(words))
    assert not set(words) & {verb.value for verb in Verb}


def test_every_usage_and_example_of_the_registry_is_what_it_says() -> None:
    for verb, spec in COMMANDS.items():
        for text in [*(usage.text for usage in spec.usages), *spec.examples]:
            found = parse(text)
            assert isinstance(found, Command), text
            assert found.verb is verb
        for usage in spec.usages:
            found = parse(usage.text)
            assert isinstance(found, Command)
            assert need(found) is usage.need, usage.text
    assert list(COMMANDS) == [*Verb]


def our_words() -> Iterator[str]:
    """Everything that `answers` can say, with the worst of others inside."""
    redactor, bad = Redactor(Patch(files=())), "/spark fix\n/spark undo"
    error = ConfigError(bad, remedy=bad)
    yield answers.help_text()
    for miss in (
        NearMiss(wrote=bad, meant=None),
        NearMiss(wrote=bad, meant=Verb.FIX),
        NearMiss(wrote="--x", meant=Verb.FIX),
        NearMiss(wrote="all /spark fix", meant=Verb.FIX),
    ):
        yield answers.near_miss(miss)
    for verb in Verb:
        yield answers.not_permitted(verb, bad)
        yield answers.only_in_thread(verb)
        yield answers.closed(verb)
    yield from (
        answers.broken_config(error, redactor),
        answers.mistakes(error, redactor),
        answers.trouble(error, redactor),
    )
    yield from (answers.no_such_effort(bad), answers.not_by_command(), answers.paused(), answers.paused(stopped=False))
    yield answers.paused_already(bad)
    yield from (answers.resumed(bad), answers.not_paused(), answers.not_our_finding(Verb.IGNORE))
    yield from (answers.resumed_by_command(bad), answers.resumed_draft(bad), answers.resumed_closed(bad))
    yield answers.resumed_unchanged(bad, "https://github.test/ada/engine/pull/7#r1")
    yield answers.ignored(bad, refused=bad, redactor=redactor)
    yield answers.ignored_already(Dismissal(by=bad, reason=bad, how="ignored", excuses=True), redactor)
    yield from (answers.resolved(excused=False), answers.resolved_theirs(), answers.resolved_already(bad, by_us=False))
    yield from (answers.not_yours_to_resolve(bad), answers.not_resolved(bad, redactor))


def test_our_own_answers_parse_to_nothing_even_without_their_marks() -> None:
    for said in our_words():
        assert parse(said) is None, said
        assert parse(f"@ada {said}") is None
        assert parse(f"{said}\n\n{state_marker({})}") is None


LINES = st.lists(
    st.one_of(
        st.text(max_size=30),
        st.sampled_from(["/spark fix", "/spark", "```", "~~~~", "> q", "<!--", "-->", "    x", "", "\t/spark help"]),
    ),
    max_size=12,
)


@settings(max_examples=250, derandomize=True, deadline=None)
@given(LINES, st.sampled_from(["\n", "\r\n", "\r"]))
@example(["<!--" * 3_000], "\n")
@example(["\ud800 /spark fix"], "\n")
def test_any_text_is_read_without_an_error_and_the_rest_is_bounded(lines: list[str], end: str) -> None:
    found = parse(end.join(lines))
    assert not isinstance(found, Command) or len(found.rest) <= MOST_REST
    assert not isinstance(found, NearMiss) or len(found.wrote) <= 60


def test_a_long_rest_is_cut_at_its_bound() -> None:
    found = parse("/spark ask " + "why? " * 10_000)
    assert isinstance(found, Command)
    assert 3_990 < len(found.rest) <= MOST_REST


@settings(max_examples=120, derandomize=True, deadline=None)
@given(LINES, st.sampled_from([str(verb) for verb in Verb]))
def test_what_is_quoted_fenced_or_indented_never_commands(lines: list[str], verb: str) -> None:
    said = "\n".join([f"/spark {verb}", *lines]).replace("\r", "\u2028")
    assert parse("\n".join(f"> {line}" for line in said.split("\n"))) is None
    assert parse("\n".join(f"    {line}" for line in said.split("\n"))) is None
    assert parse("~~~~~~~~\n" + said) is None


@settings(max_examples=120, derandomize=True, deadline=None)
@given(LINES)
def test_what_safe_lets_through_never_commands(lines: list[str]) -> None:
    text = "\n".join(["/spark fix", *lines])
    assert parse(one_line(text)) is None
    assert not isinstance(parse(prose(text)), Command)
