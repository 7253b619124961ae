"""Pulls read over real HTTP from the stand-in: the common way, its number of requests, hostile names, forks."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bot.diff.model import FileStatus
from bot.errors import ConfigError, CredentialsError, NotPermittedError, OutsideError
from bot.git.compare import compare_blobs
from bot.github import limits
from bot.github.client import GraphReply, connect
from bot.github.faults import RateLimitedError
from bot.github.pulls import PullSource
from bot.review.model import RepoName
from bot.sandbox.github import Fault, GitHubOptions, GitHubServer, Kind

HOSTILE = [
    "x b/y",
    "a\tb.py",
    'quo"te.py',
    "new\nline.py",
    "日本語/ä.py",
    "100%.py",
    "a?b#c&d;e=f+g.py",
    "..%2f..%2fetc.py",
    "-rf",
    "$(id).py",
    "back\\slash.py",
    " lead and trail ",
    "@@ -1 +1 @@.py",
    "deep/er/than b/that.py",
    '{"x": 1}',
]


def numbered(count, changed=None):
    return "".join(f"{(changed or {}).get(n, f'line_{n} = {n}')}\n" for n in range(1, count + 1))


def test_a_pull_is_read_with_its_hunks_totals_head_texts_and_base_configuration(desk) -> None:
    pull = desk.pull(
        {"a.py": numbered(60, {10: "ten = 'X'"}), "new.py": "print(1)\n", "README.md": None},
        base={".github/spark.yml": "review: {}\n", ".gitattributes": "*.lock linguist-generated\n"},
    )
    desk.repo.commit("work", {".github/spark.yml": "review: {effort: instant}\n"})
    opened = desk.read()
    change = opened.change
    assert change.pull is not None
    assert (change.pull.repo, change.pull.number, change.pull.author) == ("acme/shop", 1, "ann")
    assert (change.head, change.base) == (pull.head_sha, pull.base_sha)
    assert (change.title, change.description) == ("A change", "Why")
    assert {file.path: file.status for file in change.patch.files} == {
        ".github/spark.yml": FileStatus.MODIFIED,
        "a.py": FileStatus.MODIFIED,
        "new.py": FileStatus.ADDED,
        "README.md": FileStatus.REMOVED,
    }
    assert change.totals is not None
    assert (change.totals.files, change.totals.added, change.totals.removed) == (
        4,
        change.patch.added,
        change.patch.removed,
    )
    assert change.gaps == ()
    assert opened.files.text("a.py") == numbered(60, {10: "ten = 'X'"})
    assert opened.files.text("README.md") is None
    assert opened.base_texts == {".github/spark.yml": "review: {}\n", ".gitattributes": "*.lock linguist-generated\n"}
    assert opened.base_text(".gitattributes") == "*.lock linguist-generated\n"
    assert opened.base_text("AGENTS.md") is None


def test_the_configuration_is_the_base_branchs_of_today_not_of_the_last_push(desk) -> None:
    pull = desk.pull({"a.py": "a = 1\n"}, base={".github/spark.yml": "review: {effrt: deep}\n"})
    desk.repo.commit("main", {".github/spark.yml": "review: {effort: deep}\n", "AGENTS.md": "Be kind.\n"})
    opened = desk.read()
    assert opened.change.base == pull.base_sha
    assert opened.base_texts == {".github/spark.yml": "review: {effort: deep}\n"}
    assert opened.base_text("AGENTS.md") == "Be kind.\n"


def test_a_pull_of_up_to_a_hundred_unknown_files_takes_two_rounds_and_no_more(desk) -> None:
    desk.pull(
        {f"src/f{n}.py": f"x = {n}\n" for n in range(100)}, base={f"src/f{n}.py": "x = 'old'\n" for n in range(100)}
    )
    client = desk.client()
    client.get("/meta", stop=desk.clock.stop(), doing="warming up")
    desk.server.requests.clear()
    desk.server.latency = 0.3
    start = time.monotonic()
    opened = desk.source(client=client).open()
    seconds = time.monotonic() - start
    assert [opened.files.text(f"src/f{n}.py") for n in range(100)] == [f"x = {n}\n" for n in range(100)]
    seen = sorted((seen.method, seen.path) for seen in desk.server.requests)
    assert seen == [
        ("GET", "/repos/acme/shop/pulls/1"),
        ("GET", "/repos/acme/shop/pulls/1/files"),
        *[("POST", "/graphql")] * 3,
    ]
    by_start = sorted(seen.started for seen in desk.server.requests)
    assert by_start[2] - by_start[0] < 0.3, "the three reads of round one go out together"
    assert by_start[4] - by_start[3] < 0.3, "the queries of round two go out together"
    # Two rounds are 0.6 s, one request after the other 1.5 s. The rest is a shared machine.
    assert seconds < 1.4


def test_all_pages_of_a_long_list_are_read_and_the_later_ones_side_by_side(desk) -> None:
    desk.pull({f"f{n:03}.py": f"x = {n}\n" for n in range(250)})
    desk.server.latency = 0.05
    opened = desk.read()
    assert [file.path for file in opened.change.patch.files] == [f"f{n:03}.py" for n in range(250)]
    pages = desk.sent("GET", "/files")
    assert sorted(seen.query["page"] for seen in pages) == ["1", "2", "3"]
    assert {seen.query["per_page"] for seen in pages} == {"100"}
    later = sorted(seen.started for seen in pages)[1:]
    assert later[1] - later[0] < 0.05


def test_names_that_fool_shells_urls_and_diff_readers_are_read_whole(desk) -> None:
    desk.pull(
        {name: numbered(30, {7: "seven = 'new'"}) for name in HOSTILE},
        base={name: numbered(30) for name in HOSTILE},
    )
    opened = desk.read()
    assert sorted(file.path for file in opened.change.patch.files) == sorted(HOSTILE)
    for file in opened.change.patch.files:
        assert (file.added, file.removed) == (1, 1)
        assert opened.files.text(file.path) == numbered(30, {7: "seven = 'new'"})
    # And once more without GraphQL, where the names become URLs.
    plain = desk.read(token=None)
    for name in HOSTILE:
        assert plain.files.text(name) == numbered(30, {7: "seven = 'new'"}), name


def test_the_head_of_a_fork_is_read_through_the_base_repository(desk) -> None:
    fork = desk.repo.fork("mallory/shop")
    fork.commit("evil", {"a.py": "fork = 1\n"})
    desk.repo.open_pull("From a fork", head="evil", head_repo=fork)
    opened = desk.read()
    assert opened.change.pull is not None
    assert opened.change.pull.head_repo == "mallory/shop"
    assert opened.change.pull.is_fork
    assert opened.files.text("a.py") == "fork = 1\n"
    assert all("mallory" not in seen.path for seen in desk.server.requests)


def test_a_file_that_the_base_repository_does_not_show_is_looked_for_in_the_fork(desk) -> None:
    fork = desk.repo.fork("mallory/shop")
    fork.commit("evil", {"a.py": "fork = 1\n"})
    desk.repo.open_pull("From a fork", head="evil", head_repo=fork)
    desk.server.faults.add(Fault(match="GET /repos/acme/shop/git/blobs/*", status=404, times=None))
    opened = desk.read(token=None)
    assert opened.files.text("a.py") == "fork = 1\n"
    assert len(desk.sent("GET", "/repos/mallory/shop/git/blobs/")) == 1


def test_a_pull_whose_fork_was_deleted_is_still_read(desk) -> None:
    fork = desk.repo.fork("mallory/shop")
    fork.commit("evil", {"a.py": "fork = 1\n"})
    pull = desk.repo.open_pull("From a fork", head="evil", head_repo=fork)
    pull.head_repo = None
    opened = desk.read()
    assert opened.change.pull is not None
    assert opened.change.pull.head_repo is None
    assert opened.files.text("a.py") == "fork = 1\n"


def test_without_a_token_a_public_pull_is_read_by_rest_alone(desk) -> None:
    desk.pull({"a.py": "a = 1\n"}, base={".github/spark.yml": "review: {}\n"})
    opened = desk.read(token=None)
    assert opened.base_texts == {".github/spark.yml": "review: {}\n"}
    assert opened.files.text("a.py") == "a = 1\n"
    assert opened.files.text("no/such/file") is None
    assert desk.sent("POST") == []


def test_texts_asked_for_by_many_threads_are_fetched_once(desk) -> None:
    desk.pull({f"f{n}.py": f"x = {n}\n" for n in range(10)}, base={f"f{n}.py": "x = 'old'\n" for n in range(10)})
    opened = desk.read(token=None)
    desk.server.requests.clear()
    opened.files.prefetch([f"f{n}.py" for n in range(5)])
    got: list[list[str | None]] = []
    threads = [
        threading.Thread(target=lambda: got.append([opened.files.text(f"f{n}.py") for n in range(10)]))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert got == [[f"x = {n}\n" for n in range(10)]] * 8
    assert len(desk.sent("GET", "/git/blobs/")) == 10


def test_texts_that_graphql_cuts_or_garbles_come_whole_by_rest(desk) -> None:
    long = "x = 1  # a line that is repeated\n" * 40_000
    desk.pull(
        {"latin.py": b"name = 'caf\xe9'\n", "long.py": long, "image.png": b"\x89PNG\0\0data", "bom.py": "\ufeffx = 1\n"}
    )
    opened = desk.read()
    assert opened.files.text("latin.py") == "name = 'caf\udce9'\n"
    assert opened.files.text("long.py") == long
    assert opened.files.text("image.png") is None
    assert opened.files.text("bom.py") == "\ufeffx = 1\n"


def test_a_query_that_github_cannot_finish_is_halved(desk) -> None:
    desk.pull({f"f{n}.py": f"x = {n}\n" for n in range(30)}, base={f"f{n}.py": "x = 'old'\n" for n in range(30)})
    # The base's query and its repeat fail; its halves do not.
    desk.server.faults.add(Fault(match="POST /graphql", contains=".gitattributes", status=502, times=2))
    opened = desk.read()
    assert [opened.files.text(f"f{n}.py") for n in range(30)] == [f"x = {n}\n" for n in range(30)]
    assert len(desk.sent("POST", "/graphql")) == 5
    assert desk.sent("GET", "/git/blobs/") == []


@pytest.mark.parametrize("status", [403, 404, 502])
def test_where_graphql_is_refused_files_and_configuration_come_singly(desk, status: int) -> None:
    desk.pull({"a.py": "a = 1\n"}, base={".github/spark.yml": "review: {}\n"})
    desk.server.faults.add(Fault(match="POST /graphql", status=status, times=None))
    opened = desk.read()
    assert opened.base_texts == {".github/spark.yml": "review: {}\n"}
    assert opened.files.text("a.py") == "a = 1\n"


def test_a_configuration_that_cannot_be_read_stops_the_review(desk) -> None:
    desk.pull({"a.py": "a = 1\n"}, base={".github/spark.yml": "review: {}\n"})
    desk.server.faults.add(Fault(match="POST /graphql", status=502, times=None))
    desk.server.faults.add(Fault(match="GET /repos/acme/shop/contents/.github/*", status=502, times=None))
    with pytest.raises(OutsideError, match="502"):
        desk.read()


def test_a_file_that_cannot_be_had_is_none_and_no_error(desk) -> None:
    desk.pull({"a.py": "a = 1\n"})
    opened = desk.read(token=None)
    desk.server.faults.add(Fault(match="GET */git/blobs/*", status=502, times=None))
    assert opened.files.text("a.py") is None


def test_a_push_between_the_pull_and_its_files_makes_both_be_read_again(desk) -> None:
    desk.pull({"a.py": numbered(60, {5: "five = 0"})})
    client = desk.client()
    real, pulled, pushes = client.get, threading.Event(), iter([True])

    def get(path, **more):
        # The first time only, in whatever order the two requests are begun.
        if path.endswith("/files") and next(pushes, False):
            assert pulled.wait(5)
            desk.repo.commit("work", {"a.py": numbered(60, {5: "five = 0", 50: "fifty = 0"})})
        reply = real(path, **more)
        if path.endswith("/pulls/1"):
            pulled.set()
        return reply

    client.get = get
    opened = desk.source(client=client).open()
    assert opened.change.head == desk.repo.pulls[1].head_sha
    assert opened.change.patch.added == 2
    assert opened.files.text("a.py") == numbered(60, {5: "five = 0", 50: "fifty = 0"})
    assert len(desk.sent("GET", "/pulls/1/files")) == 2


def test_a_push_between_the_two_rounds_is_noticed_and_the_new_head_read(desk) -> None:
    desk.pull({"a.py": numbered(60, {5: "five = 0"})})
    client = desk.client()
    real = client.graphql
    pushed: list[int] = []

    def graphql(query, variables, **more):
        if not pushed:
            pushed.append(1)
            desk.repo.commit("work", {"a.py": numbered(60, {6: "six = 0"})})
        return real(query, variables, **more)

    client.graphql = graphql
    opened = desk.source(client=client).open()
    assert opened.change.head == desk.repo.pulls[1].head_sha
    assert opened.files.text("a.py") == numbered(60, {6: "six = 0"})


def test_a_pull_that_never_stands_still_is_an_error_and_no_mixture(desk) -> None:
    desk.pull({"a.py": numbered(60, {5: "five = 0"})})
    client = desk.client()
    real, turn = client.get, []

    def get(path, **more):
        if path.endswith("/files"):
            turn.append(1)
            while len(desk.sent("GET", "/pulls/1")) < 2 * len(turn) - 1:
                time.sleep(0.002)
            desk.repo.commit("work", {f"n{len(turn)}.py": "x = 1\n"})
        return real(path, **more)

    client.get = get
    with pytest.raises(OutsideError, match="changed each time"):
        desk.source(client=client).open()


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, CredentialsError), (403, NotPermittedError), (404, NotPermittedError), (500, OutsideError)],
)
def test_a_pull_that_may_not_be_read_is_told_by_the_right_error(desk, status: int, error: type[Exception]) -> None:
    desk.pull({"a.py": "a = 1\n"})
    desk.server.faults.add(Fault(match="GET /repos/acme/shop/pulls/1", status=status, times=None))
    with pytest.raises(error) as caught:
        desk.read()
    assert "acme/shop#1" in str(caught.value)
    assert "ghp_" not in str(caught.value)


def test_a_pull_that_is_not_there_is_named(desk) -> None:
    with pytest.raises(NotPermittedError, match="acme/shop#99"):
        desk.read(99)


def test_a_bad_token_is_told_and_not_shown(desk) -> None:
    desk.pull({"a.py": "a = 1\n"})
    bad = "ghp_" + "wrong" * 8
    with pytest.raises(CredentialsError) as caught:
        desk.read(token=bad)
    assert bad not in str(caught.value)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(match="GET *", status=502, times=2),
        Fault(match="GET *", kind=Kind.CUT, times=2),
        Fault(match="GET *", kind=Kind.CUT_BODY, times=1),
    ],
)
def test_reads_are_repeated_after_a_gateway_s_error_and_a_cut(desk, fault: Fault) -> None:
    desk.pull({"a.py": "a = 1\n"})
    desk.server.faults.add(fault)
    assert desk.read().files.text("a.py") == "a = 1\n"
    assert len(desk.server.faults.struck) == fault.times


def test_a_short_rate_limit_is_waited_for_and_a_long_one_is_told(desk) -> None:
    desk.pull({"a.py": "a = 1\n"})
    desk.server.faults.add(
        Fault(match="GET */pulls/1", status=403, headers={"Retry-After": "5"}, message="secondary rate limit")
    )
    assert desk.read().files.text("a.py") == "a = 1\n"
    assert desk.clock.waits == [5.0]
    desk.server.faults.add(Fault(match="GET */pulls/1", status=429, headers={"Retry-After": "3600"}, times=None))
    with pytest.raises(RateLimitedError, match="3600 seconds") as caught:
        desk.read()
    assert caught.value.wait == 3600.0
    assert desk.clock.waits == [5.0]


def test_every_request_names_its_api_version_and_agent(desk) -> None:
    desk.pull({"a.py": "a = 1\n", "image.png": b"\0"})
    desk.read()
    for seen in desk.server.requests:
        headers = {name.lower(): value for name, value in seen.headers.items()}
        assert headers["x-github-api-version"] == limits.API_VERSION
        assert headers["user-agent"] == "spark-tests"
        assert headers["accept"].startswith("application/vnd.github")


def test_two_threads_never_get_each_other_s_answers(desk) -> None:
    desk.pull({f"f{n}.py": f"x = {n}\n" for n in range(40)})
    client = desk.client()
    head = desk.repo.pulls[1].head_sha
    wrong: list[int] = []

    def ask(n: int) -> None:
        reply = client.get(
            f"/repos/acme/shop/contents/f{n}.py", params={"ref": head}, stop=desk.clock.stop(), doing="x"
        )
        if reply.json()["name"] != f"f{n}.py":
            wrong.append(n)

    for _ in range(3):
        for future in [client.submit(ask, n) for n in range(40)]:
            future.result()
    assert wrong == []


def test_no_request_is_made_by_connecting_and_the_open_net_gets_no_token(desk) -> None:
    desk.client()
    assert list(desk.server.requests) == []
    for url in ("http://github.example/api/v3", "github.com", "ftp://x", ""):
        with pytest.raises(ConfigError, match="https://"):
            connect(token="x", api_url=url, user_agent="x", clock=desk.clock)


def test_an_enterprise_server_s_graphql_address_follows_from_its_api_address(desk) -> None:
    desk.pull({"a.py": "a = 1\n"})
    client = connect(
        token="ghp_" + "T0ken" * 8,
        api_url=desk.server.api_url + "/",
        user_agent="x",
        clock=desk.clock,
        wait=desk.clock.wait,
    )
    with client:
        desk.source(client=client).open()
    assert len(desk.sent("POST", "/graphql")) == 2


def test_a_server_that_is_not_there_is_the_outside_world_s_fault(clock) -> None:
    with GitHubServer(GitHubOptions()) as gone:
        url = gone.api_url
    with (
        connect(token=None, api_url=url, user_agent="x", clock=clock, wait=clock.wait) as client,
        pytest.raises(OutsideError, match="could not be reached"),
    ):
        client.get("/meta", stop=clock.stop(), doing="asking")


def test_requests_that_follow_each_other_share_a_connection(clock) -> None:
    connections: set[object] = set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            connections.add(self.client_address)
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        with connect(token=None, api_url=url, user_agent="x", clock=clock) as client:
            for _ in range(5):
                client.get("/meta", stop=clock.stop(), doing="asking")
        server.shutdown()
    assert len(connections) == 1


def test_a_renamed_repository_is_read_page_by_page_at_its_new_address(desk) -> None:
    desk.pull({f"f{n:03}.py": f"x = {n}\n" for n in range(150)})
    client = desk.client()

    class Moved(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(301)
            self.send_header("Location", f"http://{self.headers['Host']}" + self.path.replace("old-shop", "shop"))
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    real = client._line.session.request

    def request(verb, url, **more):
        # The stand-in has no renamed repositories: another server says so for it.
        if "old-shop" not in url:
            return real(verb, url, **more)
        answer = real(verb, url.replace(desk.server.web_url, moved), **more)
        answer.headers["location"] = answer.headers["location"].replace(moved, desk.server.web_url)
        return answer

    client._line.session.request = request
    with ThreadingHTTPServer(("127.0.0.1", 0), Moved) as server:
        moved = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        source = PullSource(client, RepoName("acme/old-shop"), 1, compare=compare_blobs, stop=desk.clock.stop())
        opened = source.open()
        server.shutdown()
    assert [file.path for file in opened.change.patch.files] == [f"f{n:03}.py" for n in range(150)]
    assert opened.change.pull is not None
    assert opened.change.pull.repo == "acme/shop"


def test_a_missing_file_beside_an_error_of_graphql_is_looked_for_singly(desk) -> None:
    desk.pull({"a.py": "a = 1\n"}, base={".github/spark.yml": "review: {}\n"})
    client = desk.client()
    real = client.graphql

    def graphql(query, variables, **more):
        reply = real(query, variables, **more)
        found = {**reply.data["repository"], "f0": None}
        return GraphReply(data={"repository": found}, errors=("ERROR: something timed out",))

    client.graphql = graphql
    assert desk.source(client=client).open().base_texts == {".github/spark.yml": "review: {}\n"}


def test_the_room_can_be_imported_without_waiting_for_pygithub() -> None:
    code = (
        "import sys, bot.github.pulls, bot.github.reviews\n"
        "print([name for name in ('github', 'requests', 'urllib3') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
