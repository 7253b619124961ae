"""The workflows of this repository: what GitHub's own schema and the linters of `make check` do not look at."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ACTION = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / name).read_text("utf-8"))
    return found


def jobs() -> list[Any]:
    return [
        pytest.param(job, id=f"{file.stem}/{name}") for file in FILES for name, job in read(file.name)["jobs"].items()
    ]


def steps(workflow: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for job in workflow["jobs"].values():
        yield from job["steps"]


def test_these_are_the_workflows() -> None:
    assert [file.stem for file in FILES] == ["ci", "release", "self-review"]


def test_every_action_of_others_is_pinned_by_a_whole_sha_with_its_version() -> None:
    pins: dict[str, set[tuple[str, str]]] = {}
    for file in FILES:
        for name, rest in re.findall(r"^ +(?:- )?uses: ([^\s@]+)(.*)$", file.read_text("utf-8"), re.MULTILINE):
            if name == "./":
                continue
            found = re.fullmatch(r"@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)", rest)
            assert found, f"{file.name}: {name}{rest}"
            pins.setdefault(name, set()).add((found[1], found[2]))
    assert pins
    assert [name for name, used in pins.items() if len(used) > 1] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_workflow_has_no_permission_that_a_job_does_not_name(file: Path) -> None:
    workflow = read(file.name)
    assert workflow["permissions"] == {}
    assert all("permissions" in job for job in workflow["jobs"].values())


@pytest.mark.parametrize("job", jobs())
def test_a_job_ends_and_leaves_no_token_on_the_disk(job: dict[str, Any]) -> None:
    assert job["timeout-minutes"] <= 45
    for step in job["steps"]:
        assert "${{" not in step.get("run", ""), "an expression is pasted into a script"
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("name", ["ci.yml", "self-review.yml"])
def test_our_own_action_is_given_inputs_that_it_has(name: str) -> None:
    ours = [step for step in steps(read(name)) if step.get("uses") == "./"]
    assert ours
    for step in ours:
        assert set(step["with"]) <= set(ACTION["inputs"])


def test_ci_runs_on_every_python_that_the_package_names() -> None:
    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["classifiers"]
    ours = {text.rpartition(" ")[2] for text in classifiers if re.search(r"Python :: 3\.\d+$", text)}
    matrix = read("ci.yml")["jobs"]["check-and-test"]["strategy"]["matrix"]["include"]
    assert {row["python"] for row in matrix} == ours
    assert {row["python"] for row in matrix if row["whole"]} == {min(ours), max(ours)}
    assert set(read("release.yml")["jobs"]["zipapp"]["strategy"]["matrix"]["python"]) == ours


def test_the_one_check_to_require_waits_for_all_others() -> None:
    jobs = read("ci.yml")["jobs"]
    assert set(jobs["passed"]["needs"]) == set(jobs) - {"passed"}
    assert jobs["passed"]["if"] == "always()"


def test_a_run_with_the_key_has_the_code_of_the_base() -> None:
    workflow = read("self-review.yml")
    assert "pull_request_target" not in workflow[True]
    for job in workflow["jobs"].values():
        checkout, spark = job["steps"]
        assert checkout["with"]["ref"].startswith("${{ github.event.pull_request.base.sha || ")
        assert "head" not in checkout["with"]["ref"]
        assert spark["uses"] == "./"


def test_a_push_stops_the_review_before_it_and_no_comment_is_dropped() -> None:
    review, answer = (read("self-review.yml")["jobs"][name]["concurrency"] for name in ("review", "answer"))
    assert review["cancel-in-progress"] is True
    assert answer["queue"] == "max"
    assert "cancel-in-progress" not in answer
    assert review["group"].partition("${{")[0] != answer["group"].partition("${{")[0]


def test_the_tags_that_users_follow_move_after_the_released_action_has_started() -> None:
    jobs = read("release.yml")["jobs"]

    def before(name: str) -> set[str]:
        needs = jobs[name].get("needs", [])
        near = {needs} if isinstance(needs, str) else set(needs)
        return near.union(*(before(other) for other in near))

    assert before("move") == set(jobs) - {"move"}
    assert "try" not in before("publish")
    assert {"packages", "zipapp", "image"} <= before("publish")


def test_a_release_is_published_with_all_its_files_and_moved_tags_get_none() -> None:
    text = {name: str(job["steps"]) for name, job in read("release.yml")["jobs"].items()}
    assert "--draft --title" in text["publish"]
    assert text["publish"].index("files/*") < text["publish"].index("--draft=false")
    assert "gh release" not in text["move"]
    # A branch of ours is never pushed to.
    pushes = re.findall(r"git push [^\\\n]*", "".join(text.values()))
    assert len(pushes) == 2
    assert all("refs/tags/" in push for push in pushes)


def test_the_image_goes_out_with_its_bill_of_materials_and_where_it_came_from() -> None:
    job = read("release.yml")["jobs"]["image"]
    by_name = {step["uses"].partition("@")[0]: step.get("with", {}) for step in job["steps"] if "uses" in step}
    build = by_name["docker/build-push-action"]
    assert (build["sbom"], build["provenance"], build["push"]) == (True, "mode=max", True)
    assert by_name["actions/attest"]["push-to-registry"] is True
    assert job["permissions"] == {"contents": "read", "packages": "write", "id-token": "write", "attestations": "write"}


def test_only_what_publishes_may_write() -> None:
    jobs = read("release.yml")["jobs"]
    writing = {name for name, job in jobs.items() if "write" in job["permissions"].values()}
    assert writing == {"image", "publish", "move"}
    assert all(jobs[name]["environment"] == "release" for name in writing)
