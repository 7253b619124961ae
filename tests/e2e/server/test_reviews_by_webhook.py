"""What happens on GitHub reaches a running server and comes back as a review: each gesture once, through the front door."""

from __future__ import annotations

import json
import time

import pytest


@pytest.fixture
def project(house):
    return house.project()


def finish(house, world, project, pull, number=1):
    """Wait until the checks of a pull's head are closed and its jobs ended."""
    runs = world.wait_for(lambda: project.closed(pull.head_sha, number), why=lambda: house.server.told[-3000:])
    house.server.wait_for(lambda: house.server.events("job.ended", job=runs[-1].external_id))
    return runs


def test_a_pull_is_opened_and_has_its_check_at_once_and_then_its_review(house, world, project):
    server = house.server
    opened = time.monotonic()
    pull = project.open()
    world.wait_for(lambda: project.checks(pull.head_sha))
    assert time.monotonic() - opened < 2.0
    (check,) = finish(house, world, project, pull)
    assert time.monotonic() - opened < 5.0
    assert world.problems(project, pull, findings=5) == []
    assert check.conclusion == "success"

    (delivery,) = project.deliveries("pull_request", "opened")
    job = house.job(delivery)
    assert check.external_id == job
    assert check.details_url == f"{server.url}/reviews/{job}"
    assert f"/reviews/{job}" in server.get("/").text
    page = server.get(f"/reviews/{job}")
    assert page.status == 200
    assert project.name in page.text
    (row,) = world.rows(house.url, "SELECT ended FROM spark_jobs WHERE id = :job", job=job)
    assert world.booked(house.url)[job] == pytest.approx(json.loads(row.ended)["usd"])
    told = [line for line in server.logs if line.get("job") == job or line.get("delivery") == delivery.guid]
    assert {line["delivery"] for line in told} == {delivery.guid}
    assert {"job.queued", "job.started", "check.closed", "job.ended"} <= {line["event"] for line in told}


def test_a_push_during_the_review_closes_its_streams_and_its_check_and_has_the_new_head_reviewed(house, world, project):
    house.moods.slow(project.word)
    pull = project.open()
    old = pull.head_sha
    streams = world.wait_for(project.streaming)
    house.moods.better(project.word)
    pushed = time.monotonic()
    project.push(pull)
    world.wait_for(lambda: all(stream.client_gone for stream in streams), 2.0)
    assert max(stream.ended for stream in streams) - pushed < 1.0
    (check,) = world.wait_for(lambda: project.closed(old), 3.0)
    assert (check.conclusion, check.title) == ("cancelled", f"Superseded by {pull.head_sha[:7]}")
    finish(house, world, project, pull)
    assert world.problems(project, pull, findings=6) == []
    assert len(project.reviews(pull)) == 1


def test_another_base_branch_makes_another_diff_which_is_reviewed_instead(house, world, project):
    house.moods.slow(project.word)
    pull = project.open()
    project.repo.branch("other")
    world.wait_for(project.streaming)
    house.moods.better(project.word)
    project.repo.edit_pull(pull.number, base="other", by="alice")
    first, second = finish(house, world, project, pull, 2)
    assert (first.conclusion, first.title) == ("cancelled", "Superseded by a newer review")
    assert second.conclusion == "success"
    assert len(project.reviews(pull)) == 1


def test_a_forced_push_is_reviewed_and_what_stands_already_is_not_said_again(house, world, project):
    pull = project.open()
    finish(house, world, project, pull)
    project.force_push(pull)
    finish(house, world, project, pull)
    assert len(project.threads(pull)) == 5
    assert max(world.said(project.threads(pull)).values()) == 1


def test_re_run_while_the_review_goes_on_starts_no_second_one(house, world, project):
    house.moods.slow(project.word)
    pull = project.open()
    world.wait_for(project.streaming)
    house.press("rerequest_run", project.repo, project.checks(pull.head_sha)[0])
    (asked,) = world.wait_for(lambda: [one for one in project.deliveries("check_run", "rerequested") if one.answer])
    assert (asked.status_code, json.loads(asked.answer)["reason"]) == (200, "This head is under way")
    house.moods.better(project.word)
    finish(house, world, project, pull)
    assert world.problems(project, pull, findings=5) == []


