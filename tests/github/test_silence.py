"""A GitHub that says nothing, or hangs up: asked again where that may help, and never beyond the time that is left."""

from __future__ import annotations

import pytest

from bot.errors import OutsideError
from bot.sandbox.github import Fault, Kind

SILENT = {"kind": Kind.STALL, "times": None, "seconds": 30.0}


def test_a_silent_read_is_not_asked_again(desk, clock) -> None:
    desk.server.faults.add(Fault(match="GET /repos/acme/shop", **SILENT))
    with pytest.raises(OutsideError, match="silent for 1 seconds"):
        desk.client(read_seconds=0.1).get("/repos/acme/shop", stop=clock.stop(), doing="reading")
    assert len(desk.server.faults.struck) == 1


def test_a_silent_query_is_not_asked_again(desk, clock) -> None:
    desk.server.faults.add(Fault(match="POST /graphql", **SILENT))
    with pytest.raises(OutsideError, match="silent"):
        desk.client(read_seconds=0.1).graphql("query { viewer { login } }", {}, stop=clock.stop(), doing="asking")
    assert len(desk.server.faults.struck) == 1


def test_a_read_that_is_cut_is_asked_three_times_and_the_reason_is_plain(desk, clock) -> None:
    desk.server.faults.add(Fault(match="GET /repos/acme/shop", kind=Kind.CUT, times=None))
    with pytest.raises(OutsideError) as caught:
        desk.client().get("/repos/acme/shop", stop=clock.stop(), doing="reading acme/shop")
    assert len(desk.server.faults.struck) == 3
    assert "while reading acme/shop: RemoteDisconnected: Remote end closed connection without response" in str(
        caught.value
    )
    for noise in ("HTTPConnectionPool", "Max retries", "object at"):
        assert noise not in str(caught.value)


def test_a_cut_is_not_asked_again_when_no_time_is_left(desk, clock) -> None:
    desk.server.faults.add(Fault(match="GET /repos/acme/shop", kind=Kind.CUT, times=None))
    with pytest.raises(OutsideError):
        desk.client().get("/repos/acme/shop", stop=clock.stop(0.0), doing="reading")
    assert len(desk.server.faults.struck) == 1
