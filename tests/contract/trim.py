"""Makes `data/` from GitHub's published contracts: only what the stand-in answers, sends or receives.

    python tests/contract/trim.py UNPACKED

`UNPACKED` is a folder with the four npm packages unpacked into folders of these names: `openapi` (@octokit/openapi 23.0.2),
`graphql-schema` (@octokit/graphql-schema 15.26.1), `openapi-webhooks` (@octokit/openapi-webhooks 12.1.0),
`webhooks-examples` (@octokit/webhooks-examples 7.6.1). All are MIT; the notice is in `data/NOTICE.md`.

Fails when an operation, type, field or event of the stand-in is not in GitHub's contract.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from graphql import parse, print_ast
from graphql.language import ast

from bot.sandbox.github.routes import ROUTES

DATA = Path(__file__).parent / "data"
SDL = Path(__file__).parents[2] / "bot" / "sandbox" / "github" / "schema.graphql"
NOISE = {"description", "example", "examples", "deprecated", "x-github", "externalDocs", "discriminator", "default"}
EVENTS = {
    "pull_request": (
        "opened",
        "synchronize",
        "closed",
        "reopened",
        "ready_for_review",
        "converted_to_draft",
        "labeled",
        "unlabeled",
        "edited",
    ),
    "pull_request_review": ("submitted", "edited"),
    "pull_request_review_comment": ("created", "edited"),
    "pull_request_review_thread": ("resolved", "unresolved"),
    "issue_comment": ("created", "edited"),
    "check_run": ("created", "completed", "rerequested", "requested_action"),
    "check_suite": ("rerequested",),
    "merge_group": ("checks_requested", "destroyed"),
    "installation": ("created", "deleted", "suspend", "unsuspend"),
    "installation_repositories": ("added", "removed"),
    "ping": (None,),
}
EXAMPLES = {
    "pull_request": ("opened", "synchronize"),
    "pull_request_review": ("submitted",),
    "pull_request_review_comment": ("created",),
    "pull_request_review_thread": ("resolved",),
    "issue_comment": ("created",),
    "check_run": ("completed", "requested_action"),
    "check_suite": ("rerequested",),
    "merge_group": ("checks_requested",),
    "installation": ("created", "suspend"),
    "installation_repositories": ("added", "removed"),
}
SAME = {"/repos/{}/{}/contents": "/repos/{}/{}/contents/{}"}


def shape(path: str) -> str:
    """A path template without the names of its parameters."""
    return re.sub(r"\{[^}]*\}|<[^>]*>", "{}", path)


def plain(schema: Any) -> Any:
    """A schema of OpenAPI 3.0 as JSON Schema: no noise, `nullable` as a type, refs into `$defs`."""
    if isinstance(schema, list):
        return [plain(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return {"$ref": "#/$defs/" + schema["$ref"].rsplit("/", 1)[1]}
    found: dict[str, Any] = {}
    if [each.get("title") for each in schema.get("allOf", [])] == ["Simple User", "Enterprise"]:
        # A slip of the published contract: an account is one of the two. `installation` has it right.
        schema = {"anyOf" if key == "allOf" else key: value for key, value in schema.items()}
    for key, value in schema.items():
        if key == "properties":
            found[key] = {name: plain(each) for name, each in value.items()}
        elif key == "enum":
            found[key] = list(value)
        elif key not in NOISE and key != "nullable":
            found[key] = plain(value)
    if not schema.get("nullable"):
        return found
    if "type" in found and not {"allOf", "anyOf", "oneOf"} & set(found):
        found["type"] = [found["type"], "null"]
        if "enum" in found and None not in found["enum"]:
            found["enum"].append(None)
        return found
    return {"anyOf": [found, {"type": "null"}]}


def refs(schema: Any) -> set[str]:
    """The names in `$defs` that a schema uses directly."""
    if isinstance(schema, list):
        return set().union(*(refs(each) for each in schema)) if schema else set()
    if not isinstance(schema, dict):
        return set()
    own = {schema["$ref"].rsplit("/", 1)[1]} if isinstance(schema.get("$ref"), str) else set()
    return own.union(*(refs(each) for key, each in schema.items() if key != "$ref"))


def closure(wanted: Any, components: dict[str, Any]) -> dict[str, Any]:
    """All the schemas that `wanted` needs, with those that they need."""
    found: dict[str, Any] = {}
    todo = list(refs(wanted))
    while todo:
        name = todo.pop()
        if name not in found:
            found[name] = plain(components[name])
            todo += refs(found[name])
    return dict(sorted(found.items()))


def rest(folder: Path) -> dict[str, Any]:
    """The operations of the stand-in as GitHub's OpenAPI has them."""
    api = json.loads((folder / "generated" / "api.github.com.json").read_text("utf-8"))
    by_shape = {(method.upper(), shape(path)): op for path, ops in api["paths"].items() for method, op in ops.items()}
    operations = {}
    for method, template in ROUTES:
        key = (method, SAME.get(shape(template), shape(template)))
        official = by_shape[key]
        operations[f"{method} {shape(template)}"] = {
            "operationId": official["operationId"],
            "request": plain(body(official.get("requestBody", {}), api)),
            "responses": {status: plain(body(each, api)) for status, each in official["responses"].items()},
        }
    wanted = {"operations": operations, "$defs": closure(operations, api["components"]["schemas"])}
    wanted["$defs"] |= closure([{"$ref": "#/$defs/basic-error"}], api["components"]["schemas"])
    return wanted


