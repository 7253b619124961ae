from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.diff.model import Patch
from bot.diff.parse import read_patch
from bot.review.model import Change, Finding, Review
from bot.review.render.comments import comment_body, entry, summary_body
from bot.review.render.json import review_json
from bot.review.render.markdown import review_markdown
from bot.review.render.safe import MASK, Redactor
from bot.review.render.sarif import review_sarif

EMPTY = Patch(files=())
KEY = "\n".join(
    [
        "-----BEGIN RSA " + "PRIVATE KEY-----",
        "MIIEowIBAAKCAQEAx1yz2Q8vB0kq3Hn5Wm7Tt9Rr4Ee6Uu8Ii0Oo2Pp4Aa6Ss8Dd",
        "Gg2Hh4Jj6Kk8Ll0Zz2Xx4Cc6Vv8Bb0Nn2Mm4Qq6Ww8Ee0Rr2Tt4Yy6Uu8Ii0Oo",
        "-----END RSA " + "PRIVATE KEY-----",
    ]
)
# Put together from parts, so that no scanner takes this file for a leak.
SECRETS = {
    "aws": "AKIA" + "IOSFODNN7EXAMPLE",
    "github": "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a",
    "github app": "ghs_" + "123456_eyJhbGciOi.JSUzI1NiJ9-abc.def" * 12,
    "github fine-grained": "github_pat_" + "11ABCDEFG0abcdefghijkl_mnopqrstuvwxyz",
    "gitlab": "glpat-" + "abcdefGHIJKL1234567890",
    "slack": "xoxb-" + "123456789012-abcdefGHIJKL",
    "stripe": "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "google": "AIza" + "SyA1234567890abcdefghijklmnopqrstuv",
    "openai": "sk-" + "proj-abcdefghijklmnopqrstuvwx",
    "jwt": "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N",
    "random": "q9Zt4Kx7" + "Lm2Vb8Nc5Xp3Rw6Ys1Td0Hf7Jg4Qk",
}


def patch_of(*lines: str, path: str = "src/settings.py") -> Patch:
    added = "".join(f"+{line}\n" for line in lines)
    head = (
        f"diff --git a/{path} b/{path}\nnew file mode 100644\n--- /dev/null\n+++ b/{path}\n@@ -0,0 +1,{len(lines)} @@\n"
    )
    return read_patch((head + added).encode())


@pytest.mark.parametrize("name", SECRETS)
def test_a_token_is_masked_by_its_shape_alone(name: str) -> None:
    text = f"Do not commit `{SECRETS[name]}`, please."
    masked = Redactor(EMPTY).redact(text)
    assert SECRETS[name][4:] not in masked
    assert masked.startswith("Do not commit `")
    assert masked.endswith(f"{MASK}`, please.")
    assert Redactor(EMPTY).has_secret(text)


@pytest.mark.parametrize("name", SECRETS)
def test_no_more_than_four_characters_of_a_token_are_left(name: str) -> None:
    masked = Redactor(patch_of(f"x = '{SECRETS[name]}'")).redact(SECRETS[name])
    assert masked.endswith(MASK)
    assert len(masked.removesuffix(MASK)) <= 4


def test_a_private_key_is_masked_over_all_its_lines() -> None:
    masked = Redactor(EMPTY).redact(f"before\n{KEY}\nafter")
    assert "MIIE" not in masked
    assert "Gg2H" not in masked
    assert masked.startswith("before\n")
    assert masked.endswith("\nafter")


def test_one_line_of_a_committed_key_is_masked_where_it_stands_alone() -> None:
    redactor = Redactor(patch_of(*KEY.split("\n"), path="deploy/id"))
    assert "Gg2Hh4Jj" not in redactor.redact(
        "the second line, Gg2Hh4Jj6Kk8Ll0Zz2Xx4Cc6Vv8Bb0Nn2Mm4Qq6Ww8Ee0Rr2Tt4Yy6Uu8Ii0Oo, is"
    )


@pytest.mark.parametrize(
    "line",
    [
        'password = "hunter2horse"',
        "DB_PASSWORD='hunter2horse'",
        '"api_key": "hunter2horse",',
        'const clientSecret = "hunter2horse";',
        'auth_token := "hunter2horse"',
        "url = 'postgres://app:hunter2horse@db.internal/app'",
        'headers["X-Api-Key"] = "hunter2horse"',
    ],
)
def test_a_value_with_a_telling_name_is_masked_wherever_it_is_quoted(line: str) -> None:
    redactor = Redactor(patch_of(line))
    assert "hunter2horse" not in redactor.redact(f"the value hunter2horse is in the code: {line}")
    assert redactor.redact(line).split("hunter")[0].startswith(line[:5])
    assert "hunter2horse" not in Redactor(EMPTY).redact(line)


