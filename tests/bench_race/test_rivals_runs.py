"""Other tools in the race: their settings, their environments, the way out, and what is told of a run."""

from __future__ import annotations

import importlib
import json
import os
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from race import install
from race.course import Course
from race.detour import Detour, target
from race.install import GITO, PR_AGENT, TOOLS, Tool
from race.model import SHAPES, SPEEDS, Place
from race.rival_gito import checkout
from race.rival_run import notes, refusals, run
from race.rivals import RIVALS, commands_ended, model_settings, runner_settings
from race.world import Call, Log

from bot.sandbox.github import GitHubServer

PLACE = Place(repo="octo/demo", number=7, head="a" * 40)


@pytest.fixture(scope="module")
def github() -> Iterator[GitHubServer]:
    with GitHubServer() as server:
        repo = server.world.create_repo("octo/demo")
        server.world.user("race", "race-token")
        repo.permission("race", "write")
        repo.commit("main", {"a.py": "1\n"})
        repo.branch("topic-7")
        repo.commit("topic-7", {"a.py": "2\n"})
        repo.open_pull("More", "", head="topic-7", author="mona")
        yield server


# -- what is raced -----------------------------------------------------------------------------------------------


def test_each_tool_has_a_name_of_its_own_and_a_script_that_is_there() -> None:
    assert len({each.name for each in RIVALS}) == len(RIVALS) == 5
    for each in RIVALS:
        assert each.rival
        assert each.efforts == ("instant",)
        module, name = each.script.split(":")
        assert callable(getattr(importlib.import_module(module), name))
    assert {each.kind for each in RIVALS} == {"process", "action", "server"}


def test_the_locks_pin_every_package_with_hashes_and_name_no_place() -> None:
    for tool in TOOLS:
        lines = tool.lock.read_text().splitlines()
        packages = [line for line in lines if line and not line.startswith(" ")]
        assert all("==" in line and line.endswith("\\") for line in packages)
        assert not [line for line in lines if "://" in line or line.startswith(("-", "#"))]
    assert (PR_AGENT.version, GITO.version) == ("0.49.0", "4.5.0")


def test_settings_name_the_stand_ins_and_nothing_else() -> None:
    assert model_settings("http://127.0.0.1:1/v1") == {
        "CONFIG__MODEL": "openai/codex-spark-preview",
        "CONFIG__CUSTOM_MODEL_MAX_TOKENS": "128000",
        "OPENAI__API_BASE": "http://127.0.0.1:1/v1",
        "OPENAI__KEY": "race",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }
    github = {"api": "http://a/api/v3", "graphql": "http://a/api/graphql", "web": "http://a"}
    told = runner_settings(PLACE, github, Path("/work"))
    assert (told["GITHUB_EVENT_PATH"], told["GITHUB_REPOSITORY"]) == ("/work/event.json", "octo/demo")
    assert (told["GITHUB_REF"], told["GITHUB_HEAD_REF"]) == ("refs/pull/7/merge", "topic-7")


# -- environments ------------------------------------------------------------------------------------------------


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Tool:
    """A tool without packages, so that a real environment takes a tenth of a second."""
    monkeypatch.setattr(install, "LOCKS", tmp_path)
    monkeypatch.setattr(install, "HOME", tmp_path / ".bench")
    # Other Pythons are not asked for their version here.
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    (tmp_path / "none.txt").write_text("# no packages\n")
    return Tool(name="none", package="none", python=(3, 11))


def test_an_environment_is_made_once_and_anew_when_its_lock_has_changed(tool: Tool) -> None:
    assert not install.installed(tool)
    install.install(tool)
    assert install.installed(tool)
    made = tool.interpreter.lstat().st_mtime_ns
    install.install(tool)
    assert tool.interpreter.lstat().st_mtime_ns == made
    tool.lock.write_text("no requirement !!\n")
    assert not install.installed(tool)
    with pytest.raises(RuntimeError, match=r"none cannot be installed from .*none\.txt"):
        install.install(tool)
    assert not install.installed(tool)


