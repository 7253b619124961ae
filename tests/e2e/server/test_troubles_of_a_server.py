"""The world goes wrong in the middle of a review, and the pull is told the truth: posted later, or why not."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from bot.sandbox.endpoint import Fault as Broken
from bot.sandbox.endpoint import FaultKind
from bot.sandbox.github import Fault


@pytest.fixture
def project(house):
    return house.project()


def closed(house, world, project, head, number=1):
    return world.wait_for(lambda: project.closed(head, number), 30.0, why=lambda: house.server.told[-3000:])


def test_github_is_down_when_the_review_is_posted_and_takes_it_some_seconds_later(house, world, project):
    fault = Fault(match=f"* /repos/{project.name}/pulls/*/reviews*", status=503, skip=1, times=4)
    house.outside.github.faults.add(fault)
    pull = project.open()
    (check,) = closed(house, world, project, pull.head_sha)
    assert house.outside.github.faults.struck.count(fault) == 4
    assert house.server.events("github.away", doing="posting")
    assert world.problems(project, pull, findings=5) == []
    assert check.conclusion == "success"


def test_an_answer_that_was_lost_after_the_review_was_taken_posts_nothing_twice(house, world, project):
    house.outside.github.faults.add(
        Fault(match=f"POST /repos/{project.name}/pulls/*/reviews", kind="cut", when="after")
    )
    house.outside.github.faults.add(Fault(match=f"POST /repos/{project.name}/check-runs", status=502, when="after"))
    pull = project.open()
    closed(house, world, project, pull.head_sha)
    assert world.problems(project, pull, findings=5) == []


def test_a_token_that_is_revoked_in_the_middle_is_replaced(house, world, project):
    house.moods.slow(project.word, tps=400.0)
    pull = project.open()
    world.wait_for(project.streaming)
    github = house.outside.github.world
    with github.lock:
        mine = [token for token, who in github.tokens.items() if who.installation is project.installation]
        for token in mine:
            del github.tokens[token]
    assert mine
    closed(house, world, project, pull.head_sha)
    assert world.problems(project, pull, findings=5) == []


def test_an_app_that_is_removed_in_the_middle_stops_at_once_and_says_nothing_more(house, world, project):
    house.moods.slow(project.word)
    pull = project.open()
    streams = world.wait_for(project.streaming)
    (delivery,) = project.deliveries("pull_request", "opened")
    house.outside.github.world.uninstall(project.installation)
    world.wait_for(lambda: all(stream.client_gone for stream in streams), 3.0)
    (end,) = house.server.wait_for(lambda: house.server.events("job.ended", job=house.job(delivery)))
    assert end["state"] == "superseded"
    assert not project.reviews(pull)


def test_an_endpoint_that_is_down_is_told_in_the_check_and_a_redelivery_reviews_it_later(house, world, project):
    down = Broken(kind=FaultKind.STATUS, status=503)
    house.moods.by_word[project.word] = lambda answer: replace(answer, fault=down)
    pull = project.open()
    (check,) = closed(house, world, project, pull.head_sha)
    assert check.conclusion == "neutral"
    assert "503" in check.title + check.summary
    (delivery,) = project.deliveries("pull_request", "opened")
    (end,) = house.server.wait_for(lambda: house.server.events("job.ended", job=house.job(delivery)))
    assert end["state"] == "failed"
    house.moods.better(project.word)
    before = len(project.reviews(pull))
    again = house.outside.github.webhooks.redeliver(delivery)
    world.wait_for(lambda: again.status_code)
    assert (again.status_code, again.guid) == (202, delivery.guid)
    runs = closed(house, world, project, pull.head_sha, 2)
    assert runs[-1].conclusion == "success"
    assert len(project.reviews(pull)) - before == 1
    assert len(project.threads(pull)) == 5
    # Done now: whoever presses "redeliver" again gets no third one.
    third = house.outside.github.webhooks.redeliver(delivery)
    world.wait_for(lambda: third.status_code)
    assert (third.status_code, json.loads(third.answer)["state"]) == (200, "done")


def test_a_delivery_that_comes_after_a_newer_one_does_not_cost_the_newer_head_its_review(house, world, project):
    house.moods.slow(project.word)
    webhooks = house.outside.github.webhooks
    webhooks.point_to("http://127.0.0.1:9/webhook", world.serving.SECRET)
    pull = project.open()
    assert webhooks.wait()
    (opened,) = project.deliveries("pull_request", "opened")
    house.outside.deliver_to(house.server)
    project.push(pull)
    world.wait_for(project.streaming)
    house.moods.better(project.word)
    late = webhooks.redeliver(opened)
    world.wait_for(lambda: late.status_code)
    closed(house, world, project, pull.head_sha)
    world.wait_for(lambda: project.reviews(pull), why=lambda: house.server.told[-3000:])
    (old,) = world.wait_for(lambda: project.closed(pull.former_heads[0]), why=lambda: house.server.told[-3000:])
    assert old.conclusion == "cancelled"
    house.server.wait_for(lambda: not world.unfinished(house.url))
    ours = project.reviews(pull)
    assert [review.commit_id for review in ours] == [pull.head_sha]
    assert max(world.said(project.threads(pull)).values()) == 1
