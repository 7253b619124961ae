"""One API call on its way through the stand-in: what came in, who asks, what goes out, and the errors.

Handlers get a `Call` and give a `Reply` or raise `ApiError`; they never see Flask.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from bot.sandbox.github.faults import Fault
from bot.sandbox.github.options import GitHubOptions
from bot.sandbox.github.records import Json, Principal, Pull, User
from bot.sandbox.github.shapes import Urls

if TYPE_CHECKING:
    from bot.sandbox.github.rates import RateBook
    from bot.sandbox.github.repo import Repo
    from bot.sandbox.github.webhooks import Webhooks
    from bot.sandbox.github.world import World


class ApiError(Exception):
    """An answer that is an error. `errors` is GitHub's list of strings or objects."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        errors: Sequence[Json] | None = None,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Json] | None = None,
    ) -> None:
        super().__init__(f"{status} {message}")
        self.status = status
        self.message = message
        self.errors = errors
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})


def not_found() -> ApiError:
    """404, also for what the asker may not know of."""
    return ApiError(404, "Not Found")


def unprocessable(*texts: str) -> ApiError:
    """422 as the reviews endpoint gives it."""
    return ApiError(422, "Unprocessable Entity", errors=list(texts))


def validation_failed(*errors: Mapping[str, Json]) -> ApiError:
    """422 as most endpoints give it."""
    return ApiError(422, "Validation Failed", errors=[dict(each) for each in errors])


def invalid_request(text: str) -> ApiError:
    """422 for a body of the wrong form."""
    return ApiError(422, f"Invalid request.\n\n{text}")


@dataclass(slots=True, kw_only=True)
class Reply:
    """A good answer. `data` is JSON; `raw` goes out as it is. Neither gives an empty body."""

    status: int = 200
    data: Json = None
    raw: bytes | None = None
    media: str = "application/json; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        """The body's bytes."""
        if self.raw is not None:
            return self.raw
        return b"" if self.data is None else json.dumps(self.data, ensure_ascii=False).encode("utf-8", "replace")


@dataclass(slots=True, kw_only=True)
class Call:
    """One request, read."""

    world: World
    urls: Urls
    who: Principal
    rates: RateBook
    webhooks: Webhooks
    method: str
    path: str
    """Without the `/api/v3` prefix."""
    args: Mapping[str, str | int]
    query: Mapping[str, str]
    body: Json
    accept: str
    docs: str
    broken: Fault | None = None
    """What some fields of a mutation are to answer instead of being done."""

    @property
    def options(self) -> GitHubOptions:
        """How the stand-in was set up."""
        return self.world.options

    @property
    def user(self) -> User:
        """The account that asks. Only for routes that refuse anonymous calls."""
        assert self.who.user is not None
        return self.who.user

    @property
    def repo(self) -> Repo:
        """The repository of the path. ApiError 404 when there is none."""
        found = self.world.repos.get(f"{self.args['owner']}/{self.args['name']}".lower())
        if found is None:
            raise not_found()
        return found

    @property
    def pull(self) -> Pull:
        """The pull of the path. ApiError 404 when there is none."""
        found = self.repo.pulls.get(int(self.args["number"]))
        if found is None:
            raise not_found()
        return found

    @property
    def fields(self) -> dict[str, Json]:
        """The body as an object. ApiError 400 when it is none."""
        if self.body is None:
            return {}
        if not isinstance(self.body, dict):
            raise ApiError(400, "Body should be a JSON object")
        return self.body

    def text(self, name: str, *, required: bool = True) -> str | None:
        """A string of the body. ApiError 422 when it is missing (and required) or something else."""
        value = self.fields.get(name)
        if value is None:
            if required:
                raise invalid_request(f'"{name}" wasn\'t supplied.')
            return None
        if not isinstance(value, str):
            raise invalid_request(f"For 'properties/{name}', {json.dumps(value)} is not a string.")
        return value

    def needed(self, name: str) -> str:
        """A string that must be there."""
        value = self.text(name)
        assert value is not None
        return value

    def page(self, items: Sequence[Json], wrap: Callable[[Sequence[Json]], Json] = list, *, ends: bool = True) -> Reply:
        """One page of `items`, with GitHub's Link header. `wrap` puts the page into an envelope.

        `ends` False leaves `first` and `last` out, as the checks API does.
        """
        limits = self.options.limits
        per_page = min(_positive(self.query.get("per_page"), limits.per_page), limits.per_page_max)
        page = _positive(self.query.get("page"), 1)
        last = max(1, -(-len(items) // per_page))
        links: dict[str, int] = {}
        if page < last:
            links |= {"next": page + 1, "last": last}
        if page > 1:
            links |= {"prev": min(page - 1, last), "first": 1}
        headers = {}
        if links:
            shown = links if ends else {rel: links[rel] for rel in links if rel in {"next", "prev"}}
            order = sorted(shown, key=["prev", "next", "last", "first"].index)
            headers["Link"] = ", ".join(f'<{self._paged(links[rel])}>; rel="{rel}"' for rel in order)
        return Reply(data=wrap(items[(page - 1) * per_page : page * per_page]), headers=headers)

    def _paged(self, page: int) -> str:
        query = {**self.query, "page": str(page)}
        tail = "&".join(f"{quote(name)}={quote(value, safe='')}" for name, value in query.items())
        path = self.path
        if "owner" in self.args:
            # As on GitHub, links to further pages name the repository by its number.
            full_name = f"/repos/{self.args['owner']}/{self.args['name']}"
            path = f"/repositories/{self.repo.id}{path.removeprefix(full_name)}"
        return f"{self.urls.api}{quote(path)}?{tail}"


def _positive(text: str | None, default: int) -> int:
    return int(text) if text is not None and text.isdigit() and int(text) > 0 else default


Handler = Callable[[Call], Reply]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One operation of the API. `needs` is `permission:level`, several joined by `|` of which one is enough."""

    run: Handler
    needs: str = "metadata:read"
    docs: str = ""
    creates: bool = False
    """Whether it counts as creating content for the secondary limits."""