def test_a_tool_whose_python_is_missing_says_which_one_it_needs(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "_version", lambda python: (3, 11))
    tool.lock.write_text("none==2.5 \\\n    --hash=sha256:00\n")
    newer = Tool(name="none", package="none", python=(3, 14))
    with pytest.raises(RuntimeError, match=r"none 2\.5 needs Python 3\.14 or newer"):
        install.install(newer)


# -- the way out -------------------------------------------------------------------------------------------------


def test_calls_to_githubs_host_reach_the_stand_in_and_all_others_are_refused(
    github: GitHubServer, capsys: pytest.CaptureFixture[str]
) -> None:
    with Detour(github.api_url) as way:
        told = way.settings()
        assert set(told.values()) == {way.url, str(way.bundle), "127.0.0.1,localhost"}
        assert way.url.startswith("http://127.0.0.1:")
        trust = ssl.create_default_context(cafile=told["SSL_CERT_FILE"])
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({"https": way.url, "http": way.url}), urllib.request.HTTPSHandler(context=trust)
        )
        api = "https://api.github.com"
        with opener.open(f"{api}/repos/octo/demo/pulls/1") as answer:
            assert json.load(answer)["number"] == 1
        headers = {"Authorization": "token race-token", "Content-Type": "application/json"}
        said = urllib.request.Request(
            f"{api}/repos/octo/demo/issues/1/comments", data=b'{"body": "Said."}', headers=headers
        )
        with opener.open(said) as answer:
            assert answer.status == 201
        asked = urllib.request.Request(f"{api}/graphql", data=b'{"query": "{ viewer { login } }"}', headers=headers)
        with opener.open(asked) as answer:
            assert json.load(answer)["data"] == {"viewer": {"login": "race"}}
        for url in ("https://elsewhere.example/x", "http://elsewhere.example/y"):
            with pytest.raises((urllib.error.URLError, OSError)):
                opener.open(url)
        assert way.refused == ["elsewhere.example", "elsewhere.example"]
    # A handler that breaks is told there by the server, and nowhere else.
    assert capsys.readouterr().err == ""
    assert (target("/user?x=1"), target("/graphql")) == ("/api/v3/user?x=1", "/api/graphql")


# -- runs --------------------------------------------------------------------------------------------------------


