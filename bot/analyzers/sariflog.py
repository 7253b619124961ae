"""A SARIF 2.1.0 file as plain values: bytes become types here and nowhere else.

Refuses files that are no SARIF log, naming file and place. Inside a log it is lenient, as tools are careless: a result
that cannot be read is counted, never fatal.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bot.analyzers.fixes import Edit
from bot.analyzers.gist import gist
from bot.errors import UserError

MAX_BYTES = 64 * 1024 * 1024
"""A larger file is refused; GitHub's own limit for an upload is 10 MB compressed."""

WHOLE_LINE: Final = 1 << 30
"""Stands for the column behind the last character of a line, where the log names none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SarifResult:
    """One result at its first place. Lines count from 1."""

    tool: str
    rule: str
    level: str
    """`error`, `warning`, `note` or `none`."""
    score: float | None
    """`security-severity` of the rule, 0 to 10."""
    tags: tuple[str, ...]
    title: str
    message: str
    help: str
    """Why the rule matters, in a paragraph."""
    uris: tuple[str, ...]
    """Names of the file to try, the most likely first: as given, and joined with its base."""
    start: int
    end: int
    edits: tuple[Edit, ...]
    """The first fix, when it is about this file alone."""
    utf16: bool
    """Columns are UTF-16 code units (or may be): they mean characters only on lines without astral ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SarifLog:
    """A whole file. `unplaced` counts the results without a file and line."""

    tools: tuple[str, ...]
    results: tuple[SarifResult, ...]
    unplaced: int


def read_log(path: Path) -> SarifLog:
    """Read a file. UserError naming it, and the place of a mistake, when it is no SARIF 2.1.0 log."""
    document = _load(path)
    runs = document.get("runs") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(runs, list):
        raise UserError(f"{path} is no SARIF log: it has no list of runs", remedy="Pass what the tool wrote as SARIF.")
    version = document.get("version")
    if version != "2.1.0":
        raise UserError(f"{path} is SARIF {version!r}", remedy="Let the tool write SARIF 2.1.0.")
    tools: list[str] = []
    results: list[SarifResult] = []
    unplaced = 0
    for run in runs:
        if not isinstance(run, dict):
            continue
        reader = _Run(run)
        tools.append(reader.tool)
        for entry in _list(run, "results"):
            if not isinstance(entry, dict) or _settled(entry):
                continue
            result = reader.result(entry)
            if result is None:
                unplaced += 1
            else:
                results.append(result)
    return SarifLog(tools=tuple(dict.fromkeys(tools)), results=tuple(results), unplaced=unplaced)


