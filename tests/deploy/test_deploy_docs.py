"""What the pages for those who host Spark say is so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from configparser import RawConfigParser
from pathlib import Path

import pytest
import yaml

from bot import cli
from bot.cli.arguments import GRACE, Parser
from bot.github import manifest
from bot.server.metrics import OUTCOMES, Metrics
from bot.settings import KEY_VARIABLES, VARIABLES


@pytest.fixture(scope="session")
def hosting(root: Path) -> str:
    return (root / "docs" / "self-hosting.md").read_text()


def rows(text: str, heading: str) -> Iterator[list[str]]:
    """The cells of the tables under a heading."""
    _, _, part = text.partition(f"\n## {heading}\n")
    assert part, heading
    for line in re.findall(r"^\|.*\|$", part.partition("\n## ")[0], re.MULTILINE):
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if cells and not set(cells[0]) <= {"-"}:
            yield cells


def test_every_permission_and_event_and_no_other_is_told_with_its_reason(root: Path) -> None:
    text = (root / "docs" / "github-app.md").read_text()
    _, *permissions = rows(text, "Permissions")
    assert permissions == [[f"`{name}`", level, why] for name, (level, why) in manifest.PERMISSIONS.items()]
    events = [row for row in rows(text, "Events") if row != ["event", "why"]]
    told = {**manifest.EVENTS, **manifest.AUTOMATIC_EVENTS}
    assert events == [[f"`{name}`", why] for name, why in told.items()]
    narrowed = re.search(r"narrowed to the one repository and to (.*?)\. Tokens", text, re.DOTALL)
    assert narrowed
    assert tuple(re.findall(r"`(\w+)`", narrowed[1])) == manifest.TOKEN_PERMISSIONS


def test_every_metric_and_no_other_is_told(hosting: str) -> None:
    _, *told = rows(hosting, "Metrics")
    kinds = re.findall(r"^# TYPE (spark_\w+) (\w+)$", Metrics().text().decode(), re.MULTILINE)
    real = {name for name, kind in kinds if not (kind == "gauge" and name.endswith("_created"))}
    assert {row[0].strip("`") for row in told} == real
    (outcomes,) = [row[1] for row in told if row[0] == "`spark_deliveries_total`"]
    assert {word.strip() for word in outcomes.partition(":")[2].split(",")} == OUTCOMES


def test_the_alerts_ask_for_metrics_that_there_are(hosting: str) -> None:
    (block,) = re.findall(r"^```yaml\n(groups:.*?)^```$", hosting, re.MULTILINE | re.DOTALL)
    rules = yaml.safe_load(block)["groups"][0]["rules"]
    real = Metrics().text().decode()
    assert len(rules) >= 3
    for rule in rules:
        names = re.findall(r"spark_\w+", rule["expr"])
        assert names
        assert all(f"\n{name}" in real for name in names), rule
        for label, values in re.findall(r"(\w+)=~?\"([^\"]+)\"", rule["expr"]):
            assert all(f'{label}="{value}"' in real for value in values.split("|")), rule


def test_every_variable_that_is_named_is_a_setting(root: Path) -> None:
    known = {*VARIABLES, *KEY_VARIABLES}
    for name in ("self-hosting", "github-app"):
        text = (root / "docs" / f"{name}.md").read_text()
        assert {*re.findall(r"\b(?:SPARK|GITHUB)_[A-Z_]+\b", text)} <= known


def test_every_command_of_spark_is_one(root: Path, hosting: str) -> None:
    lines = [
        *re.findall(r"(?:/spark |local )((?:setup|serve)\b[^'\n#]*)", hosting),
        unit(root)["Service"]["ExecStart"].partition("/spark ")[2],
    ]
    assert len(lines) >= 3
    for line in lines:
        verb, *arguments = line.split()
        parser = Parser(prog=verb, description="")
        cli.configure(verb, parser)
        parser.parse_args(arguments)


def unit(root: Path) -> RawConfigParser:
    parser = RawConfigParser()
    parser.read_string((root / "deploy" / "spark.service").read_text())
    return parser


def test_the_unit_lets_running_reviews_finish_and_may_do_little(root: Path) -> None:
    service = unit(root)["Service"]
    assert int(service["TimeoutStopSec"]) >= GRACE + 15
    assert service["KillMode"] == "mixed", "the watching process alone gets the first signal"
    assert service["RestartPreventExitStatus"] == "2"
    assert service["User"] not in {"", "root", "0"}
    assert service["NoNewPrivileges"] == "yes"
    assert service["CapabilityBoundingSet"] == ""
    assert service["ProtectSystem"] == "strict"
    assert service["WorkingDirectory"] == f"/var/lib/{service['StateDirectory']}"


def test_the_nginx_site_streams_and_takes_what_github_sends(root: Path) -> None:
    text = re.sub(r"#.*", "", (root / "deploy" / "nginx.conf").read_text())
    settings = dict(re.findall(r"^\s*(\w+) (.+);$", text, re.MULTILINE))
    assert settings["proxy_buffering"] == "off"
    assert int(settings["client_max_body_size"].removesuffix("m")) > 25
    assert "proxy_set_header X-Forwarded-Proto $scheme;" in text
    assert "proxy_set_header Host $http_host;" in text
