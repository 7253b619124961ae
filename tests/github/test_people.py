"""Who may do what, asked of the collaborators endpoint over real HTTP."""

from __future__ import annotations

import pytest

from bot.errors import OutsideError
from bot.github import limits
from bot.github.people import Collaborators
from bot.github.records import LevelRecord
from bot.review.config import Role
from bot.sandbox.github import Fault


@pytest.fixture
def people(quiet):
    return Collaborators(quiet.client(), "acme/shop", stop=quiet.clock.stop())


@pytest.mark.parametrize("level", ["admin", "maintain", "write", "triage", "read", "none"])
def test_everybody_has_the_role_that_github_says(quiet, people, level) -> None:
    quiet.repo.private = True
    quiet.repo.permission(f"a-{level}", level)
    assert people.role(f"A-{level}") == (Role(level) if level != "none" else None)
    assert people.may_write(f"a-{level}") == (level in {"admin", "maintain", "write"})
    assert len(quiet.sent("GET", "/collaborators/")) == 1, "asked once, whatever the case of its letters"
    quiet.repo.private = False


@pytest.mark.parametrize(
    ("permission", "role_name", "role"),
    [
        ("write", "release-team", Role.WRITE),
        ("read", "security", Role.READ),
        ("admin", "", Role.ADMIN),
        ("read", "admin", Role.READ),
        ("read", "maintain", Role.READ),
        ("none", "write", None),
        ("something-new", "write", None),
    ],
)
def test_a_role_that_an_organisation_made_counts_as_what_github_reduces_it_to(
    quiet, people, monkeypatch, permission, role_name, role
) -> None:
    answer = LevelRecord(permission=permission, role_name=role_name)
    monkeypatch.setattr("bot.github.people.read_level", lambda _: answer)
    quiet.world.user("carol")
    assert people.role("carol") == role


def test_who_is_nobody_has_no_role(quiet, people) -> None:
    assert people.role("no-such-account") is None
    assert people.role("") is None
    assert not people.may_write("")
    assert len(quiet.sent("GET", "/collaborators/")) == 1


@pytest.mark.parametrize("status", [403, 401])
def test_where_it_cannot_be_found_out_the_asker_is_told_and_nobody_may_write(quiet, people, status) -> None:
    quiet.server.faults.add(Fault(match="GET */collaborators/*", status=status, times=None))
    with pytest.raises(OutsideError):
        people.role("wendy")
    assert not people.may_write("wendy")


def test_a_name_cannot_lead_to_another_path(quiet, people) -> None:
    assert people.role("x/../../../user") is None
    (seen,) = quiet.sent("GET")
    assert "/collaborators/" in seen.path


def test_one_review_asks_about_a_few_people_alone(quiet, people) -> None:
    for n in range(limits.ROLES_ASKED + 3):
        quiet.repo.permission(f"w{n}", "write")
    judged = [people.may_write(f"w{n}") for n in range(limits.ROLES_ASKED + 3)]
    assert judged == [True] * limits.ROLES_ASKED + [False] * 3
    assert people.may_write("w0")
    assert len(quiet.sent("GET", "/collaborators/")) == limits.ROLES_ASKED