def _load(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise UserError(
            f"The SARIF file {path} cannot be read ({why})", remedy="Check the path after --sarif."
        ) from error
    if len(data) > MAX_BYTES:
        raise UserError(f"{path} is larger than {MAX_BYTES >> 20} MiB", remedy="Let the tool report on fewer files.")
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return json.loads(data.decode("utf-16" if utf16 else "utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 (byte {error.start})", remedy="Write it as UTF-8.") from error
    except json.JSONDecodeError as error:
        remedy = "The tool may have been cut off while writing it; run it again."
        raise UserError(
            f"{path} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}", remedy=remedy
        ) from error
    except (RecursionError, ValueError) as error:
        raise UserError(
            f"{path} is nested too deeply, or has a number that is too long", remedy="It is no SARIF."
        ) from error


def _settled(entry: Mapping[str, Any]) -> bool:
    """Whether a result says that there is nothing to do: passed, suppressed, or gone since the baseline."""
    if (_str(entry, "kind") or "fail") not in {"fail", "review", "open"} or entry.get("baselineState") == "absent":
        return True
    return any(
        isinstance(suppression, dict) and suppression.get("status", "accepted") == "accepted"
        for suppression in _list(entry, "suppressions")
    )


class _Run:
    """One run of a log, for looking its results' references up."""

    def __init__(self, run: Mapping[str, Any]) -> None:
        tool = _dict(run, "tool")
        self._components = [
            _dict(tool, "driver"),
            *(part for part in _list(tool, "extensions") if isinstance(part, dict)),
        ]
        self.tool = _str(self._components[0], "name") or "unknown tool"
        self._bases = _dict(run, "originalUriBaseIds")
        self._artifacts = _list(run, "artifacts")
        self._utf16 = run.get("columnKind") != "unicodeCodePoints"

    def result(self, entry: Mapping[str, Any]) -> SarifResult | None:
        locations = _list(entry, "locations")
        place = _dict(locations[0], "physicalLocation") if locations and isinstance(locations[0], dict) else {}
        uris = self._uris(_dict(place, "artifactLocation"))
        region = _dict(place, "region")
        start = _int(region, "startLine")
        if not uris or start is None or start < 1:
            return None
        end = max(start, _int(region, "endLine") or start)
        if end > start and _int(region, "endColumn") == 1:
            end -= 1
        name, rule = self._rule(entry)
        properties = _dict(rule, "properties")
        message = self._message(entry, rule)
        short = _str(_dict(rule, "shortDescription"), "text")
        return SarifResult(
            tool=self.tool,
            rule=name,
            level=_level(entry, rule),
            score=_score(properties.get("security-severity"), _dict(entry, "properties").get("security-severity")),
            tags=tuple(str(tag).lower() for tag in _list(properties, "tags")),
            title=(message or short or name).split("\n", 1)[0][:200],
            message=message or short or name,
            help=gist(_str(_dict(rule, "fullDescription"), "text") or short),
            uris=uris,
            start=start,
            end=end,
            edits=self._edits(entry, uris),
            utf16=self._utf16,
        )

    def _rule(self, entry: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
        reference = _dict(entry, "rule")
        name = _str(entry, "ruleId") or _str(reference, "id")
        index = _int(entry, "ruleIndex")
        index = _int(reference, "index") if index is None else index
        component = self._component(_dict(reference, "toolComponent"))
        rules = [rule for rule in _list(component, "rules") if isinstance(rule, dict)]
        if index is not None and 0 <= index < len(rules) and _fits(name, _str(rules[index], "id")):
            found = rules[index]
            return name or _str(found, "id") or "unnamed", found
        for rule in (rule for part in self._components for rule in _list(part, "rules") if isinstance(rule, dict)):
            if name and _str(rule, "id") == name:
                return name, rule
        return name or "unnamed", {}

    def _component(self, reference: Mapping[str, Any]) -> Mapping[str, Any]:
        index, name = _int(reference, "index"), _str(reference, "name")
        if index is not None and 0 <= index < len(self._components) - 1:
            return self._components[index + 1]
        return next((part for part in self._components if name and _str(part, "name") == name), self._components[0])

    def _message(self, entry: Mapping[str, Any], rule: Mapping[str, Any]) -> str:
        message = _dict(entry, "message")
        text = _str(message, "text")
        if not text and (key := _str(message, "id")):
            text = _str(_dict(_dict(rule, "messageStrings"), key), "text")
        arguments = [str(argument) for argument in _list(message, "arguments")]

        def fill(found: re.Match[str]) -> str:
            number = int(found[1])
            return arguments[number] if number < len(arguments) else found[0]

        return re.sub(r"\{(\d{1,3})\}", fill, text).strip() if arguments else text.strip()

    def _uris(self, location: Mapping[str, Any]) -> tuple[str, ...]:
        index = _int(location, "index")
        if not _str(location, "uri") and index is not None and 0 <= index < len(self._artifacts):
            artifact = self._artifacts[index]
            location = _dict(artifact, "location") if isinstance(artifact, dict) else {}
        uri = _str(location, "uri")
        if not uri:
            return ()
        base = self._base(_str(location, "uriBaseId"))
        # The joined name goes first: a base below the root says which folder is meant.
        return (base + uri, uri) if base and not _absolute(uri) else (uri,)

    def _base(self, name: str) -> str:
        """The URI of a base id, through the bases it stands on; empty where the log does not say."""
        parts, seen = [], set()
        while name and name not in seen:
            seen.add(name)
            base = _dict(self._bases, name)
            if uri := _str(base, "uri"):
                parts.append(uri if uri.endswith("/") else f"{uri}/")
                if _absolute(uri):
                    break
            name = _str(base, "uriBaseId")
        return "".join(reversed(parts))

    def _edits(self, entry: Mapping[str, Any], uris: tuple[str, ...]) -> tuple[Edit, ...]:
        fixes = _list(entry, "fixes")
        changes = _list(fixes[0], "artifactChanges") if fixes and isinstance(fixes[0], dict) else []
        if len(changes) != 1 or not isinstance(changes[0], dict):
            return ()
        if not set(self._uris(_dict(changes[0], "artifactLocation"))) & set(uris):
            return ()
        edits = [_edit(part) for part in _list(changes[0], "replacements")]
        return tuple(edit for edit in edits if edit is not None) if all(edits) else ()


def _edit(replacement: object) -> Edit | None:
    if not isinstance(replacement, dict):
        return None
    region = _dict(replacement, "deletedRegion")
    start = _int(region, "startLine")
    if start is None:
        return None
    end = _int(region, "endLine") or start
    end_column = _int(region, "endColumn")
    return Edit(
        start_line=start,
        start_column=_int(region, "startColumn") or 1,
        end_line=end,
        end_column=WHOLE_LINE if end_column is None else end_column,
        text=_str(_dict(replacement, "insertedContent"), "text"),
    )


def _level(entry: Mapping[str, Any], rule: Mapping[str, Any]) -> str:
    level = _str(entry, "level") or _str(_dict(rule, "defaultConfiguration"), "level")
    return level if level in {"error", "warning", "note", "none"} else "warning"


def _score(*candidates: object) -> float | None:
    for candidate in candidates:
        if isinstance(candidate, (str, int, float)) and not isinstance(candidate, bool):
            try:
                score = float(candidate)
            except ValueError:
                continue
            if 0 <= score <= 10:
                return score
    return None


def _fits(name: str, rule: str) -> bool:
    """Whether a result's rule id is that of a rule, or of a part of it (`CA1000/sub`)."""
    return not name or name == rule or name.startswith(f"{rule}/")


def _absolute(uri: str) -> bool:
    return uri.startswith("/") or re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", uri) is not None


def _dict(parent: object, key: str) -> Mapping[str, Any]:
    value = parent.get(key) if isinstance(parent, Mapping) else None
    return value if isinstance(value, dict) else {}


def _list(parent: object, key: str) -> list[Any]:
    value = parent.get(key) if isinstance(parent, Mapping) else None
    return value if isinstance(value, list) else []


def _str(parent: object, key: str) -> str:
    value = parent.get(key) if isinstance(parent, Mapping) else None
    return value if isinstance(value, str) else ""


def _int(parent: object, key: str) -> int | None:
    value = parent.get(key) if isinstance(parent, Mapping) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None
