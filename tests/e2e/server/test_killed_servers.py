"""Servers that die in the middle of reviews: after the restart, or on another server, every pull has one whole review."""

from __future__ import annotations

import itertools
import time

from bot.sandbox.github import Fault, Kind


def test_ten_kills_at_random_moments_leave_each_pull_with_one_whole_review(new_house, storms):
    house = new_house(latency=0.01)
    house.moods.slow("team", ttft=0.1, tps=900.0)
    house.serve(SPARK_REVIEWS="32", SPARK_MAX_USD_PER_DAY="5")
    storm = storms.Storm(house, seed=11)
    worker, master, both = storms.Blow.WORKER, storms.Blow.MASTER, storms.Blow.ALL
    kinds = (worker, both, worker, worker, worker, both, worker, master, worker, worker)
    for number, (kind, stage) in enumerate(zip(kinds, itertools.cycle(storms.Stage), strict=False)):
        storm.blow(kind, stage, push=number in {4, 8})
    storm.settle()
    assert storm.problems() == []
    assert len(storm.stages()) >= 4, storm.stages()


def test_a_kill_between_two_parts_of_a_review_leaves_each_comment_once(new_house, world):
    house = new_house()
    server = house.serve()
    project = house.project()
    project.configure("review:\n  max_comments: 300\n")
    many = "".join(f"def f{number}(a=[]):\n    return a\n\n\n" for number in range(30))
    project.files = {f"{project.word}/f{number}.py": many for number in range(5)}
    posts = f"POST /repos/{project.name}/pulls/*/reviews"
    house.outside.github.faults.add(Fault(match=posts, skip=1, kind=Kind.STALL, seconds=3.0))
    pull = project.open()
    world.wait_for(lambda: house.outside.github.faults.struck, why=lambda: server.told[-3000:])
    assert project.reviews(pull)
    server.kill_worker()
    world.wait_for(lambda: project.closed(pull.head_sha), why=lambda: server.told[-3000:])
    told = world.said(project.threads(pull))
    assert (len(told), max(told.values())) == (150, 1)
    bodies = [review.body for review in project.reviews(pull)]
    assert len(bodies) == len(set(bodies)) > 1


def test_of_two_servers_on_one_postgresql_the_living_does_what_the_dead_began(new_house, world, new_postgres_url):
    house = new_house()
    house.moods.slow("team", tps=120.0)
    settings = {"SPARK_DATABASE_URL": new_postgres_url, "SPARK_REVIEWS_PER_INSTALLATION": "8"}
    second = house.serve(**settings)
    first = house.serve(**settings)

    # A push that comes to the other server stops the review all the same.
    moved = house.project()
    pull = moved.open()
    streams = world.wait_for(moved.streaming)
    house.outside.deliver_to(second)
    pushed = time.monotonic()
    moved.push(pull)
    world.wait_for(lambda: all(stream.client_gone for stream in streams), 3.0)
    assert max(stream.ended for stream in streams) - pushed < 1.5

    house.outside.deliver_to(first)
    pulls = []
    for _ in range(3):
        project = house.project()
        pulls.append((project, project.open()))
    world.wait_for(lambda: all(project.streaming() for project, _ in pulls))
    assert not any(project.reviews(each) for project, each in pulls)
    house.moods.by_word.clear()
    first.kill()
    died = time.monotonic()
    house.outside.deliver_to(second)
    fresh = house.project()
    pulls.append((fresh, fresh.open()))
    world.wait_for(
        lambda: all(project.closed(each.head_sha) for project, each in pulls), 30.0, why=lambda: second.told[-3000:]
    )
    assert time.monotonic() - died < 30.0
    second.wait_for(lambda: not world.unfinished(house.url))
    wrong = [each for project, pull in pulls for each in world.problems(project, pull, findings=5)]
    assert wrong + world.problems(moved, pull, findings=6) == []
    assert second.events("engine.process_dead")
