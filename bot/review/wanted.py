"""Whether a repository's configuration wants a review of this pull, now. Pure; says why not in words for the check run."""

from __future__ import annotations

from collections.abc import Sequence

from bot.review.config import CONFIG_PATH, ReviewKeys, Trigger, glob_spec


def unwanted(
    keys: ReviewKeys, *, trigger: Trigger | None, label: str = "", draft: bool, base_ref: str, author: str
) -> str | None:
    """Why the pull is not to be reviewed, in one sentence without a full stop; None when it is.

    `trigger` None: a person asked for this very review, and gets it whatever the configuration says. `label`: the one that
    was just put on the pull, for `Trigger.LABEL`. The other arguments are the pull's.
    """
    if trigger is None:
        return None
    if trigger not in keys.on:
        return f"`review.on` in {CONFIG_PATH} of the base branch does not have `{trigger.value}`"
    if trigger is Trigger.LABEL and label.casefold() != keys.label.casefold():
        return f"the label that starts a review here is `{keys.label}`"
    if draft and not keys.drafts:
        return "it is a draft, and drafts are not reviewed here"
    if keys.branches and not glob_spec(keys.branches).match_file(base_ref):
        return f"`review.branches` does not have the base branch `{base_ref}`"
    if not _is_listed(author, keys.authors):
        return f"`review.authors` leaves out {author or 'pull requests whose author is gone'}"
    return None


def _is_listed(author: str, entries: Sequence[str]) -> bool:
    """`!name` goes before `name`, wherever it stands. A bot may be written with or without its `[bot]`."""
    names = {author.casefold(), author.casefold().removesuffix("[bot]")}
    left_out = {entry[1:].strip().casefold() for entry in entries if entry.startswith("!")}
    listed = {entry.strip().casefold() for entry in entries if not entry.startswith("!")}
    return not names & left_out and (not listed or bool(names & listed))