def body(message: dict[str, Any], api: dict[str, Any]) -> dict[str, Any] | None:
    """The JSON schema of a request or response, None for one without JSON."""
    if "$ref" in message:
        _, _, kind, name = message["$ref"].split("/")
        message = api["components"][kind][name]
    for media, content in message.get("content", {}).items():
        if media.startswith("application/json"):
            schema = content.get("schema")
            assert schema is None or isinstance(schema, dict)
            return schema
    return None


def webhooks(folder: Path) -> dict[str, Any]:
    """The payload schemas of the events that the stand-in sends."""
    api = json.loads((folder / "generated" / "api.github.com.json").read_text("utf-8"))
    payloads = {}
    for event, actions in EVENTS.items():
        for action in actions:
            name = event if action is None else f"{event}-{action}"
            hook = api["webhooks"][name.replace("_", "-")]["post"]
            headers = [each["name"] for each in hook["parameters"] if each["in"] == "header"]
            schema = plain(hook["requestBody"]["content"]["application/json"]["schema"])
            payloads[f"{event}.{action}"] = {"headers": headers, "payload": schema}
    return {"webhooks": payloads, "$defs": closure(payloads, api["components"]["schemas"])}


def examples(folder: Path) -> dict[str, Any]:
    """One of GitHub's own example payloads for each event of `EXAMPLES`."""
    index = json.loads((folder / "api.github.com" / "index.json").read_text("utf-8"))
    found: dict[str, Any] = {}
    for entry in index:
        for example in entry["examples"]:
            key = f"{entry['name']}.{example.get('action')}"
            if example.get("action") in EXAMPLES.get(entry["name"], ()):
                found.setdefault(key, example)
    return dict(sorted(found.items()))


def sdl(folder: Path) -> str:
    """The official definitions of the types and fields in the stand-in's SDL."""
    official = {each.name.value: each for each in parse((folder / "schema.graphql").read_text("utf-8")).definitions}
    parts = []
    for own in parse(SDL.read_text("utf-8")).definitions:
        theirs = official[own.name.value]
        if isinstance(own, ast.ObjectTypeDefinitionNode | ast.InterfaceTypeDefinitionNode):
            fields = {field.name.value: field for field in theirs.fields}
            names = [field.name.value for field in own.fields]
            lines = "\n".join("  " + re.sub(r"\s+", " ", bare(fields[name])) for name in names)
            kind = "interface" if isinstance(own, ast.InterfaceTypeDefinitionNode) else "type"
            joined = " & ".join(each.name.value for each in theirs.interfaces or () if each.name.value in known())
            also = f" implements {joined}" if joined and own.name.value != "Query" else ""
            parts.append(f"{kind} {own.name.value}{also} {{\n{lines}\n}}")
        elif isinstance(own, ast.UnionTypeDefinitionNode):
            members = " | ".join(each.name.value for each in theirs.types if each.name.value in known())
            parts.append(f"union {own.name.value} = {members}")
        else:
            parts.append(bare(theirs))
    return "\n\n".join(parts) + "\n"


def known() -> set[str]:
    """The types of the stand-in's SDL."""
    return {each.name.value for each in parse(SDL.read_text("utf-8")).definitions}


def bare(node: Any) -> str:
    """SDL of a definition without descriptions and directives."""
    text = re.sub(r'"""(?:[^"]|"(?!""))*"""\n?', "", print_ast(node))
    text = re.sub(r"\s*@\w+(?:\((?:[^()\"]|\"(?:[^\"\\]|\\.)*\")*\))?", "", text)
    return re.sub(r"\n\s*\n+", "\n", re.sub(r"\(\s+", "(", re.sub(r",?\s+\)", ")", text)))


def main() -> None:
    """Write `data/`."""
    folder = Path(sys.argv[1])
    DATA.mkdir(exist_ok=True)

    def version(name: str) -> str:
        found = json.loads((folder / name / "package.json").read_text("utf-8"))["version"]
        assert isinstance(found, str)
        return found

    def write(name: str, value: Any) -> None:
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        (DATA / f"{name}-{version(name)}.json").write_text(text + "\n", "utf-8")

    write("openapi", rest(folder / "openapi"))
    write("openapi-webhooks", webhooks(folder / "openapi-webhooks"))
    write("webhooks-examples", examples(folder / "webhooks-examples"))
    (DATA / f"graphql-schema-{version('graphql-schema')}.graphql").write_text(sdl(folder / "graphql-schema"), "utf-8")


if __name__ == "__main__":
    main()
