"""Holds what went over a stand-in GitHub's wire against GitHub's published contracts, and against rules of our own.

    problems = problems_of(server.requests)     # [] when every request and every answer is right

Requests: the OpenAPI's schema (with unknown keys refused), the GraphQL schema, and what those do not say. Answers: the
OpenAPI's schema of that operation and status. Answers that a fault spoiled are left out, their requests are not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import jsonschema_rs
from graphql import DocumentNode, GraphQLSchema, build_schema, parse, validate
from graphql.execution.values import get_variable_values

from bot.sandbox.github.seen import Seen

DATA = Path(__file__).parent / "data"
BODY_CHARACTERS = 65_536
ANNOTATION_BYTES = 65_536


NULLS = {
    "pull-request-review-comment": ("line", "position"),
    "pull-request": ("head/repo",),
    "pull-request-simple": ("head/repo",),
}
"""What GitHub answers with null although its contract says otherwise: the place of an outdated comment, and the head of a
fork that was deleted. Clients must bear both, so the stand-in does them."""


def mend(defs: dict[str, Any]) -> None:
    """Let the schemas say what GitHub does."""
    for name, paths in NULLS.items():
        for path in paths:
            *parents, last = path.split("/")
            place = defs[name]
            for parent in parents:
                place = place["properties"][parent]
            place["properties"][last] = {"anyOf": [place["properties"][last], {"type": "null"}]}


@cache
def contract(name: str) -> dict[str, Any]:
    """One of the trimmed contracts, by its package's short name."""
    found = next(path for path in DATA.glob(f"{name}-*.json") if re.fullmatch(rf"{name}-[\d.]+\.json", path.name))
    loaded = json.loads(found.read_text("utf-8"))
    assert isinstance(loaded, dict)
    if name == "openapi":
        mend(loaded["$defs"])
    return loaded


@cache
def official_sdl() -> GraphQLSchema:
    """GitHub's own definitions of the GraphQL that is used."""
    return build_schema(next(DATA.glob("graphql-schema-*.graphql")).read_text("utf-8"))


def strict(schema: Any) -> Any:
    """The schema with every object that lists its properties closed to others."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: strict(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and "additionalProperties" not in schema:
        found["additionalProperties"] = False
    return found


def _needed(schema: Any, defs: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    todo = [schema]
    while todo:
        for name in re.findall(r'"#/\$defs/([^"]+)"', json.dumps(todo.pop())):
            if name not in found:
                found[name] = defs[name]
                todo.append(defs[name])
    return found


def compiled(schema: Any, defs: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    """A validator that checks formats too."""
    whole = {"allOf": [schema], "$defs": _needed(schema, defs)}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


@cache
def request_validator(operation: str) -> jsonschema_rs.Draft202012Validator | None:
    """For the body of an operation such as `POST /repos/{}/{}/pulls`; None where it has none."""
    api = contract("openapi")
    schema = api["operations"][operation]["request"]
    if schema is None:
        return None
    # The "oneOf" of POST comments and its kin say the same as the rest, and would be closed one by one.
    return compiled(strict(schema), strict(api["$defs"])) if "oneOf" not in schema else compiled(schema, api["$defs"])


@cache
def answer_validator(operation: str, status: int) -> jsonschema_rs.Draft202012Validator | None:
    """For the answer of an operation. Errors that it does not list are held against GitHub's basic error."""
    api = contract("openapi")
    responses = api["operations"][operation]["responses"]
    schema = responses.get(str(status)) or ({"$ref": "#/$defs/basic-error"} if status >= 400 else None)
    return compiled(schema, api["$defs"]) if schema is not None else None


def problems_of(log: Iterable[Seen], *, requests: bool = True) -> list[str]:
    """Everything that is wrong with a log, one sentence each. `requests` False looks at the answers alone."""
    found: list[str] = []
    for seen in log:
        where = f"{seen.method} {seen.path}"
        if requests:
            found += [f"{where}: request: {text}" for text in _request_problems(seen)]
        if not seen.fault and seen.status:
            found += [f"{where}: answer {seen.status}: {text}" for text in _answer_problems(seen)]
    return found


def operation_of(seen: Seen) -> str:
    """The key of a request's operation in the contract."""
    return f"{seen.method} " + re.sub(r"\{[^}]*\}", "{}", seen.route)


def _request_problems(seen: Seen) -> Iterator[str]:
    if not seen.route:
        yield "GitHub has this operation, the stand-in does not" if seen.status == 404 else "no such operation"
        return
    if len(seen.body) < int(seen.headers.get("Content-Length") or 0):
        # Whoever sent it was killed in the middle of it.
        return
    if seen.body:
        try:
            body = seen.json
        except ValueError:
            yield "the body is no JSON"
            return
    else:
        body = None
    if seen.route == "/graphql":
        yield from _graphql_problems(body)
        return
    operation = operation_of(seen)
    validator = request_validator(operation)
    if validator is not None and body is not None:
        yield from (_said(error) for error in validator.iter_errors(body))
    extra = EXTRA.get(operation)
    if extra is not None and isinstance(body, dict):
        yield from extra(body)