def test_a_process_is_followed_to_its_end_and_one_that_fails_tells_its_last_lines(tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"]}
    lap = run(["sh", "-c", "echo begun; echo 'A measured line'; echo $HOME"], env=env, cwd=tmp_path)
    assert lap.output == "begun\nA measured line\n\n"
    assert lap.shown is not None
    assert lap.began < lap.shown <= lap.ended
    with pytest.raises(RuntimeError, match=r"(?s)it ended with 3\n.*why"):
        run(["sh", "-c", "echo why >&2; exit 3"], env=env, cwd=tmp_path)


def test_a_process_that_takes_too_long_is_stopped_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("race.rival_run.LONGEST", 0.2)
    with pytest.raises(RuntimeError, match=r"stopped after 0 s"):
        run(["sleep", "60"], env={"PATH": os.environ["PATH"]}, cwd=tmp_path)


def test_a_process_ends_when_somebody_ends_the_race(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Ends:
        """Takes the place of the moment when the first line is looked at."""

        def monotonic(self) -> float:
            if (tmp_path / "pid").exists():
                raise KeyboardInterrupt
            return 0.0

    monkeypatch.setattr("race.rival_run.time", Ends())
    monkeypatch.setattr("race.rival_run.FINDING", "begun")
    with pytest.raises(KeyboardInterrupt):
        run(["sh", "-c", "echo $$ > pid; echo begun; exec sleep 60"], env={"PATH": os.environ["PATH"]}, cwd=tmp_path)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_checkout_is_at_the_pulls_branch_with_a_remote_at_github(github: GitHubServer, tmp_path: Path) -> None:
    tree = tmp_path / "work"
    checkout(str(github.world.repo("octo/demo").git.path), PLACE, tree)
    assert (tree / "a.py").read_text() == "2\n"
    assert "url = https://github.com/octo/demo.git" in (tree / ".git" / "config").read_text()
    assert (tree / ".git" / "HEAD").read_text() == "ref: refs/heads/topic-7\n"


def call(method: str, status: int, body: str = "") -> Call:
    return Call(method=method, path="/x", started=1, ended=2, status=status, write=method != "GET", body=body)


def body(kind: str, *paths: str) -> dict[str, Any]:
    diff = "".join(f"## File: '{path}'\n@@ -1 +1 @@\n" for path in paths)
    system = f"## File: 'src/example.py'\nYAML equivalent to type ${kind}, according to"
    return {"messages": [{"role": "system", "content": system}, {"role": "user", "content": diff}]}


def test_what_a_reader_must_know_is_told() -> None:
    log = Log(calls=(call("GET", 404), call("POST", 201), call("PUT", 403)), reviews=0, comments=0, talk=1)
    asked = [
        body("PRFilesWalkthrough", *"abc"),
        body("PRFilesWalkthrough", *"cde"),
        body("PRReview", "a", "b", "a"),
        body("PRCodeSuggestions", *"abcd"),
        body("PRCodeSuggestionsFeedback", "a"),
    ]
    assert notes(shape="5 files", bodies=asked, log=log, failed=1, refused=["x.example"] * 2) == (
        "review: 2 of 5 files shown",
        "suggestions: 4 of 5 files shown",
        "findings in the conversation, none on a line",
        "1 of 5 calls to the endpoint failed",
        "PUT /x was answered 403",
        "asked for x.example, which was refused, 2 ×",
    )
    dropped = Log(calls=(call("POST", 201, "<!-- pr-agent:improve:no-suggestions -->"),), reviews=0, comments=1, talk=1)
    assert notes(shape="1 file", bodies=[], log=dropped, failed=0, refused=[]) == (
        "it dropped all of the model's suggestions",
    )
    assert refusals(log) == "writes that GitHub refused: PUT /x 403"
    fine = Log(calls=(call("POST", 201),), reviews=1, comments=2, talk=0)
    assert notes(shape="1 file", bodies=[body("PRReview", "a")], log=fine, failed=0, refused=[]) == ()
    gito = {
        "messages": [{"role": "user", "content": [{"type": "text", "text": "+++ b/x\na valid JSON array of issues"}]}]
    }
    assert notes(shape="5 files", bodies=[gito], log=fine, failed=0, refused=[]) == ("review: 1 of 5 files shown",)


def test_a_command_of_the_server_has_ended_when_its_marked_comment_is_there() -> None:
    def log(*bodies: str, status: int = 201) -> Log:
        return Log(calls=tuple(call("POST", status, each) for each in bodies), reviews=0, comments=0, talk=1)

    assert commands_ended(log("Preparing review...", "## Generating PR code suggestions")) == frozenset()
    review, none = "# Guide\n<!-- pr-agent:review:full -->", "# Code\n<!-- pr-agent:improve:no-suggestions -->"
    assert commands_ended(log(review)) == {"review"}
    assert commands_ended(log(review, none)) == {"review", "improve"}
    assert commands_ended(log(review, status=403)) == frozenset()


@pytest.mark.skipif(
    "SPARK_RACE_RIVALS" not in os.environ or not all(map(install.installed, TOOLS)),
    reason="the tools take 15 s of a processor: set SPARK_RACE_RIVALS=1, with them installed by bench/race/install.py",
)
@pytest.mark.parametrize("name", [each.name for each in RIVALS])
def test_a_real_tool_reviews_a_real_pull(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    (rival,) = [each for each in RIVALS if each.name == name]
    course = Course(entrants=[rival], shapes=SHAPES[:1], speeds=[SPEEDS[1]], efforts=["instant"], number=1, warm=False)
    course.run()
    race = course.race()
    assert race.failures == (), capsys.readouterr().err
    (done,) = race.runs
    assert done.posted
    assert done.calls >= 1
    assert done.first_post <= done.done
    assert done.notes == ("findings in the conversation, none on a line",)
    assert sys.modules.get("pr_agent") is None
