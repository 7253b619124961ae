from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bot.sandbox.github import talk
from bot.sandbox.github.markdown import to_html

REPO = "/repos/octo/demo"


def page(desk, path):
    answer = desk.client.get(f"//{path.removeprefix('/')}")
    assert answer.status == 200
    return answer.raw.decode()


@pytest.fixture
def reviewed(desk, numbered):
    pull = desk.pull({"a.py": numbered(40)}, {"a.py": numbered(40, _30="<b>thirty</b>"), "new.py": "x = 1\n"})
    body = "**Careful** here\n\n```suggestion\nline thirty\n```\n<!-- spark:finding v1 abc -->"
    comment = {"path": "a.py", "line": 30, "side": "RIGHT", "body": body}
    review = {"commit_id": pull.head_sha, "event": "COMMENT", "body": "# Found one", "comments": [comment]}
    desk.client.post(f"{REPO}/pulls/1/reviews", review)
    return desk


def test_the_conversation_shows_the_review_with_its_suggestion_as_a_diff(reviewed) -> None:
    html = page(reviewed, "/octo/demo/pull/1")
    assert "A change" in html
    assert "<h1>Found one</h1>" in html
    assert "<strong>Careful</strong>" in html
    removed, added = re.search(
        r'class="suggestion".*?class="removed".*?text>(.*?)</td>.*?text>(.*?)</td>', html, re.DOTALL
    ).groups()
    assert (removed, added) == ("&lt;b&gt;thirty&lt;/b&gt;", "line thirty")
    assert "spark:finding" not in html
    assert "<script" not in html


def test_reactions_are_shown_below_what_they_are_about(reviewed) -> None:
    (review,), (comment,) = reviewed.repo.reviews.values(), reviewed.repo.comments.values()
    for record, content in ((review, "eyes"), (comment, "+1"), (comment, "+1")):
        talk.react(reviewed.repo, record, content, by="bob")
    talk.react(reviewed.repo, comment, "+1", by="carol")
    html = page(reviewed, "/octo/demo/pull/1")
    assert html.index("Found one") < html.index("👀 1") < html.index("Careful") < html.index("👍 2")


def test_the_files_show_each_comment_below_its_line(reviewed) -> None:
    html = page(reviewed, "/octo/demo/pull/1/files")
    line, comment, following = (html.index(text) for text in ("&lt;b&gt;thirty", "Careful", ">line 31<"))
    assert line < comment < following
    assert "<b>thirty</b>" not in html


def test_a_comment_that_is_outdated_is_in_the_conversation_alone(reviewed, numbered) -> None:
    reviewed.repo.commit("work", {"a.py": numbered(40, _30="other")})
    assert "Outdated" in page(reviewed, "/octo/demo/pull/1")
    assert "Careful" not in page(reviewed, "/octo/demo/pull/1/files")


def test_check_runs_and_the_diff_are_shown(reviewed) -> None:
    _, token, _ = reviewed.app()
    body = {"name": "spark", "head_sha": reviewed.repo.pulls[1].head_sha, "conclusion": "neutral"}
    body["output"] = {"title": "1 finding in 0.4 s", "summary": "s"}
    reviewed.client.post(f"{REPO}/check-runs", body, token=token)
    assert "1 finding in 0.4 s" in page(reviewed, "/octo/demo/pull/1")
    assert page(reviewed, "/octo/demo/pull/1.diff").startswith("diff --git a/a.py b/a.py\n")
    assert "octo/demo" in page(reviewed, "/")
    assert page(reviewed, f"/avatars/u/{reviewed.world.user('alice').id}").startswith("<svg")


def test_a_page_that_is_not_there_is_404_and_no_api_call(desk) -> None:
    assert desk.client.get("//octo/none/pull/1").status == 404
    assert len(desk.server.requests) == 0


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;"),
        ('<img src=x onerror="alert(1)">', "&lt;img"),
        ("<details><summary>s</summary>\n\nx\n\n</details>", "<details><summary>s</summary>"),
        ('<details onclick="x">', "&lt;details onclick"),
        ("![alt](http://evil.example/x.png)", 'rel="nofollow noopener" href="http://evil.example/x.png">alt</a>'),
        ("a <!-- hidden --> b", "<p>a  b</p>"),
        ("```html\n<script>\n```", "&lt;script&gt;"),
        ("```suggestion\n<script>\n```", "&lt;script&gt;"),
    ],
)
def test_markdown_of_a_comment_is_harmless(text, html) -> None:
    rendered = to_html(text)
    assert html in rendered
    assert not re.search(r"<(script|img|iframe)|\son\w+=[^&]*>", rendered)


def test_a_link_to_a_script_is_no_link() -> None:
    assert "<a" not in to_html("[x](javascript:alert(1))")


def test_the_stand_in_runs_in_a_process_of_its_own(tmp_path, desk) -> None:
    for text in ("one\n", "two\n"):
        (tmp_path / "a.txt").write_text(text)
        base = ["git", "-C", str(tmp_path), "-c", "user.name=n", "-c", "user.email=e@x"]
        if text == "one\n":
            subprocess.run([*base, "init", "-q", "-b", "main"], check=True)
        else:
            subprocess.run([*base, "checkout", "-q", "-b", "topic"], check=True)
        subprocess.run([*base, "add", "."], check=True)
        subprocess.run([*base, "commit", "-q", "-m", text], check=True)
    command = [sys.executable, "-m", "bot.sandbox.github", "--until-eof", "--token", "alice:alice-token"]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root) as process:
        assert process.stdout is not None
        urls = json.loads(process.stdout.readline())
        client = type(desk.client)(_Elsewhere(urls["web_url"]))
        for path, body in (
            ("import", {"repo": "o/r", "path": str(tmp_path)}),
            ("pulls", {"repo": "o/r", "title": "T", "head": "topic", "base": "main"}),
        ):
            assert client.post(f"//_sandbox/{path}", body).status == 200
        assert client.post("//_sandbox/faults", {"match": "GET /user", "status": 502}).status == 200
        assert client.post("//_sandbox/faults", {"nonsense": 1}).status == 400
        assert client.send("PUT", "//_sandbox/latency", {"seconds": 0.01}).json == {"seconds": 0.01}
        assert client.get("/repos/o/r/pulls/1/files").json[0]["patch"] == "@@ -1 +1 @@\n-one\n+two"
        assert client.get("/user").status == 502
        counts = client.get("//_sandbox/requests").json
        assert counts["by"]["GET /repos/{owner}/{name}/pulls/{number}/files 200"] == 1
        client.connection.close()
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(20) == 0


class _Elsewhere:
    def __init__(self, url: str) -> None:
        self.web_url = url


def test_without_the_option_there_is_no_control_door(desk) -> None:
    assert desk.client.get("//_sandbox/health").status == 404
