"""The repo config: strict, with every mistake at once, and harmless whatever the text."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema_rs
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import ConfigError
from bot.review.config import FailOn, RepoConfig, Trigger, config_schema, read_config
from bot.review.model import Category, Effort, Severity

SCHEMA = Path(__file__).parents[2] / "docs" / "spark.schema.json"
NAME = ".github/spark.yml"

FULL = """\
review:
  on: [opened, synchronize, label]
  label: review me
  drafts: true
  branches: [main, "release/*"]
  authors: ["!dependabot[bot]"]
  max_comments: 10
  min_severity: medium
  effort: deep
  post: waves
  language: no
  instructions: |
    We use our own money type.
paths:
  include: ["src/**"]
  ignore: ["*.snap", "!keep.snap"]
  instructions:
    "src/api/**": Every handler checks permissions.
guidelines: [AGENTS.md]
gate:
  fail_on: high
  min_votes: 2
  require_coverage: true
commands:
  allow: [admin, author]
analyzers:
  ruff: false
budget:
  max_usd: 0.5
  max_tokens: 100000
  seconds: 60
dismiss:
  - rule: S311
    paths: ["tests/**"]
    reason: No secret is made there.
  - {category: style, title: line length, severity: medium}
"""


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read_config(text, name=NAME)
    return str(caught.value).split("\n")


def test_an_empty_file_and_a_file_of_comments_are_the_defaults():
    assert read_config("", name=NAME) == RepoConfig() == read_config("# nothing yet\n", name=NAME)


def test_the_defaults_are_what_the_documentation_says():
    config = RepoConfig()
    assert config.review.max_comments == 30
    assert config.review.min_severity is Severity.LOW
    assert config.review.effort is Effort.STANDARD
    assert config.review.post == "one-review"
    assert not config.review.drafts
    assert config.gate.fail_on is FailOn.NEVER
    assert config.gate.fail_on.severity is None


def test_every_key_is_read():
    config = read_config(FULL, name=NAME)
    assert config.review.on == (Trigger.OPENED, Trigger.SYNCHRONIZE, Trigger.LABEL)
    assert config.review.language == "no", "a word of YAML 1.1 that is no boolean here"
    assert config.review.instructions == "We use our own money type.\n"
    assert config.paths.instructions == {"src/api/**": "Every handler checks permissions."}
    assert config.gate.fail_on.severity is Severity.HIGH
    assert config.budget.max_usd == 0.5
    assert not config.analyzers.ruff
    first, second = config.dismiss
    assert (first.rule, first.paths, first.reason) == ("S311", ("tests/**",), "No secret is made there.")
    assert first.severity is Severity.HIGH, "a lasting rule hides nothing critical unless it says so"
    assert (second.category, second.title, second.severity) == (Category.STYLE, "line length", Severity.MEDIUM)


def test_a_section_with_nothing_behind_it_means_its_defaults():
    assert read_config("review:\npaths:\n", name=NAME) == RepoConfig()


def test_a_config_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        RepoConfig().review.drafts = True


def test_all_mistakes_are_named_at_once_in_the_order_of_the_file():
    found = problems(
        "review:\n"
        "  max_coments: 4\n"
        "  max_comments: many\n"
        "  on: [opened, syncronize]\n"
        "  drafts: yes\n"
        "fail_on: high\n"
        "gate:\n"
        "  fail_on: hihg\n"
        "paths:\n"
        '  ignore: "*.py"\n'
        "bogus: 1\n"
    )
    assert found == [
        f"{NAME}:2: review.max_coments: unknown key, did you mean max_comments?",
        f"{NAME}:3: review.max_comments: must be a whole number, not 'many'",
        f"{NAME}:4: review.on.1: 'syncronize' is not one of opened, synchronize, ready_for_review, label, command,"
        " did you mean synchronize?",
        f"{NAME}:5: review.drafts: must be true or false, not 'yes'",
        f"{NAME}:6: fail_on: unknown key here, did you mean gate.fail_on?",
        f"{NAME}:8: gate.fail_on: 'hihg' is not one of critical, high, medium, low, never, did you mean high?",
        f"{NAME}:10: paths.ignore: must be a list, not '*.py'",
        f"{NAME}:11: bogus: unknown key; known are review, paths, guidelines, gate, commands, analyzers, budget, dismiss",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("review:\n  effort: deep\n  effort: instant\n", ":3: the key 'effort' stands twice, first on line 2"),
        ("review: !!python/object:os.system {}\n", ":1: the tag"),
        ("- a\n- b\n", ":1: the file must be a mapping of keys"),
        ("just words\n", ":1: the file must be a mapping of keys"),
        ("review: {}\n---\nreview: {}\n", ":2: a second document"),
        ("review:\n  effort: [deep\n", ":3: "),
        ("review:\n\teffort: deep\n", ":2: found character '\\t' that cannot start any token"),
        ("base: &b {a: 1}\nreview:\n  <<: *b\n", ":3: merge keys"),
        ("? [a, b]\n: 1\n", ":1: a key must be a word"),
        ("review:\n  label: a\x07b\n", ":2: a control character"),
        ("review: *nowhere\n", ":1: found undefined alias"),
        ("[" * 5_000, ":1: nested deeper than 12 levels"),
        ("a: &a [*a]\n", ":1: nested deeper"),
        ("# " + "x" * 70_000, ":1: the file has 70,002 characters; at most 65,536 are read"),
        ("paths:\n  ignore: ['!']\n", ":2: paths.ignore.0: '!' is not a glob"),
        ("gate:\n  min_votes: 99\n", ":2: gate.min_votes: input should be less than or equal to 10"),
        ("guidelines: [1]\n", ":1: guidelines.0: must be text, not 1"),
        ("commands: [admin]\n", ":1: commands: must be a mapping of keys, not a list"),
        (
            "dismiss:\n  - rule: S311\n  - paths: [docs]\n    reason: no\n",
            ":3: dismiss.1: needs one of rule, category or title; to leave files out, use paths.ignore",
        ),
        ("dismiss:\n  - rul: S311\n", ":2: dismiss.0.rul: unknown key, did you mean rule?"),
        (
            "dismiss:\n  - rule: S311\n    frob: 1\n",
            ":3: dismiss.0.frob: unknown key; known are rule, category, title,",
        ),
        ("dismiss:\n  - category: styl\n", ":2: dismiss.0.category: 'styl' is not one of bug, security,"),
        ("dismiss:\n  - title: '...'\n", ":2: dismiss.0.title: '...' has no word in it"),
        ("dismiss:\n  - rule: 311\n", ":2: dismiss.0.rule: must be text, not 311"),
        ("dismiss:\n  - S311\n", ":2: dismiss.0: must be a mapping of keys, not 'S311'"),
        ("dismiss:\n  rule: S311\n", ":1: dismiss: must be a list, not a mapping"),
        ("dismiss:\n  - rule: S311\n    paths: ['!']\n", ":3: dismiss.0.paths.0: '!' is not a glob"),
    ],
)
def test_what_is_not_allowed_is_named_with_its_line(text, says):
    assert f"{NAME}{says}" in problems(text)[0]


def test_a_bomb_of_aliases_is_refused_quickly():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    assert "more than 5,000 values, aliases written out" in problems("\n".join(lines))[0]


@given(st.text(max_size=300))
def test_no_text_does_anything_but_give_a_config_or_say_what_is_wrong(text):
    said = ""
    try:
        config = read_config(text, name=NAME)
    except ConfigError as error:
        config, said = None, str(error)
    assert isinstance(config, RepoConfig) or all(line.startswith(f"{NAME}:") for line in said.split("\n"))


def test_the_schema_that_ships_is_made_from_the_models():
    assert json.loads(SCHEMA.read_text()) == config_schema(), (
        "write it again: python -c 'import json; from bot.review.config import config_schema;"
        " print(json.dumps(config_schema(), indent=2))' > docs/spark.schema.json"
    )


def test_the_schema_and_the_reader_agree():
    validator = jsonschema_rs.validator_for(json.loads(SCHEMA.read_text()))
    # The example has `no` as a language, which another YAML reader would take for a boolean.
    good = yaml.safe_load(FULL.replace("language: no", "language: Norwegian").replace("  on:", '  "on":'))
    assert validator.is_valid(good)
    for broken in (
        {"revew": {}},
        {"review": {"effort": "fast"}},
        {"gate": {"min_votes": -1}},
        {"paths": []},
        {"dismiss": [{"paths": ["a"]}]},
    ):
        assert not validator.is_valid(broken)
        with pytest.raises(ConfigError):
            read_config(yaml.safe_dump(broken), name=NAME)
