"""The shape of our requests, pinned by cassettes: the same calls must make the same requests.

By default nothing is recorded and no socket is opened. See tests/recorded/README.md for how to record.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
import vcr

from bot.diff.model import Anchor, FilePatch, HunkKey, Side
from bot.git.compare import compare_blobs
from bot.github.client import GitHubClient, connect
from bot.github.faults import redact
from bot.github.names import parse_pull_name
from bot.github.pace import Pace
from bot.github.pulls import PullSource
from bot.github.reviews import PullPublisher
from bot.review.model import Fingerprint, RepoName
from bot.review.ports import DraftComment, Opened, ReviewDraft
from bot.review.render.markers import ReviewMarker, finding_marker, review_marker

CASSETTES = Path(__file__).parent.parent / "recorded" / "github"
RECORD = os.environ.get("SPARK_RECORD", "")
NAME = CASSETTES / "pull.txt"
"""The pull that was recorded, for the replay."""
PULL = parse_pull_name(os.environ.get("SPARK_RECORD_PULL", "acme/shop#1") if RECORD else NAME.read_text("utf-8"))
KEPT_HEADERS = {"content-type", "link"}
_LOCAL = re.compile(r"(?:http://)?127\.0\.0\.1:\d+")


def _plain_request(request):
    """The same address whether recorded at the stand-in or at GitHub."""
    parts = urlsplit(request.uri)
    path = re.sub(r"^/api/(?:v3/|(?=graphql))", "/", parts.path)
    request.uri = urlunsplit(("https", "api.github.com", path, parts.query, ""))
    return request


def _plain_response(response):
    response["headers"] = {
        name.lower(): [_LOCAL.sub("https://github.example", value) for value in values]
        for name, values in response["headers"].items()
        if name.lower() in KEPT_HEADERS
    }
    body = response["body"]["string"]
    response["body"]["string"] = _LOCAL.sub("https://github.example", body.decode("utf-8", "surrogateescape")).encode(
        "utf-8", "surrogateescape"
    )
    return response


TAPE = vcr.VCR(
    cassette_library_dir=str(CASSETTES),
    record_mode="all" if RECORD else "none",
    match_on=("method", "path", "query", "body"),
    filter_headers=("authorization", "user-agent", "date", "accept-encoding", "connection"),
    before_record_request=_plain_request,
    before_record_response=_plain_response,
    decode_compressed_response=True,
    drop_unused_requests=bool(RECORD),
)


@pytest.fixture
def client(clock, monkeypatch) -> Iterator[GitHubClient]:
    """Replays; or talks to a new stand-in (SPARK_RECORD=sandbox), or to GitHub (SPARK_RECORD=github)."""
    if RECORD == "github":
        url, token, server = "https://api.github.com", os.environ["GITHUB_TOKEN"], None
    elif RECORD:
        server, token = _stand_in(), "ghp_" + "T0ken" * 8
        url = server.api_url
    else:
        url, token, server = "https://api.github.com", "not-a-token", None
    with connect(token=token, api_url=url, user_agent="spark-tests", clock=clock, wait=clock.wait) as client:
        # vcrpy looks away from all threads while it records one request: so here one after the other.
        turn, call = threading.Lock(), client.call

        def in_turn(*args, **more):
            with turn:
                return call(*args, **more)

        monkeypatch.setattr(client, "call", in_turn)
        yield client
    if RECORD:
        NAME.write_text(f"{PULL.repo}#{PULL.number}\n", "utf-8")
    if server is not None:
        server.stop()


def _stand_in():
    from bot.sandbox.github import GitHubOptions, GitHubServer, Limits

    server = GitHubServer(
        GitHubOptions(clock=lambda: 1_790_000_000.0, limits=Limits(file_lines=8, diff_lines=12))
    ).start()
    world = server.world
    repo = world.create_repo("acme/shop")
    base = "".join(f"line_{n} = {n}\n" for n in range(1, 41))
    repo.commit("main", {"a.py": base, ".github/spark.yml": "review: {}\n", "old.py": base})
    world.user("spark", token="ghp_" + "T0ken" * 8)
    repo.permission("spark", "write")
    changed = base.replace("line_9 = 9", "nine = 9").replace("line_30 = 30", "thirty = 30")
    repo.commit(
        "work", {"a.py": changed, "b c.py": "x = 1\ny = 2\n", "old.py": None, "new.py": base, "i.png": b"\0png"}
    )
    repo.open_pull("A change", "Why", head="work", author="ann")
    return server


def _read(client: GitHubClient, clock) -> Opened:
    return PullSource(client, RepoName(PULL.repo), PULL.number, compare=compare_blobs, stop=clock.stop()).open()


def _publisher(client: GitHubClient, opened: Opened, clock) -> PullPublisher:
    assert opened.change.pull is not None
    return PullPublisher(
        client,
        opened.change.pull.repo,
        opened.change.pull.number,
        pace=Pace(clock=clock, wait=clock.wait),
        stop=clock.stop(),
    )


def _comment(number: int, file: FilePatch, line: int) -> DraftComment:
    mark = Fingerprint(f"finding-{number}")
    anchor = Anchor(
        path=file.path, side=Side.RIGHT, start_line=line, line=line, hunk=HunkKey(file.index, 0), text=("x",)
    )
    return DraftComment(
        anchor=anchor,
        body=f"Finding {number}\n\n{finding_marker(mark)}",
        entry=f"**Finding {number}**",
        fingerprint=mark,
    )


def _draft(opened: Opened, comments: list[DraftComment], run: str) -> ReviewDraft:
    pull = opened.change.pull
    assert pull is not None
    mark = review_marker(ReviewMarker(head=pull.head_sha, base=pull.base_sha, run=run))
    return ReviewDraft(commit=pull.head_sha, body=f"Summary\n\n{mark}", comments=tuple(comments), run=run)


def _lines(opened: Opened) -> tuple[FilePatch, list[int]]:
    file = next(file for file in opened.change.patch.files if file.added)
    return file, [line.number for hunk in file.hunks for line in hunk.on(Side.RIGHT)]


def test_a_pull_with_files_that_github_gives_no_patch_of(client: GitHubClient, clock) -> None:
    with TAPE.use_cassette("read_pull.yaml") as tape:
        opened = _read(client, clock)
        texts = {file.path: opened.files.text(file.path) for file in opened.change.patch.files}
    assert opened.change.gaps == ()
    assert any(texts.values())
    assert tape.all_played or RECORD


def test_a_review_is_posted_and_known_again(client: GitHubClient, clock) -> None:
    with TAPE.use_cassette("post_review.yaml") as tape:
        opened = _read(client, clock)
        file, lines = _lines(opened)
        comments = [_comment(number, file, line) for number, line in enumerate(lines[:2])]
        done = _publisher(client, opened, clock).publish(_draft(opened, comments, "recorded-1"))
        known = _publisher(client, opened, clock).recall().known
    assert done.posted == ("finding-0", "finding-1")
    assert set(known) == set(done.posted)
    assert tape.all_played or RECORD


def test_a_refused_comment_is_found_with_pending_reviews(client: GitHubClient, clock) -> None:
    with TAPE.use_cassette("refused_comment.yaml") as tape:
        opened = _read(client, clock)
        file, lines = _lines(opened)
        comments = [_comment(0, file, lines[0]), _comment(1, file, 99_999), _comment(2, file, lines[1])]
        done = _publisher(client, opened, clock).publish(_draft(opened, comments, "recorded-2"))
    assert done.posted == ("finding-0", "finding-2")
    assert [mark for mark, _ in done.unposted] == ["finding-1"]
    assert tape.all_played or RECORD


def test_a_request_of_another_shape_is_not_in_the_cassette(client: GitHubClient, clock) -> None:
    if RECORD:
        pytest.skip("recording")
    with (
        TAPE.use_cassette("read_pull.yaml"),
        pytest.raises(vcr.errors.CannotOverwriteExistingCassetteException),
    ):
        client.get("/repos/acme/shop/pulls/1", params={"page": 3}, stop=clock.stop(), doing="asking")


def test_no_cassette_holds_a_token() -> None:
    cassettes = sorted(CASSETTES.glob("*.yaml"))
    assert len(cassettes) >= 3
    for cassette in cassettes:
        text = cassette.read_text("utf-8")
        assert redact(text) == text, cassette.name
        assert "authorization" not in text.lower(), cassette.name
        assert "127.0.0.1" not in text, cassette.name
        # Base64 would hide a token from the search.
        assert "!!binary" not in text, cassette.name
