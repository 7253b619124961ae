"""The GraphQL door: parse, validate, execute, and errors in GitHub's shape. Always 200 for an authenticated caller."""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path

from graphql import DocumentNode, GraphQLError, GraphQLSchema, build_schema, execute_sync, parse, validate

from bot.sandbox.github import graph_mutations, graph_objects
from bot.sandbox.github.call import ApiError, Call, Reply, Route
from bot.sandbox.github.graph_errors import RefusedError
from bot.sandbox.github.records import Json


@cache
def schema() -> GraphQLSchema:
    """The subset of GitHub's schema that the stand-in answers."""
    return build_schema((Path(__file__).parent / "schema.graphql").read_text("utf-8"))


@lru_cache(maxsize=512)
def _read(text: str) -> tuple[DocumentNode, tuple[GraphQLError, ...]]:
    """A query, and what is wrong with it. Clients ask the same few again and again, and to validate one takes 5 ms.

    Errors: GraphQLError where it cannot be parsed.
    """
    document = parse(text)
    return document, tuple(validate(schema(), document))


def run(call: Call) -> Reply:
    """One query or mutation."""
    if call.who.kind == "anonymous":
        raise ApiError(401, "This endpoint requires you to be authenticated.")
    text, variables = call.fields.get("query"), call.fields.get("variables") or {}
    if not isinstance(text, str):
        return _errors({"message": "A query attribute must be specified and must be a string."})
    try:
        document, problems = _read(text)
    except GraphQLError as error:
        return _errors(_shown(error))
    if problems:
        return _errors(*(_shown(problem) for problem in problems))
    result = execute_sync(
        schema(),
        document,
        root_value={**graph_objects.root(call), **graph_mutations.root(call)},
        variable_values=variables,
        operation_name=call.fields.get("operationName"),
    )
    answer: dict[str, Json] = {"data": result.data}
    if result.errors:
        for each in result.errors:
            if each.original_error is not None and not isinstance(each.original_error, RefusedError):
                raise each.original_error
        answer["errors"] = [_shown(each) for each in result.errors]
        if result.data is None and all(each.original_error is None for each in result.errors):
            del answer["data"]
    return Reply(data=answer)


def _errors(*errors: dict[str, Json]) -> Reply:
    return Reply(data={"errors": list(errors)})


def _shown(error: GraphQLError) -> dict[str, Json]:
    shown: dict[str, Json] = {}
    if isinstance(error.original_error, RefusedError) and error.original_error.type:
        shown["type"] = error.original_error.type
    if error.path is not None:
        shown["path"] = list(error.path)
    shown["locations"] = [{"line": place.line, "column": place.column} for place in error.locations or ()]
    return shown | {"message": error.message}


ROUTE = Route(run=run, docs="graphql")
