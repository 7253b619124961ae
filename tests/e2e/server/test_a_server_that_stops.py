"""A server that is stopped and started again: nothing is reviewed twice, nothing that came meanwhile is lost, and money that
was spent stays spent.
"""

from __future__ import annotations


def test_stopping_in_good_order_finishes_a_review_or_parks_it_and_a_pull_opened_meanwhile_is_found_at_the_start(
    new_house, world
):
    house = new_house()
    server = house.serve(grace=20.0, SPARK_MAX_USD_PER_DAY="1")

    # It is finished first: the grace is long enough.
    project = house.project()
    house.moods.slow(project.word, tps=400.0)
    pull = project.open()
    world.wait_for(project.streaming)
    assert server.terminate() == 0
    assert world.problems(project, pull, findings=5) == []
    assert server.events("job.ended", state="done")

    # While nobody listens a pull is opened; its delivery is some minutes old when the server starts.
    lost = house.project()
    lost_pull = lost.open()
    assert house.outside.github.webhooks.wait()
    (delivery,) = lost.deliveries("pull_request", "opened")
    assert delivery.status == "failed to connect to host"
    for each in house.outside.github.webhooks.deliveries:
        each.delivered_at = "2026-01-01T00:00:00Z" if each.delivered_at else ""
    delivery.delivered_at = world.minutes_ago(5)
    server.grace = 0.3
    server.start()
    world.wait_for(lambda: lost.closed(lost_pull.head_sha), why=lambda: server.told[-3000:])
    assert world.problems(lost, lost_pull, findings=5) == []
    (asked,) = server.events("sweeper.asked")
    assert asked["delivery"] == delivery.guid

    # It is parked: the grace is short. When it is taken up again, the day's money is gone: spent by processes that are gone.
    parked = house.project()
    house.moods.slow(parked.word, tps=60.0)
    parked_pull = parked.open()
    world.wait_for(parked.streaming)
    assert server.terminate() == 0
    streams = parked.streams()
    world.wait_for(lambda: all(stream.client_gone for stream in streams))
    assert server.events("job.ended", state="queued")
    spent = sum(world.booked(house.url).values())
    assert 0.0 < spent < 0.1
    server.env["SPARK_MAX_USD_PER_DAY"] = f"{spent:.6f}"
    server.start()
    (check,) = world.wait_for(lambda: parked.closed(parked_pull.head_sha), why=lambda: server.told[-3000:])
    assert check.conclusion == "neutral"
    assert "day" in check.title + check.summary
    assert len(parked.streams()) == len(streams)