def test_an_unquoted_value_is_a_secret_in_settings_files_only() -> None:
    assert "s3cr3tvalue" not in Redactor(patch_of("API_TOKEN=s3cr3tvalue", path="deploy/.env")).redact(
        "it is s3cr3tvalue"
    )
    assert Redactor(patch_of("token = read_token_file", path="a.py")).redact("read_token_file") == "read_token_file"


@pytest.mark.parametrize(
    "text",
    [
        "token = get_token(request)",
        'password = os.environ["DB_PASSWORD"]',
        'password = "changeme"',
        'password: "${DB_PASSWORD}"',
        "sha256-3q2+7wHk5Zt9Lm2Vb8Nc5Xp3Rw6Ys1Td0Hf7Jg4QkA=",
        "commit 0123456789abcdef0123456789abcdef01234567",
        "550e8400-e29b-41d4-a716-446655440000",
        "/usr/local/lib/python3.11/site-packages/some/Long/Path2",
        "test_a_value_with_a_telling_name_is_masked_wherever_it_is_quoted",
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
        "https://example.com/a/b?c=d",
        "AbstractSingletonProxyFactoryBean2Test3Impl4",
    ],
)
def test_ordinary_code_is_left_alone(text: str) -> None:
    assert Redactor(patch_of(text)).redact(text) == text


def test_a_part_of_a_long_secret_is_masked_too() -> None:
    secret = SECRETS["random"]
    assert secret[3:20] not in Redactor(patch_of(f"x = '{secret}'")).redact(f"it begins with {secret[3:20]} or so")


def test_removed_and_unchanged_lines_count_as_well() -> None:
    diff = b"diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1,2 +1,2 @@\n-password = 'hunter2horse'\n+password = read()\n key = 1\n"
    assert "hunter2horse" not in Redactor(read_patch(diff)).redact("it was hunter2horse")


@given(st.text(alphabet="ab1-._/@:= '\"\n", max_size=200))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    redactor = Redactor(EMPTY)
    once = redactor.redact(text)
    assert redactor.redact(once) == once


@pytest.mark.parametrize(
    "text",
    [
        *("A" * 50_000, "a1B" * 20_000, "password" * 8_000, "password=" * 8_000, "://a:" * 10_000, "eyJ" * 20_000),
        "-----BEGIN PRIVATE KEY-----" * 2_000,
        "token: '" * 8_000,
        "SG." * 20_000,
        "sk-" * 20_000,
        "secret" + " " * 60_000,
    ],
)
def test_long_hostile_text_takes_linear_time(text: str) -> None:
    started = time.perf_counter()
    Redactor(patch_of(text)).redact(text)
    assert time.perf_counter() - started < 2.0


def test_a_secret_reaches_no_output(a_review: Callable[..., Review], a_finding: Callable[..., Finding]) -> None:
    secret = SECRETS["github"]
    patch = patch_of("import os", f'TOKEN = "{secret}"', "print(TOKEN)")
    anchor = a_finding().anchor
    hunk = patch.files[0].hunks[0]
    anchor = type(anchor)(
        path="src/settings.py", side=anchor.side, start_line=2, line=2, hunk=hunk.key, text=(hunk.lines[1].text,)
    )
    finding = a_finding(
        anchor,
        title=f"{secret} is committed",
        body=f"The token `{secret}` is in the code.\n```\n{secret}\n```",
        suggestion=f'TOKEN = "{secret}".strip()',
        proven=True,
        note=f"saw {secret}",
    )
    review = a_review(
        change=Change(patch=patch, base="", head="", title=f"add {secret}"),
        findings=(finding,),
        misplaced=(),
        dropped=(),
        reason=f"because of {secret}",
        notices=(f"a notice with {secret}",),
        coverage=type(a_review().coverage)(hunks=1, reviewed=1, holes=(), skipped=()),
    )
    redactor = Redactor(patch)
    outputs = [
        comment_body(finding, redactor),
        entry(finding, redactor),
        summary_body(review, redactor=redactor, run="r"),
        json.dumps(review_json(review)),
        json.dumps(review_sarif(review)),
        review_markdown(review),
    ]
    for output in outputs:
        assert secret[4:] not in output
    assert "```suggestion" not in outputs[0]
    assert "contains a secret" in outputs[0]
    assert review_json(review)["findings"][0]["suggestion"] is None
    assert "fixes" not in review_sarif(review)["runs"][0]["results"][0]
