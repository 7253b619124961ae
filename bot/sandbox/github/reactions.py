"""Reactions under comments and reviews: the eight there are, put and taken back. One door for REST, GraphQL and people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.sandbox.github.records import Comment, IssueComment, Pull, Reaction, Review, User

if TYPE_CHECKING:
    from bot.sandbox.github.world import World

REACTIONS = ("+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes")
"""As REST writes them."""
GRAPHQL = {"+1": "THUMBS_UP", "-1": "THUMBS_DOWN"} | {name: name.upper() for name in REACTIONS[2:]}
"""As GraphQL writes them, by REST's name."""
EMOJI = dict(zip(REACTIONS, "👍👎😄🎉😕❤🚀👀", strict=True))
"""As people see them."""
Reactable = Comment | IssueComment | Review | Pull
"""REST has reactions under comments alone; GraphQL under all of these."""


def put(world: World, record: Reactable, user: User, content: str) -> tuple[Reaction, bool]:
    """React; the old reaction and False when it was there already. ValueError for what is no reaction."""
    if content not in REACTIONS:
        raise ValueError(f"{content!r} is none of {', '.join(REACTIONS)}")
    for each in record.reactions:
        if each.user is user and each.content == content:
            return each, False
    reaction = world.named(
        "REA",
        lambda number, node_id: Reaction(
            id=number, node_id=node_id, user=user, content=content, created_at=world.now()
        ),
    )
    record.reactions.append(reaction)
    return reaction, True


def counted(record: Reactable) -> list[tuple[str, int]]:
    """Emoji and how often, of those that were given."""
    given = [(EMOJI[name], sum(each.content == name for each in record.reactions)) for name in REACTIONS]
    return [(emoji, count) for emoji, count in given if count]


def take_back(record: Reactable, user: User, content: str) -> Reaction | None:
    """Take one's own reaction back; None when there is none."""
    for each in record.reactions:
        if each.user is user and each.content == content:
            record.reactions.remove(each)
            return each
    return None
