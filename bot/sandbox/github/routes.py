"""All operations of the stand-in's REST API in one table."""

from __future__ import annotations

from bot.sandbox.github import (
    routes_app,
    routes_checks,
    routes_comments,
    routes_contents,
    routes_graphql,
    routes_labels,
    routes_pulls,
    routes_reactions,
    routes_repo,
    routes_reviews,
)
from bot.sandbox.github.call import Route

ROUTES: dict[tuple[str, str], Route] = {
    **routes_repo.ROUTES,
    **routes_contents.ROUTES,
    **routes_pulls.ROUTES,
    **routes_reviews.ROUTES,
    **routes_comments.ROUTES,
    **routes_labels.ROUTES,
    **routes_reactions.ROUTES,
    **routes_checks.ROUTES,
    **routes_app.ROUTES,
}
"""Method and path template to what runs."""

GRAPHQL = routes_graphql.ROUTE
"""The one operation of the GraphQL door."""
