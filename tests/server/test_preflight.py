"""Before a port is opened: everything that is wrong with the settings is named, all at once, without showing it."""

from __future__ import annotations

import pytest

from bot.errors import ConfigError
from bot.sandbox.github import new_private_key
from bot.server import preflight
from bot.settings import read_settings

HOOK = {"SPARK_WEBHOOK_SECRET": "s3cret"}


def problems(**env: str) -> list[str]:
    try:
        preflight.check(read_settings({**HOOK, **env}))
    except ConfigError as error:
        return str(error).splitlines()
    return []


def test_a_secret_is_all_that_a_server_cannot_do_without():
    assert problems() == []
    (told,) = problems(SPARK_WEBHOOK_SECRET="")
    assert told.startswith("SPARK_WEBHOOK_SECRET is not set")
    assert "spark setup" in told


def test_an_app_has_an_id_and_a_key(tmp_path):
    (told,) = problems(SPARK_APP_ID="7")
    assert "SPARK_APP_ID is set and SPARK_APP_PRIVATE_KEY is not" in told
    key = new_private_key()
    (told,) = problems(SPARK_APP_PRIVATE_KEY=key)
    assert "SPARK_APP_PRIVATE_KEY is set and SPARK_APP_ID is not" in told
    assert problems(SPARK_APP_PRIVATE_KEY=key, SPARK_APP_ID="7") == []
    (tmp_path / "key.pem").write_text(key)
    assert problems(SPARK_APP_PRIVATE_KEY=str(tmp_path / "key.pem"), SPARK_APP_ID="7") == []


def test_a_key_that_is_none_is_named_and_not_shown():
    (told,) = problems(SPARK_APP_ID="7", SPARK_APP_PRIVATE_KEY="MIIEowIBAAKCAQEA")
    assert told.startswith("SPARK_APP_PRIVATE_KEY is")
    assert "MIIE" not in told


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("mysql://u:hidden@h/d", "neither SQLite"),
        ("spark.db", "neither SQLite"),
        ("sqlite:////no/such/x.db", "/no/such"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite:///", "names no file"),
    ],
)
def test_a_database_that_cannot_be_one_is_named_without_its_password(url, word):
    (told,) = problems(SPARK_DATABASE_URL=url)
    assert told.startswith("SPARK_DATABASE_URL")
    assert word.replace("neither SQLite", "neither a SQLite file") in told
    assert "hidden" not in told


def test_a_server_without_any_key_of_an_endpoint_starts_and_one_with_a_wrong_place_does_not():
    assert problems(SPARK_API_KEY="") == []
    assert "SPARK_PRICES" in problems(SPARK_PRICES="cheap", SPARK_API_KEY="k")[0]
    assert problems(SPARK_BASE_URL="cerebrus", SPARK_API_KEY="k")


def test_what_is_perhaps_not_meant_is_told_and_stops_nothing():
    settings = read_settings({**HOOK, "SPARK_PUBLIK_URL": "x"})
    told = preflight.notices(settings)
    words = ("SPARK_PUBLIK_URL", "No GitHub App", "No API key", "SPARK_WEBHOOK_SECRET is shorter")
    assert [word for word in words if not any(word in each for each in told)] == []
    assert not any("s3cret" in each for each in told)
    env = {"SPARK_WEBHOOK_SECRET": "0123456789abcdef", "SPARK_APP_ID": "7", "SPARK_API_KEY": "k"}
    links, _ = preflight.notices(read_settings(env))
    assert "SPARK_PUBLIC_URL" in links
    env["SPARK_PUBLIC_URL"] = "https://spark.example.org"
    (money,) = preflight.notices(read_settings(env))
    assert "SPARK_MAX_USD_PER_DAY" in money
    assert preflight.notices(read_settings({**env, "SPARK_MAX_USD_PER_DAY": "5"})) == ()


def test_all_problems_are_told_at_once():
    told = problems(SPARK_WEBHOOK_SECRET="", SPARK_APP_ID="7", SPARK_DATABASE_URL="x")
    assert [line.split()[0] for line in told] == ["SPARK_WEBHOOK_SECRET", "SPARK_APP_ID", "SPARK_DATABASE_URL"]


@pytest.mark.parametrize(
    ("host", "public", "private"),
    [
        ("127.0.0.1", "", True),
        ("localhost", "", True),
        ("::1", "http://127.0.0.1:8000", True),
        ("127.0.0.1", "https://spark.example", False),
        ("0.0.0.0", "", False),
        ("spark.internal", "", False),
    ],
)
def test_a_server_is_private_on_loopback_unless_something_forwards_to_it(host, public, private):
    settings = read_settings({**HOOK, "SPARK_PUBLIC_URL": public})
    assert preflight.is_private(settings, host) is private
    assert ("closed to everybody" in preflight.what_is_open(settings, host)) is not private
    with_token = read_settings({**HOOK, "SPARK_PUBLIC_URL": public, "SPARK_PAGE_TOKEN": "t"})
    assert "need SPARK_PAGE_TOKEN" in preflight.what_is_open(with_token, host)
