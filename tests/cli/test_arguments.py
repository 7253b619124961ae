"""The command line of `spark review` as a table: what it asks for, and what is said when it cannot be meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.cli import VERBS, configure
from bot.cli.arguments import Parser, review_request
from bot.errors import UserError
from bot.request import DiffAsk, PullAsk, RangeAsk, ReviewRequest, StagedAsk
from bot.review.model import Effort, Severity
from bot.settings import VARIABLES


def parser(verb="review"):
    made = Parser(prog=f"spark {verb}", description="")
    configure(verb, made)
    return made


def parse(*arguments):
    return review_request(parser().parse_args(list(arguments)))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ReviewRequest()),
        (["main..HEAD"], ReviewRequest(ask=RangeAsk(range="main..HEAD"))),
        (["--staged"], ReviewRequest(ask=StagedAsk())),
        (["--diff", "-"], ReviewRequest(ask=DiffAsk(name="-"))),
        (["--diff=x.diff"], ReviewRequest(ask=DiffAsk(name="x.diff"))),
        (["--pr", "o/r#7"], ReviewRequest(ask=PullAsk(name="o/r#7"))),
        (["--post", "--pr", "o/r#7"], ReviewRequest(ask=PullAsk(name="o/r#7", post=True))),
        (["--effort", "deep", "HEAD~1"], ReviewRequest(ask=RangeAsk(range="HEAD~1"), effort=Effort.DEEP)),
        (["HEAD~1", "--effort", "instant"], ReviewRequest(ask=RangeAsk(range="HEAD~1"), effort=Effort.INSTANT)),
        (["--fail-on", "high"], ReviewRequest(fail_on=Severity.HIGH)),
        (["--fail-on", "never"], ReviewRequest(never_fail=True)),
        (["--sarif", "a", "--sarif", "b"], ReviewRequest(sarif=(Path("a"), Path("b")))),
        (["--model", "m", "--base-url", "ollama"], ReviewRequest(model="m", base_url="ollama")),
        (["--no-model"], ReviewRequest(no_model=True)),
        (["--max-usd", "0.5"], ReviewRequest(max_usd=0.5)),
        (["--max-usd", "$2"], ReviewRequest(max_usd=2.0)),
        (["--max-usd", "0"], ReviewRequest(max_usd=0.0)),
        (["--deadline", "30"], ReviewRequest(deadline=30.0)),
        (["--config", "my.yml"], ReviewRequest(config=Path("my.yml"))),
    ],
)
def test_what_the_arguments_ask_for(arguments, expected):
    assert parse(*arguments) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["main", "--staged"], "RANGE and --staged each say what to review. Give one of them."),
        (["--staged", "--diff", "-"], "--staged and --diff each say what to review"),
        (["--pr", "o/r#1", "main", "--diff", "x"], "RANGE and --diff and --pr each say"),
        (["--post"], "--post needs a pull request to post to. Add --pr OWNER/REPO#N."),
        (["--post", "main"], "--post needs a pull request"),
        (["--no-model", "--model", "x"], "--no-model and --model contradict each other"),
        (["--no-model", "--base-url", "x"], "--no-model and --base-url contradict"),
        (["--no-model", "--max-usd", "1"], "--no-model and --max-usd contradict"),
        (["--effort", "huge"], "argument --effort: invalid choice: 'huge'"),
        (["--fail-on", "bad"], "argument --fail-on: invalid choice: 'bad'"),
        (["--format", "pdf"], "argument --format: invalid choice: 'pdf'"),
        (["--max-usd", "-1"], "'-1' is no amount of US dollars"),
        (["--max-usd", "nan"], "'nan' is no amount of US dollars"),
        (["--deadline", "0"], "'0' is no number of seconds above 0"),
        (["--deadline", "inf"], "'inf' is no number of seconds"),
        (["--diff", ""], "--diff is empty"),
        (["--model", " "], "--model is empty"),
        (["a..b", "c"], "unrecognized arguments: c"),
        (["--stage"], "unrecognized arguments: --stage"),
        (["--sarif"], "argument --sarif: expected one argument"),
    ],
)
def test_what_cannot_be_meant_is_one_line_with_a_way_out(arguments, message):
    with pytest.raises(UserError) as caught:
        parse(*arguments)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.remedy
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(("option", "choices"), [("--effort", [*Effort]), ("--fail-on", [*Severity, "never"])])
def test_a_wrong_choice_names_the_choices_as_one_types_them(option, choices):
    with pytest.raises(UserError) as caught:
        parse(option, "huge")
    listed = str(caught.value).partition("choose from ")[2].partition(")")[0]
    assert listed.replace("'", "") == ", ".join(choices)


def test_the_help_of_review_names_every_setting_and_exit_code():
    text = parser().format_help()
    for name in VARIABLES:
        assert name in text
    for code in ("0 passed", "1 the gate failed", "2 your mistake", "130 interrupted"):
        assert code in text


@pytest.mark.parametrize("verb", list(VERBS))
def test_every_verb_of_the_registry_has_arguments_and_can_be_run(verb):
    import importlib

    assert parser(verb).format_help().startswith(f"usage: spark {verb}")
    assert callable(importlib.import_module(VERBS[verb].module).run)


def test_config_check_takes_one_file():
    options = parser("config").parse_args(["check", "x.yml"])
    assert (options.action, options.file) == ("check", "x.yml")
    for wrong in ([], ["chek", "x.yml"], ["check"], ["check", "a", "b"]):
        with pytest.raises(UserError):
            parser("config").parse_args(wrong)
