from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import json
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel
from yaml import safe_load

from bot import cli, errors
from bot.cli.arguments import Parser
from bot.github.check_json import Conclusion
from bot.live.events import LiveKind
from bot.review.config import RepoConfig, Role, Trigger, read_config
from bot.review.model import Category, Effort, FindingStatus, Severity, Verdict
from bot.review.ports import StreamEnd
from bot.review.scope import SkipReason
from bot.server import door, livestream, ops, pages, setup
from bot.server.access import Access
from bot.server.app import create_app
from bot.settings import KEY_VARIABLES, VARIABLES, Settings, read_settings

Read = Callable[[str], str]
Section = Callable[[str, str], str]

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


def rows(text: str) -> list[list[str]]:
    """The cells of every table row but headings and rules."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    rules = {index for index, row in enumerate(cells) if all(re.fullmatch(r":?-+:?", cell) for cell in row)}
    return [row for index, row in enumerate(cells) if index not in rules and index + 1 not in rules]


def coded(text: str) -> list[str]:
    """The code spans of a text outside of fenced blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL))


def fenced(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


# -- verbs, flags, exit codes --------------------------------------------------------------------------------------


def flags_of(verb: str) -> set[str]:
    parser = Parser(prog=f"spark {verb}", description="")
    cli.configure(verb, parser)
    return {name for action in parser._actions for name in action.option_strings if name.startswith("--")} - {"--help"}


def test_every_verb_and_no_other_is_a_heading_of_the_reference(read: Read, section: Section) -> None:
    headings = re.findall(r"^### `spark (\w+)", section(read("docs/reference.md"), "## Verbs and flags"), re.MULTILINE)
    assert sorted(headings) == sorted(cli.VERBS)


@pytest.mark.parametrize(
    ("verb", "heading"),
    [
        ("review", "### `spark review [RANGE]`"),
        ("serve", "### `spark serve`"),
        ("action", "### `spark action`"),
        ("bench", "### `spark bench`"),
        ("setup", "### `spark setup`"),
        ("demo", "### `spark demo`"),
    ],
)
def test_every_flag_of_a_verb_and_no_other_is_in_its_tables(
    read: Read, section: Section, verb: str, heading: str
) -> None:
    told = section(read("docs/reference.md"), heading)
    names = {word for row in rows(told) for word in re.findall(r"--[a-z-]+", row[0])}
    assert names == flags_of(verb)


def test_the_choices_of_a_flag_are_told_with_it(read: Read, section: Section) -> None:
    parser = Parser(prog="spark review", description="")
    cli.configure("review", parser)
    told = {row[0] for row in rows(section(read("docs/reference.md"), "### `spark review [RANGE]`"))}
    for action in parser._actions:
        if action.choices is not None and not isinstance(action, argparse._SubParsersAction):
            assert f"`{action.option_strings[0]} {'|'.join(map(str, action.choices))}`" in told


def test_the_exit_codes_are_those_of_the_errors(read: Read, section: Section) -> None:
    told = {row[0]: row[1] for row in rows(section(read("docs/reference.md"), "## Exit codes"))}
    assert set(told) == {"0", "1", "2", "3", "130"}
    assert errors.UserError.exit_code == 2
    assert told["2"].startswith("your mistake")
    assert errors.OutsideError.exit_code == errors.SparkError.exit_code == 3
    assert "outside" in told["3"]


# -- settings ------------------------------------------------------------------------------------------------------


def test_every_setting_and_no_other_has_a_row(read: Read, section: Section) -> None:
    told = [row[0].strip("`") for row in rows(section(read("docs/reference.md"), "## Settings"))]
    assert sorted(told) == sorted(VARIABLES)


def test_every_variable_that_may_hold_a_key_is_named(read: Read, section: Section) -> None:
    named = coded(section(read("docs/reference.md"), "## Settings"))
    assert set(KEY_VARIABLES) <= set(named)


def test_the_defaults_of_the_settings_are_the_real_ones(read: Read, section: Section) -> None:
    told = {row[0].strip("`"): row[2] for row in rows(section(read("docs/reference.md"), "## Settings"))}
    real = read_settings({})
    assert real == Settings()
    assert told["SPARK_BASE_URL"] == f"`{real.base_url}`"
    assert told["SPARK_MODEL"] == f"`{real.model}`"
    assert told["SPARK_API"] == f"`{real.api}`"
    assert told["SPARK_DEADLINE"] == f"{real.deadline:.0f}"
    assert told["SPARK_STREAMS"] == str(real.streams)
    assert told["GITHUB_API_URL"] == f"`{real.github_api_url}`"
    assert told["GITHUB_SERVER_URL"] == f"`{real.github_server_url}`"


# -- .github/spark.yml ---------------------------------------------------------------------------------------------


def keys_of(model: type[BaseModel], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, info in model.model_fields.items():
        inner = info.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from keys_of(inner, (*above, name))
        else:
            yield (*above, name)


def keys_in(data: object, known: set[tuple[str, ...]], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if above in known or not isinstance(data, dict):
        yield above
        return
    for name, value in data.items():
        yield from keys_in(value, known, (*above, str(name)))


def test_the_file_in_the_reference_has_every_key_with_its_default(read: Read, section: Section) -> None:
    text = fenced(section(read("docs/reference.md"), "## `.github/spark.yml`"), "yaml")[0]
    assert read_config(text, name="docs/reference.md") == RepoConfig()
    known = set(keys_of(RepoConfig))
    # "on" is a truth value to YAML 1.1; our own reader takes it as the text that it is.
    told = {tuple("on" if part == "True" else part for part in key) for key in keys_in(safe_load(text), known)}
    assert told == known


def test_every_yaml_example_is_a_valid_file(read: Read) -> None:
    found = [
        text
        for name in DOCUMENTS
        for text in fenced(read(name), "yaml")
        if re.search("^(gate|review|dismiss):", text, re.MULTILINE)
    ]
    assert len(found) >= 3
    for text in found:
        read_config(text, name="example")


def test_the_choices_of_the_file_are_told(read: Read, section: Section) -> None:
    text = fenced(section(read("docs/reference.md"), "## `.github/spark.yml`"), "yaml")[0]
    comments = " ".join(line.partition("#")[2] for line in text.splitlines())
    for choice in (*Trigger, *Role, *Severity, *Effort, "never", "one-review", "waves"):
        assert re.search(rf"\b{re.escape(choice)}\b", comments), choice


# -- words and formats ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("heading", "words"),
    [
        ("### Severity", [*Severity]),
        ("### Category", [*Category]),
        ("### Effort", [*Effort]),
        ("### Verdict", [*Verdict]),
        ("### What becomes of a finding", [*FindingStatus]),
        ("### Why a file was skipped", [*SkipReason]),
    ],
)
def test_the_words_of_a_review_are_all_there_and_no_others(
    read: Read, section: Section, heading: str, words: list[str]
) -> None:
    text = section(read("docs/reference.md"), heading)
    first = " ".join(row[0] for row in rows(text)) if rows(text) else text
    assert sorted(coded(first)) == sorted(str(word) for word in words)


def test_every_way_a_stream_can_end_is_told(read: Read, section: Section) -> None:
    text = " ".join(section(read("docs/reference.md"), "### Why a part was not reviewed").split())
    for end in set(StreamEnd) - {StreamEnd.WHOLE}:
        assert f"`{end}`" in text


def test_every_key_of_the_json_is_told(read: Read, section: Section) -> None:
    schema = json.loads(read("docs/review.schema.json"))
    told = set(coded(section(read("docs/reference.md"), "## JSON of a review")))

    def names(node: object) -> Iterator[str]:
        if isinstance(node, dict):
            if isinstance(node.get("properties"), dict):
                yield from node["properties"]
            for value in node.values():
                yield from names(value)

    assert not set(names(schema)) - told


def test_every_key_of_a_measurement_is_told(read: Read, section: Section) -> None:
    told = set(coded(section(read("docs/reference.md"), "### `spark bench`")))
    keys = set(re.findall(r"^\s+\"(\w+)\": ", read("bot/bench/report.py"), re.MULTILINE))
    assert len(keys) > 40
    assert not keys - told


def test_every_format_has_a_row(read: Read, section: Section) -> None:
    from bot.cli.arguments import FORMATS

    told = [row[0].strip("`") for row in rows(section(read("docs/reference.md"), "## Formats"))]
    assert tuple(told) == FORMATS


# -- the server ----------------------------------------------------------------------------------------------------


def routes() -> set[str]:
    """Every request that the server answers, as `METHOD /path`."""
    access = Access(page_token=None, secret_key=b"key", bound_to_loopback=True)
    app = create_app(
        [
            access.blueprint(),
            door.blueprint(
                intake=None,
                secrets=("secret",),
                rules=lambda: None,
                seen=lambda event, outcome: None,
                is_open=lambda: True,
            ),
            ops.blueprint(health=ops.Health, metrics=lambda: b"", allowed=access.allowed),
            pages.blueprint(history=None, events=None, access=access),
            setup.blueprint(settings_file=ROOT / "no-file", settings=Settings(), refuse=access.refuse, env={}),
        ],
        acknowledged=lambda seconds: None,
        failed=lambda kind: None,
    )
    # The door takes any method, to say which one it wants.
    return {
        f"{method} {re.sub('<(job_)?id>', '<id>', rule.rule)}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or {"POST"}) - {"HEAD", "OPTIONS"}
    }


def test_every_request_that_the_server_answers_and_no_other_has_a_row(read: Read, section: Section) -> None:
    table = rows(section(read("docs/reference.md"), "### HTTP"))
    told = [span for row in table for span in coded(row[0]) if re.match(r"(GET|POST) /", span)]
    assert sorted(told) == sorted(routes())


def test_every_answer_of_the_door_and_no_other_has_a_row(read: Read, section: Section) -> None:
    table = [row for row in rows(section(read("docs/reference.md"), "### HTTP")) if row[0].isdigit()]
    outcomes = [span for row in table for span in coded(row[1])]
    assert sorted(outcomes) == sorted(door.Outcome)
    text = inspect.getsource(door)
    given = {*re.findall(r"status=(\d{3})", text)}
    assert {row[0] for row in table} == given
    assert "_Answer(status=503, outcome=outcome" in text


def test_every_event_of_a_stream_and_no_other_has_a_row(read: Read, section: Section) -> None:
    told = [row[0].strip("`") for row in rows(section(read("docs/reference.md"), "### The stream of a review"))]
    assert sorted(told) == sorted([*LiveKind, "over"])
    assert '_message("over"' in inspect.getsource(livestream)


def test_every_conclusion_that_a_check_can_have_and_no_other_has_a_row(read: Read, section: Section) -> None:
    told = [row[0].strip("`") for row in rows(section(read("docs/reference.md"), "## The check"))]
    sources = [path.read_text("utf-8") for path in (ROOT / "bot" / "worker").glob("*.py")]
    given = {Conclusion[name].value for text in sources for name in re.findall(r"Conclusion\.([A-Z_]+)", text)}
    assert sorted(told) == sorted(given)


DYNAMIC = {"checks.py": 1}
"""Calls whose event is a variable: `_note` in `checks.py` passes on what it was given."""


def test_every_log_event_and_no_other_is_told(read: Read, section: Section) -> None:
    told = [span for row in rows(section(read("docs/reference.md"), "### Log events")) for span in coded(row[1])]
    real = {f"delivery.{outcome}" for outcome in door.Outcome}
    for path in (ROOT / "bot").rglob("*.py"):
        text = path.read_text("utf-8")
        calls = r"(?:log\.(?:info|warning|error)|self\._note)"
        real |= {*re.findall(calls + r"\(\s*\"([a-z_]+\.[a-z_-]+)\"", text)}
        assert len(re.findall(calls + r"\(\s*[^\s\")]", text)) == DYNAMIC.get(path.name, 0), path
    assert sorted(told) == sorted(real)


# -- design --------------------------------------------------------------------------------------------------------


def test_every_room_and_no_other_is_in_the_design(read: Read, section: Section) -> None:
    told = [row[0].strip("`").rstrip("/") for row in rows(section(read("docs/design.md"), "## Rooms, top floor first"))]
    real = {
        f"bot/{path.name}"
        for path in (ROOT / "bot").iterdir()
        if (path.suffix == ".py" and path.name != "__init__.py") or (path / "__init__.py").exists()
    }
    assert set(told) == real
    floors = tomllib.loads(read("pyproject.toml"))["tool"]["importlinter"]["contracts"][0]["layers"]
    order = [name for floor in floors for name in sorted(floor.split(" | "))]
    assert {Path(room).stem for room in told} == set(order)


def test_rooms_import_what_the_design_says_and_no_more(read: Read, section: Section) -> None:
    table = rows(section(read("docs/design.md"), "## Rooms, top floor first"))
    told = {Path(row[0].strip("`").rstrip("/")).stem: row[2] for row in table}
    adapters = {"engine", "sandbox", "github", "git", "model", "analyzers", "settings", "request"}

    def allowed(room: str) -> set[str]:
        words = told[room]
        named = {*told} if words == "everything below" else adapters - {"sandbox"} if words == "adapters" else set()
        named |= {"log", "errors", "deferred"}  # Everybody may.
        named |= {word for word in words.split(", ") if word in told}
        return named.union(*(allowed(other) for other in named - {room, "log", "errors", "deferred"}))

    for room in told:
        place = ROOT / "bot" / room
        files = [place.with_suffix(".py")] if place.with_suffix(".py").exists() else sorted(place.rglob("*.py"))
        for file in files:
            text = file.read_text(encoding="utf-8")
            found = set(re.findall(r"^\s*(?:from|import) bot\.(\w+)", text, re.MULTILINE))
            for names in re.findall(r"^\s*from bot import (.+)$", text, re.MULTILINE):
                found |= set(re.findall(r"\w+", names)) & {*told}
            assert found <= {room} | allowed(room), file


def doors() -> Iterator[tuple[str, str]]:
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    table = text.split("## Doors between rooms")[1].split("\n## ")[0]
    for module, what in rows(table):
        for span in coded(what):
            if re.match(r"[A-Za-z_]\w*(\(.*\).*)?$", span) and not span.startswith(("feed", "finish", "hear", "job")):
                yield module.strip("`"), span


PORTS = {"Source", "Publisher", "Model", "Analyzer", "Listener", "Runner", "Control", "Observer"}


@pytest.mark.parametrize(("module", "door"), [pair for pair in doors() if pair[1] not in PORTS])
def test_every_door_is_in_the_code_with_these_parameters(module: str, door: str) -> None:
    name = door.partition("(")[0]
    found = getattr(importlib.import_module(module), name)
    if "(" not in door:
        return
    told = ast.parse(f"def {door.partition(' ->')[0]}: pass").body[0]
    assert isinstance(told, ast.FunctionDef)
    real = inspect.signature(found).parameters.values()
    positional = [each.name for each in real if each.kind is each.POSITIONAL_OR_KEYWORD]
    keyword = [each.name for each in real if each.kind is each.KEYWORD_ONLY]
    assert [each.arg for each in told.args.args] == positional
    named = [each.arg for each in told.args.kwonlyargs]
    optional = {each.name for each in real if each.default is not each.empty}
    assert named == keyword or (set(named) <= set(keyword) and set(keyword) - set(named) <= optional)


# -- threat model, links, commands ---------------------------------------------------------------------------------


def test_every_test_that_a_document_names_exists(read: Read) -> None:
    real: dict[str, set[str]] = {}
    for path in ROOT.glob("tests/**/test_*.py"):
        names = re.findall(r"^\s*(?:async )?def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
        real[path.relative_to(ROOT / "tests").as_posix()] = set(names)
    everywhere = set().union(*real.values())
    seen = 0
    for document in DOCUMENTS:
        for span in coded(read(document)):
            file, _, name = span.removeprefix("tests/").rpartition("::")
            if not name.startswith("test_"):
                continue
            seen += 1
            assert name in (real.get(file, set()) if file else everywhere), f"{document} names {span}"
    assert seen > 20


def test_every_row_of_the_threat_model_names_a_test(read: Read, section: Section) -> None:
    table = rows(section(read("docs/threat-model.md"), "## Risks"))
    assert len(table) > 15
    for row in table:
        assert any("test_" in span for span in coded(row[-1])), row[1]


def slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_inside_the_repository_leads_somewhere(read: Read, document: str) -> None:
    text = re.sub(r"^```.*?^```$", "", read(document), flags=re.MULTILINE | re.DOTALL)
    for target in [*re.findall(r"\]\(([^)\s]+)\)", text), *re.findall(r"(?:src|href)=\"([^\"]+)\"", text)]:
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        path = (ROOT / document).parent / file if file else ROOT / document
        assert path.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {slug(heading) for heading in headings}, target


def console() -> list[tuple[str, str]]:
    blocks = []
    for name in DOCUMENTS:
        for text in fenced((ROOT / name).read_text(encoding="utf-8"), "console"):
            blocks += [(name, text)]
    return blocks


def as_pattern(shown: str) -> str:
    """What was shown, with `...` for anything and every figure for any other figure."""
    parts = [re.sub(r"\d+(?:\\?\.\d+)?", r"\\d+(?:\\.\\d+)?", re.escape(part)) for part in shown.split("...")]
    return r".*?".join(parts)


@pytest.mark.parametrize(("document", "block"), console())
def test_commands_of_a_console_block_run_and_say_what_is_shown(
    shell: Callable[[str], tuple[int, str]], document: str, block: str
) -> None:
    steps = re.split(r"^\$ ", block, flags=re.MULTILINE)
    assert not steps[0].strip()
    for step in steps[1:]:
        command, _, shown = step.partition("\n")
        code, said = shell(command)
        assert re.fullmatch(as_pattern(shown.strip()), said.strip(), re.DOTALL), f"{document}: {command}\n{said}"
        assert code in {0, 1}, said


def test_the_readme_shows_commands_that_run(read: Read) -> None:
    commands = re.findall(r"^\$ (.+)$", "\n".join(fenced(read("README.md"), "console")), re.MULTILINE)
    assert any(command.startswith("spark --version") for command in commands)
    assert any(command.startswith("spark config check") for command in commands)
    assert any(command.startswith("spark review --no-model HEAD~1") for command in commands)


def test_every_command_in_any_block_has_a_known_verb_and_known_flags(read: Read) -> None:
    checked = 0
    for document in DOCUMENTS:
        for block in re.findall(r"^```(?:sh|console|yaml)?\n(.*?)^```$", read(document), re.MULTILINE | re.DOTALL):
            for verb, rest in re.findall(r"\bspark (review|demo|config|[a-z]+)\b([^\n|#;&]*)", block):
                if not re.search(rf"(?:^|[\s$|]|run: )spark {verb}", block) or verb not in cli.VERBS:
                    continue
                checked += 1
                assert set(re.findall(r"(?<!\S)--[a-z-]+", rest)) <= flags_of(verb), f"{document}: spark {verb}{rest}"
    assert checked > 8


def test_every_make_target_that_is_named_exists(read: Read) -> None:
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))
    for document in DOCUMENTS:
        for span in coded(read(document)) + re.findall(r"^\$?\s*(make \w+)", read(document), re.MULTILINE):
            if match := re.match(r"make ([a-z]+)\b", span):
                assert match[1] in targets, f"{document}: {span}"


@pytest.mark.parametrize("picture", sorted(path.name for path in (ROOT / "docs" / "images").glob("*.png")))
def test_pictures_are_small_enough_to_load_at_once(picture: str) -> None:
    assert (ROOT / "docs" / "images" / picture).stat().st_size < 400_000
