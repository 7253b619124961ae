from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bot.cli.arguments import GRACE
from bot.engine.database import Database
from bot.settings import VARIABLES, read_settings


def test_two_servers_share_one_postgresql(compose: dict[str, Any]) -> None:
    server = compose["services"]["server"]
    assert server["deploy"]["replicas"] == 2
    assert "ports" not in server, "two cannot have one port of the host: the proxy has it"
    url = server["environment"]["SPARK_DATABASE_URL"]
    filled = re.sub(r"\$\{POSTGRES_PASSWORD:\?[^}]*\}", "secret", url)
    settings = read_settings({"SPARK_DATABASE_URL": filled})
    assert settings.database_url is not None
    database = Database(settings.database_url)
    assert not database.is_sqlite
    database.close()
    postgres = compose["services"]["postgres"]
    assert f"@postgres:5432/{postgres['environment']['POSTGRES_DB']}" in url
    assert f"//{postgres['environment']['POSTGRES_USER']}:" in url


def test_a_server_waits_for_a_healthy_database_that_outlives_its_container(compose: dict[str, Any]) -> None:
    assert compose["services"]["server"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    postgres = compose["services"]["postgres"]
    assert postgres["healthcheck"]["test"][:2] == ["CMD", "pg_isready"]
    (volume,) = postgres["volumes"]
    name, _, place = volume.partition(":")
    assert name in compose["volumes"]
    assert place == "/var/lib/postgresql"


def test_every_image_from_outside_has_an_exact_version(compose: dict[str, Any]) -> None:
    images = {name: service["image"] for name, service in compose["services"].items() if "build" not in service}
    assert set(images) == {"proxy", "postgres"}
    for image in images.values():
        assert re.search(r":\d+\.\d+", image), image
    assert images["postgres"].startswith("postgres:18.")


@pytest.mark.parametrize("name", ["server", "proxy", "postgres"])
def test_no_service_may_do_more_than_it_needs(compose: dict[str, Any], name: str) -> None:
    service = compose["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == "unless-stopped"
    assert not service.get("privileged")
    assert not {"NET_ADMIN", "SYS_ADMIN", "ALL"} & {*service.get("cap_add", ())}
    if name == "server":
        assert "cap_add" not in service


def test_no_secret_is_in_the_file(compose: dict[str, Any], root: Path) -> None:
    text = (root / "compose.yaml").read_text()
    for name, service in compose["services"].items():
        for variable, value in service.get("environment", {}).items():
            if "PASSWORD" in variable or "URL" in variable or "SECRET" in variable:
                assert "${POSTGRES_PASSWORD:?" in value, (name, variable)
    assert compose["services"]["server"]["env_file"] == ".env"
    assert ".env" in (root / ".gitignore").read_text().split()
    assert not re.search(r"sk-|ghp_|PRIVATE KEY|:-[^}]+\}", text), "no default of a secret either"


def test_what_the_servers_read_from_env_is_no_misspelt_setting(compose: dict[str, Any], root: Path) -> None:
    asked = set(re.findall(r"\$\{(\w+)", (root / "compose.yaml").read_text()))
    assert asked == {"POSTGRES_PASSWORD", "SITE"}
    settings = read_settings(dict.fromkeys(asked, "x"))
    assert settings.notices == ()
    assert {*compose["services"]["server"]["environment"]} <= {*VARIABLES}


def test_the_place_to_write_belongs_to_the_images_user(
    compose: dict[str, Any], dockerfile: ModuleType, root: Path
) -> None:
    last = dockerfile.stages((root / "Dockerfile").read_text())[-1]
    user, group = last.only("USER").text.split(":")
    places = compose["services"]["server"]["tmpfs"]
    assert f"{last.only('WORKDIR').text}:uid={user},gid={group},mode=0700" in places
    assert "/tmp" in places, "git compares files there"
    assert compose["services"]["server"]["expose"] == [last.only("EXPOSE").text]


def test_running_reviews_get_their_grace_before_the_container_is_killed(compose: dict[str, Any]) -> None:
    seconds = int(compose["services"]["server"]["stop_grace_period"].removesuffix("s"))
    assert seconds >= GRACE + 15


def test_the_proxy_streams_and_takes_what_github_sends(compose: dict[str, Any], root: Path) -> None:
    proxy = compose["services"]["proxy"]
    assert "./deploy/Caddyfile:/etc/caddy/Caddyfile:ro" in proxy["volumes"]
    text = re.sub(r"^\s*#.*$", "", (root / "deploy" / "Caddyfile").read_text(), flags=re.MULTILINE)
    assert "flush_interval -1" in text
    (most,) = re.findall(r"max_size (\d+)MiB", text)
    assert int(most) > 25
    assert "name {$UPSTREAM:server}" in text
    assert "port {$UPSTREAM_PORT:8000}" in text
    assert "{$SITE} {" in text
    assert "fail_duration" not in text, "one body that is too large would take a server out for everybody"
    assert {*proxy["environment"]} == {"SITE"}