def _answer_problems(seen: Seen) -> Iterator[str]:
    if not seen.route or seen.route == "/graphql" or seen.status in {204, 304}:
        return
    if not seen.answer_headers.get("Content-Type", "").startswith("application/json"):
        return
    validator = answer_validator(operation_of(seen), seen.status)
    if validator is None:
        yield "GitHub's contract has no such answer"
        return
    yield from (_said(error) for error in validator.iter_errors(seen.answer_json))


def _said(error: jsonschema_rs.ValidationError) -> str:
    place = "/".join(str(part) for part in error.instance_path)
    return f"{place}: {error.message}"[:400]


@lru_cache(maxsize=512)
def _query(text: str) -> tuple[DocumentNode, tuple[str, ...]]:
    """A query, and what is wrong with it: the same few are sent by many tests."""
    document = parse(text)
    return document, tuple(error.message for error in validate(official_sdl(), document))


def _graphql_problems(body: Any) -> Iterator[str]:
    if not isinstance(body, dict) or not isinstance(body.get("query"), str):
        yield "no query"
        return
    document, wrong = _query(body["query"])
    yield from wrong
    for definition in document.definitions:
        given = get_variable_values(
            official_sdl(), list(getattr(definition, "variable_definitions", None) or ()), body.get("variables") or {}
        )
        if isinstance(given, list):
            yield from (error.message for error in given)


# What GitHub's schemas do not say, and GitHub refuses or forgets all the same.


def _place(entry: dict[str, Any]) -> Iterator[str]:
    for name in ("side", "start_side"):
        if entry.get(name) not in {None, "LEFT", "RIGHT"}:
            yield f"{name} is {entry[name]!r}"
    line, start = entry.get("line"), entry.get("start_line")
    for name, value in (("line", line), ("start_line", start)):
        if isinstance(value, int) and value < 1:
            yield f"{name} is {value}"
    if isinstance(line, int) and isinstance(start, int):
        same = entry.get("start_side", entry.get("side")) == entry.get("side")
        if same and start >= line:
            yield f"start_line {start} does not precede line {line}"
        if "start_side" not in entry:
            yield "start_line without start_side"
    if line is not None and "side" not in entry:
        yield "line without side"
    if len(entry.get("body") or "") > BODY_CHARACTERS:
        yield "the body is too long"


def _review(body: dict[str, Any]) -> Iterator[str]:
    if body.get("event") in {"COMMENT", "REQUEST_CHANGES"} and not (body.get("body") or "").strip():
        yield f"{body['event']} without a body"
    if body.get("comments") and "commit_id" not in body:
        yield "no commit_id: the comments would go to whatever the head is then"
    if len(body.get("body") or "") > BODY_CHARACTERS:
        yield "the body is too long"
    for entry in body.get("comments") or []:
        yield from _place(entry)
        if "line" not in entry and "position" not in entry:
            yield "a comment with neither line nor position"


def _comment(body: dict[str, Any]) -> Iterator[str]:
    yield from _place(body)
    if not {"line", "subject_type", "in_reply_to", "position"} & set(body):
        yield "neither line nor subject_type nor in_reply_to"


def _body(body: dict[str, Any]) -> Iterator[str]:
    if len(body.get("body") or "") > BODY_CHARACTERS:
        yield "the body is too long"


def _check_run(body: dict[str, Any]) -> Iterator[str]:
    if body.get("status") == "completed" and "conclusion" not in body:
        yield "completed without a conclusion"
    for entry in (body.get("output") or {}).get("annotations") or []:
        for name in ("message", "raw_details"):
            if len((entry.get(name) or "").encode()) > ANNOTATION_BYTES:
                yield f"an annotation's {name} is too long"
        if entry.get("start_line") != entry.get("end_line") and {"start_column", "end_column"} & set(entry):
            yield "columns on an annotation of several lines"
        if len(entry.get("title") or "") > 255:
            yield "an annotation's title is too long"


def _status(body: dict[str, Any]) -> Iterator[str]:
    if len(body.get("description") or "") > 140:
        yield "the description is too long"


_REPO = "/repos/{}/{}"
EXTRA: dict[str, Callable[[dict[str, Any]], Iterator[str]]] = {
    f"POST {_REPO}/pulls/{{}}/reviews": _review,
    f"POST {_REPO}/pulls/{{}}/comments": _comment,
    f"PATCH {_REPO}/pulls/comments/{{}}": _body,
    f"POST {_REPO}/issues/{{}}/comments": _body,
    f"PATCH {_REPO}/issues/comments/{{}}": _body,
    f"POST {_REPO}/check-runs": _check_run,
    f"PATCH {_REPO}/check-runs/{{}}": _check_run,
    f"POST {_REPO}/statuses/{{}}": _status,
}
"""Operation to the rules that its schema misses."""
