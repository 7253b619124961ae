from __future__ import annotations

import pytest

from bot.review.config import Trigger, read_config
from bot.review.wanted import unwanted


def asked(text: str = "", **more: object) -> str | None:
    keys = read_config(f"review:\n{text}" if text else "", name="spark.yml").review
    pull = {"trigger": Trigger.OPENED, "draft": False, "base_ref": "main", "author": "mona", **more}
    return unwanted(keys, **pull)


@pytest.mark.parametrize("trigger", [Trigger.OPENED, Trigger.SYNCHRONIZE, Trigger.READY_FOR_REVIEW])
def test_without_a_configuration_what_opens_or_changes_a_pull_starts_a_review(trigger: Trigger) -> None:
    assert asked(trigger=trigger) is None


@pytest.mark.parametrize(
    ("config", "pull", "word"),
    [
        ("  on: [opened]", {"trigger": Trigger.SYNCHRONIZE}, "does not have `synchronize`"),
        ("", {"trigger": Trigger.LABEL, "label": "spark"}, "does not have `label`"),
        (
            "  on: [label]",
            {"trigger": Trigger.LABEL, "label": "docs"},
            "the label that starts a review here is `spark`",
        ),
        ("  on: [label]\n  label: look", {"trigger": Trigger.LABEL, "label": "spark"}, "is `look`"),
        ("", {"draft": True}, "draft"),
        ("  branches: [main, 'release/*']", {"base_ref": "topic"}, "base branch `topic`"),
        ("  branches: ['*', '!old']", {"base_ref": "old"}, "base branch `old`"),
        ("  authors: [ann]", {}, "leaves out mona"),
        ("  authors: ['!mona']", {}, "leaves out mona"),
        ("  authors: [mona, '!MONA']", {}, "leaves out mona"),
        ("  authors: ['!dependabot']", {"author": "dependabot[bot]"}, "leaves out dependabot[bot]"),
        ("  authors: [ann]", {"author": ""}, "author is gone"),
    ],
)
def test_what_the_configuration_leaves_out_is_told_with_its_reason(config: str, pull: dict, word: str) -> None:
    why = asked(config, **pull)
    assert why is not None
    assert word in why
    assert not why.endswith(".")


@pytest.mark.parametrize(
    ("config", "pull"),
    [
        ("  on: [label]", {"trigger": Trigger.LABEL, "label": "Spark"}),
        ("  drafts: true", {"draft": True}),
        ("  branches: [main, 'release/*']", {"base_ref": "release/2.0"}),
        ("  authors: [Mona]", {}),
        ("  authors: ['!ann']", {}),
        ("  authors: ['renovate[bot]']", {"author": "renovate[bot]"}),
        ("  authors: [renovate]", {"author": "renovate[bot]"}),
    ],
)
def test_what_the_configuration_lists_is_reviewed(config: str, pull: dict) -> None:
    assert asked(config, **pull) is None


def test_who_asks_for_a_review_gets_it_whatever_the_configuration_says() -> None:
    nothing = "  on: []\n  branches: [never]\n  authors: [nobody]"
    assert asked(nothing) is not None
    assert asked(nothing, trigger=None, draft=True) is None
