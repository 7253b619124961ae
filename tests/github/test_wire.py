"""What our transport takes from the environment: proxies, looked for once for each server."""

from __future__ import annotations

import pytest

from bot.github.wire import open_session


def asked(session: object, url: str) -> dict[str, str]:
    return dict(session.merge_environment_settings(url, {}, False, None, None)["proxies"])  # type: ignore[attr-defined]


def test_proxies_of_the_environment_are_used_for_each_server_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "ghe.acme.example")
    with open_session(2) as session:
        assert asked(session, "https://api.github.com/user")["https"] == "http://127.0.0.1:9"
        assert "https" not in asked(session, "https://ghe.acme.example/api/v3/user")
        assert asked(session, "https://api.github.com/other")["https"] == "http://127.0.0.1:9"


def test_what_one_request_makes_of_its_settings_is_not_the_next_one_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with open_session(2) as session:
        session.merge_environment_settings("https://a.example/", {}, False, None, None)["proxies"].clear()
        assert asked(session, "https://a.example/x")["https"] == "http://127.0.0.1:9"


def test_the_environment_is_searched_once_for_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    with open_session(2) as session:
        first = asked(session, "https://a.example/")
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
        assert asked(session, "https://a.example/x") == first
        assert asked(session, "https://b.example/x")["https"] == "http://127.0.0.1:9"
