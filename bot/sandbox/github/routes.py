"""All operations of the stand-in's REST API in one table."""

from __future__ import annotations

from bot.sandbox.github import routes_comments, routes_contents, routes_pulls, routes_repo, routes_reviews
from bot.sandbox.github.call import Route

ROUTES: dict[tuple[str, str], Route] = {
    **routes_repo.ROUTES,
    **routes_contents.ROUTES,
    **routes_pulls.ROUTES,
    **routes_reviews.ROUTES,
    **routes_comments.ROUTES,
}
"""Method and path template to what runs."""
