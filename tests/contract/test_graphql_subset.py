"""The stand-in's GraphQL schema is a part of GitHub's: same types, same fields, same arguments."""

from __future__ import annotations

from typing import Any

from graphql import GraphQLObjectType, is_enum_type, is_input_object_type, is_interface_type, validate_schema

from bot.sandbox.github.graph_mutations import MUTATIONS
from bot.sandbox.github.routes_graphql import schema


def names(schema_: Any) -> set[str]:
    return {name for name in schema_.type_map if not name.startswith("__")}


def test_the_schema_is_valid_in_itself() -> None:
    assert validate_schema(schema()) == []


def test_every_type_is_githubs(contract_checker: Any) -> None:
    assert names(schema()) - names(contract_checker.official_sdl()) == set()


def test_every_field_and_argument_is_githubs(contract_checker: Any) -> None:
    official = contract_checker.official_sdl().type_map
    checked = 0
    for name in names(schema()):
        own, theirs = schema().type_map[name], official[name]
        if not isinstance(own, GraphQLObjectType) and not is_interface_type(own):
            continue
        for field_name, field in own.fields.items():
            field_theirs = theirs.fields[field_name]
            assert str(field.type) == str(field_theirs.type), (name, field_name)
            own_args = {arg: str(value.type) for arg, value in field.args.items()}
            their_args = {arg: str(value.type) for arg, value in field_theirs.args.items()}
            assert own_args == their_args, (name, field_name)
            checked += 1
    assert checked > 150


def test_inputs_and_enums_are_githubs_whole(contract_checker: Any) -> None:
    official = contract_checker.official_sdl().type_map
    for name in names(schema()):
        own, theirs = schema().type_map[name], official[name]
        if is_input_object_type(own):
            assert {key: str(field.type) for key, field in own.fields.items()} == {
                key: str(field.type) for key, field in theirs.fields.items()
            }
        if is_enum_type(own):
            assert set(own.values) == set(theirs.values)


def test_every_mutation_of_the_schema_is_done_by_something() -> None:
    mutation = schema().mutation_type
    assert mutation is not None
    assert set(mutation.fields) == set(MUTATIONS)
