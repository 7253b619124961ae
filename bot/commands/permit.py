"""Who may give which command. Fails closed: what GitHub does not tell about somebody counts against them.

Only the collaborators endpoint says what somebody is (`Role`); `author_association` of a webhook does not. The
configuration may let more people ask, and fewer write, but never more write: it can't give a right that GitHub did not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bot.commands.registry import Need
from bot.review.config import Role

WRITERS: Final = frozenset({Role.ADMIN, Role.MAINTAIN, Role.WRITE})
"""Who may push to the repository."""


def permitted(
    need: Need,
    role: Role | None,
    *,
    is_author: bool,
    allow: Sequence[Role],
    role_known: bool = True,
    is_set: bool = True,
) -> str:
    """Empty when somebody may, else why not, in words that follow `because`.

    `role` is None for somebody who is nothing to the repository, and also while `role_known` is False. `is_set`: whether
    the configuration says who may, rather than nobody having said anything.
    """
    allowed = role in allow or (is_author and Role.AUTHOR in allow)
    if need is Need.ANYONE:
        return ""
    if need is Need.ASK and (is_author or (role_known and allowed)):
        return ""
    if not role_known:
        return "GitHub did not tell me what you may do in this repository"
    yours = f"your role here is `{role}`" if role is not None else "you have no role in this repository"
    if need is Need.WRITE and role not in WRITERS:
        return f"it takes the right to write to this repository, and {yours}"
    if allowed:
        return ""
    if not is_set:
        return f"by default it is for {_names(allow)} and the author of the pull request, and {yours}"
    return f"`commands.allow` of `.github/spark.yml` names {_names(allow)}, and {yours}"


def _names(allow: Sequence[Role]) -> str:
    return ", ".join(f"`{role}`" for role in allow) or "nobody"
