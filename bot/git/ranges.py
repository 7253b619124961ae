"""What a range on the command line means: two commits, found or explained.

`A..B` compares A with B. `A...B` compares the merge base of both with B: what B brings. One revision `REV` means
`REV...HEAD`; no range means the default branch in its place. An empty side is HEAD.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.errors import UserError
from bot.git.process import Repository

DEFAULT_BRANCHES = ("refs/remotes/origin/main", "refs/remotes/origin/master", "refs/heads/main", "refs/heads/master")
"""Where the default branch may be, tried in this order after the one that `origin/HEAD` points to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Two commits by their full ids, and what they were called."""

    base: str
    head: str
    name: str
    """The range for people, such as `main...HEAD`."""


def find_range(repo: Repository, text: str | None) -> Range:
    """Resolve a range. UserError, naming what is wrong, when a side is unknown or there is no common ancestor."""
    if text is None:
        return _default(repo)
    asked = text.strip()
    if "..." in asked:
        left, _, right = asked.partition("...")
    elif ".." in asked:
        left, _, right = asked.partition("..")
        base, head = _commit(repo, left), _commit(repo, right)
        return Range(base=base, head=head, name=f"{left or 'HEAD'}..{right or 'HEAD'}")
    else:
        left, right = asked, "HEAD"
        if not asked:
            raise UserError("The range is empty", remedy="Name one, such as main...HEAD, or leave it out.")
    return _since_fork(repo, left or "HEAD", right or "HEAD")


def _default(repo: Repository) -> Range:
    _commit(repo, "HEAD")
    pointed = repo.git("symbolic-ref", "--quiet", "refs/remotes/origin/HEAD", ok=None)
    tried = [pointed.text] if pointed.code == 0 and pointed.text else []
    tried += [ref for ref in DEFAULT_BRANCHES if ref not in tried]
    branch = next((ref for ref in tried if repo.commit(ref)), None)
    if branch is None:
        names = ", ".join(_short(ref) for ref in tried)
        raise UserError(
            f"The default branch was not found (tried origin/HEAD, {names})",
            remedy="Name a range, such as BRANCH...HEAD or HEAD~1..HEAD, or use --staged.",
        )
    return _since_fork(repo, _short(branch), "HEAD", base=branch)


def _since_fork(repo: Repository, left: str, right: str, *, base: str | None = None) -> Range:
    """`base` is the full name of `left`, where a tag of the same short name must not win."""
    left_id, head = _commit(repo, base or left), _commit(repo, right)
    answer = repo.git("merge-base", left_id, head, ok=None)
    if answer.code != 0 or not answer.text:
        remedy = (
            "This clone is shallow: run git fetch --unshallow (in actions/checkout: fetch-depth: 0), "
            f"or compare directly with {left}..{right}."
            if repo.shallow
            else f"Compare them directly with {left}..{right}."
        )
        raise UserError(f"{left} and {right} have no common ancestor here", remedy=remedy)
    return Range(base=answer.text.split("\n")[0], head=head, name=f"{left}...{right}")


def _commit(repo: Repository, revision: str) -> str:
    found = repo.commit(revision or "HEAD")
    if found is not None:
        return found
    if revision in {"", "HEAD"}:
        raise UserError("There is no commit yet", remedy="Review what is to be committed with --staged.")
    remedy = (
        "This clone is shallow: run git fetch --unshallow (in actions/checkout: fetch-depth: 0)."
        if repo.shallow
        else "See git branch --all and git log for what there is; a remote branch may need git fetch first."
    )
    shown = "".join(char if char.isprintable() else "?" for char in revision)
    raise UserError(f"Git knows no commit named {shown!r}", remedy=remedy)


def _short(ref: str) -> str:
    return ref.removeprefix("refs/remotes/").removeprefix("refs/heads/")