def test_the_checks_buttons_ask_for_another_review_and_for_a_deep_one_and_no_finding_is_said_twice(
    house, world, project
):
    pull = project.open()
    (first,) = finish(house, world, project, pull)
    calls = len(project.streams())
    house.press("rerequest_run", project.repo, first)
    second = finish(house, world, project, pull, 2)[-1]
    assert second.external_id != first.external_id
    assert len(project.streams()) > calls
    house.press("press", project.repo, second, "deep")
    third = finish(house, world, project, pull, 3)[-1]
    assert third.conclusion == first.conclusion
    assert not third.actions
    (suite,) = project.repo.suites.values()
    house.press("rerequest_suite", project.repo, suite)
    finish(house, world, project, pull, 4)
    assert max(world.said(project.threads(pull)).values()) == 1
    assert len(project.threads(pull)) == 5


def test_a_forks_pull_is_reviewed_and_so_is_its_button_that_names_no_pull(house, world, project):
    pull = project.open(fork="forker")
    (first,) = finish(house, world, project, pull)
    assert world.problems(project, pull, findings=5) == []
    house.press("rerequest_run", project.repo, first)
    (asked,) = world.wait_for(lambda: project.deliveries("check_run", "rerequested"))
    assert asked.payload["check_run"]["pull_requests"] == []
    finish(house, world, project, pull, 2)
    assert len(project.threads(pull)) == 5


def test_a_merge_queue_gets_its_green_check(house, world, project):
    pull = project.open()
    finish(house, world, project, pull)
    group = house.press("queue_merge", project.repo, pull.number)
    (check,) = world.wait_for(lambda: project.closed(group.head_sha))
    assert (check.name, check.conclusion) == ("spark", "success")


def test_a_draft_waits_until_it_is_ready(house, world, project):
    pull = project.open(draft=True)
    (delivery,) = world.wait_for(lambda: [one for one in project.deliveries("pull_request", "opened") if one.answer])
    assert delivery.status_code == 200
    assert "draft" in json.loads(delivery.answer)["reason"]
    project.repo.ready_for_review(pull.number)
    finish(house, world, project, pull)
    assert world.problems(project, pull, findings=5) == []


def test_a_pull_that_is_closed_in_the_middle_is_left_without_a_review(house, world, project):
    house.moods.slow(project.word)
    pull = project.open()
    streams = world.wait_for(project.streaming)
    project.repo.close_pull(pull.number)
    (check,) = world.wait_for(lambda: project.closed(pull.head_sha), 3.0)
    assert (check.conclusion, check.title) == ("cancelled", "Withdrawn")
    world.wait_for(lambda: all(stream.client_gone for stream in streams), 2.0)
    assert not project.reviews(pull)
    # Opened again, the same head is reviewed: what was withdrawn does not count as done.
    house.moods.better(project.word)
    project.repo.reopen_pull(pull.number)
    world.wait_for(lambda: project.reviews(pull))
    finish(house, world, project, pull, 2)
    assert len(project.reviews(pull)) == 1


def test_a_repository_that_wants_a_label_waits_for_it(house, world, project):
    project.configure("review:\n  on: [label]\n  label: look\n")
    pull = project.open()
    (check,) = finish(house, world, project, pull)
    assert check.conclusion == "skipped"
    assert "`review.on`" in check.summary
    house.press("label_pull", project.repo, pull.number, "other")
    assert finish(house, world, project, pull, 2)[-1].conclusion == "skipped"
    assert not project.reviews(pull)
    house.press("label_pull", project.repo, pull.number, "look")
    assert finish(house, world, project, pull, 3)[-1].conclusion == "success"
    assert len(project.reviews(pull)) == 1


def test_mistakes_in_spark_yml_are_named_in_the_check_and_the_button_works_once_they_are_mended(house, world, project):
    project.configure("review:\n  effrt: deep\ngate:\n  fail_on: [high\n")
    pull = project.open()
    (check,) = finish(house, world, project, pull)
    assert check.conclusion == "action_required"
    assert ".github/spark.yml" in check.summary
    assert not project.streams()
    project.configure("gate:\n  fail_on: never\n")
    house.press("rerequest_run", project.repo, check)
    assert finish(house, world, project, pull, 2)[-1].conclusion == "success"
    assert len(project.threads(pull)) == 5
