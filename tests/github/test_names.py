from __future__ import annotations

import pytest

from bot.errors import UserError
from bot.github.names import PullName, parse_pull_name


@pytest.mark.parametrize(
    ("text", "repo", "number", "server"),
    [
        ("acme/shop#7", "acme/shop", 7, None),
        (" acme/shop.js#7\n", "acme/shop.js", 7, None),
        ("https://github.com/acme/shop/pull/7", "acme/shop", 7, "https://github.com"),
        ("https://github.com/acme/shop/pull/7/files#diff-0", "acme/shop", 7, "https://github.com"),
        ("https://github.com/acme/shop/pull/7?w=1", "acme/shop", 7, "https://github.com"),
        ("https://api.github.com/repos/acme/shop/pulls/7", "acme/shop", 7, "https://api.github.com"),
        ("https://git.acme.example/acme/shop/pull/7", "acme/shop", 7, "https://git.acme.example"),
        ("https://git.acme.example:8443/api/v3/repos/a/b/pulls/12", "a/b", 12, "https://git.acme.example:8443"),
        ("http://127.0.0.1:8123/acme/shop/pull/7", "acme/shop", 7, "http://127.0.0.1:8123"),
    ],
)
def test_a_pull_is_named_by_its_short_form_or_any_of_its_addresses(
    text: str, repo: str, number: int, server: str | None
) -> None:
    assert parse_pull_name(text) == PullName(repo=repo, number=number, server=server)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "7",
        "acme#7",
        "acme/shop#0",
        "acme/shop#-1",
        "acme/shop#7 extra",
        "acme/..#7",
        "acme/shop/pull/7",
        "https://github.com/acme/shop/issues/7",
        "https://github.com/acme/shop/pull/seven",
        "https:///acme/shop/pull/7",
        "https://[::1/acme/shop/pull/7",
        "https://host:port/acme/shop/pull/7",
        "ftp://github.com/acme/shop/pull/7",
        "https://github.com/acme/../../etc/pull/7",
    ],
)
def test_what_names_no_pull_is_refused_with_the_right_form(text: str) -> None:
    with pytest.raises(UserError, match="OWNER/REPO#NUMBER"):
        parse_pull_name(text)
