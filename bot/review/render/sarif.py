"""A review as SARIF 2.1.0, for GitHub code scanning and every viewer of it.

A finding about removed lines has no place in the file as it is now. It is put on the nearest line of its hunk that is
there after the change (line 1 when the hunk has none), its message says which removed lines are meant, and its properties
have them. Findings without any place, holes and skipped files are notifications of the run, so that nothing is lost and
nothing points at a line it was not about. What GitHub would not take is left out, least severe first, and counted there.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any

from bot import __version__
from bot.diff.anchors import nearest_after
from bot.diff.mend import replacement_lines
from bot.diff.model import Anchor, Hunk, LineKind, Patch, Side, printable
from bot.review.model import Category, Finding, FindingStatus, Misplaced, Review, Severity
from bot.review.render import words
from bot.review.render.safe import Redactor, clean, shorten
from bot.review.render.sarif_limits import (
    MOST_MESSAGE,
    MOST_NAME,
    MOST_NOTES,
    MOST_RESULTS,
    description,
    fits,
    identifier,
    most_severe,
)

SCHEMA_URI = "https://json.schemastore.org/sarif-2.1.0.json"
HOME = "https://github.com/OWNER/spark"
_ROOT = "%SRCROOT%"
_LEVEL = {Severity.CRITICAL: "error", Severity.HIGH: "error", Severity.MEDIUM: "warning", Severity.LOW: "note"}
_PROBLEM = {"error": "error", "warning": "warning", "note": "recommendation"}
_SECURITY = {Severity.CRITICAL: "9.5", Severity.HIGH: "8.0", Severity.MEDIUM: "5.5", Severity.LOW: "2.5"}
"""GitHub: a string above 0 up to 10; critical above 9.0, high from 7.0, medium from 4.0."""
_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/")
_ABOUT = {
    Category.BUG: "Code that does not do what it is meant to do",
    Category.SECURITY: "Code that can be abused",
    Category.PERFORMANCE: "Code that does needless work",
    Category.RELIABILITY: "Code that fails where it should not",
    Category.MAINTAINABILITY: "Code that is hard to change",
    Category.TESTS: "Tests that are missing or prove nothing",
    Category.DOCS: "Documentation that is wrong or missing",
    Category.STYLE: "Code that breaks the conventions around it",
}


def review_sarif(review: Review, redactor: Redactor | None = None) -> dict[str, Any]:
    """The review as one run that GitHub takes. Secrets are masked; a fix that contains one is left out."""
    redactor = redactor or Redactor(review.change.patch)
    notes = _notifications(review, redactor)
    results, most_notes = MOST_RESULTS, MOST_NOTES
    while not fits(made := _sarif(review, redactor, notes, results, most_notes)) and results:
        # Half of what there is, so that a huge review takes few tries.
        results, most_notes = min(results, len(review.findings)) // 2, most_notes // 2
    return made


def _sarif(
    review: Review, redactor: Redactor, notes: list[dict[str, Any]], most_results: int, most_notes: int
) -> dict[str, Any]:
    kept = most_severe(review.findings, most_results)
    findings = list(kept.findings)
    notes, unshown = notes[:most_notes], len(notes) - most_notes
    if kept.left_out:
        text = f"{kept.left_out:,} findings are left out, the least severe of them all."
        notes = [_note("warning", text, ""), *notes]
    if unshown > 0:
        notes = [*notes, _note("warning", f"{unshown:,} more of these notifications are left out.", "")]
    rules = _rules(findings)
    index = {rule["id"]: at for at, rule in enumerate(rules)}
    seen: Counter[str] = Counter()
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "Spark",
                "version": __version__,
                "semanticVersion": __version__,
                "informationUri": HOME,
                "rules": rules,
            }
        },
        "automationDetails": {"id": "spark/", "description": {"text": "A review of one change by Spark"}},
        "columnKind": "utf16CodeUnits",
        "originalUriBaseIds": {_ROOT: {"description": {"text": "The root of the repository"}}},
        "invocations": [
            {
                "executionSuccessful": review.coverage.whole,
                "toolExecutionNotifications": notes,
            }
        ],
        "results": [_result(review, finding, redactor, index, seen) for finding in findings],
        "properties": {
            "verdict": review.verdict.value,
            "reason": printable(redactor.redact(review.reason)),
            "base": review.change.base,
            "head": review.change.head,
        },
    }
    pull = review.change.pull
    if pull is not None and "/pull/" in pull.url:
        run["versionControlProvenance"] = [
            {"repositoryUri": pull.url.rpartition("/pull/")[0], "revisionId": pull.head_sha, "branch": pull.head_ref}
        ]
    return {"$schema": SCHEMA_URI, "version": "2.1.0", "runs": [run]}


def uri(path: str) -> str:
    """`path` as a relative URI reference: every byte that is not plain is percent-encoded, a `:` too."""
    raw = path.encode("utf-8", "surrogateescape")
    return "".join(chr(byte) if byte in _SAFE else f"%{byte:02X}" for byte in raw)


def _rule_id(finding: Finding) -> str:
    """An analyzer's own rule; the category for the model, with the severity where GitHub takes it from the rule."""
    if finding.rule:
        return identifier(f"{finding.source}/{finding.rule}")
    tail = f"-{finding.severity.value}" if finding.category is Category.SECURITY else ""
    owner = "spark" if finding.source == "model" else finding.source
    return f"{owner}/{finding.category.value}{tail}"


def _rules(findings: list[Finding]) -> list[dict[str, Any]]:
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(_rule_id(finding), []).append(finding)
    return [_rule(name, groups[name]) for name in sorted(groups)]


def _rule(name: str, group: list[Finding]) -> dict[str, Any]:
    worst = max((finding.severity for finding in group), key=lambda severity: severity.rank)
    category = group[0].category
    about = _ABOUT[category] if not group[0].rule else clean(f"{group[0].source} rule {group[0].rule}")
    properties: dict[str, Any] = {
        "tags": sorted({category.value, "review"}),
        "problem.severity": _PROBLEM[_LEVEL[worst]],
        "precision": "medium" if group[0].source == "model" else "high",
    }
    if category is Category.SECURITY:
        properties["security-severity"] = _SECURITY[worst]
    return {
        "id": name,
        "name": name.replace("/", " ").replace("-", " ").title().replace(" ", "")[:MOST_NAME] or "Rule",
        "shortDescription": {"text": description(about)},
        "fullDescription": {"text": description(f"Category: {category.value}. {about}.")},
        "help": {
            "text": f"{description(about)}. Each result says what is wrong and where; a fix that it has was applied to the file in memory."
        },
        "defaultConfiguration": {"level": _LEVEL[worst]},
        "properties": properties,
    }


def _result(
    review: Review, finding: Finding, redactor: Redactor, index: dict[str, int], seen: Counter[str]
) -> dict[str, Any]:
    anchor = finding.anchor
    identity = hashlib.sha256(finding.fingerprint.encode("utf-8", "replace")).hexdigest()[:16]
    seen[identity] += 1
    where = "" if finding.side is Side.RIGHT else f" (about removed {_span(anchor)} of the version before)"
    # GitHub shows the first sentence alone where there is little space.
    title = f"{clean(redactor.redact(finding.title)) or '(no title)'}{where}"
    stop = "" if title.endswith((".", "!", "?", "…")) else "."
    message = f"{title}{stop}\n\n{clean(redactor.redact(finding.body))}".strip()
    result: dict[str, Any] = {
        "ruleId": _rule_id(finding),
        "ruleIndex": index[_rule_id(finding)],
        "level": _LEVEL[finding.severity],
        "message": {"text": shorten(message, MOST_MESSAGE)},
        "locations": [_location(review.change.patch, anchor, redactor)],
        "partialFingerprints": {
            "primaryLocationLineHash": f"{identity}:{seen[identity]}",
            "sparkFingerprint/v1": finding.fingerprint,
        },
        "properties": {
            "severity": finding.severity.value,
            "category": finding.category.value,
            "source": finding.source,
            "status": finding.status.value,
            "side": anchor.side.value,
            "startLine": anchor.start_line,
            "endLine": anchor.line,
            "proven": finding.proven,
        },
    }
    if finding.status is FindingStatus.DISMISSED:
        suppression = {"kind": "external", "status": "accepted"}
        if who := words.who_dismissed(finding):
            suppression["justification"] = clean(redactor.redact(f"Dismissed {who}."))
        result["suppressions"] = [suppression]
    text = finding.suggestion
    if text is not None and finding.proven and finding.side is Side.RIGHT and not redactor.has_secret(text):
        result["fixes"] = [_fix(review.change.patch, finding, text)]
    return result


def _span(anchor: Anchor) -> str:
    return f"line {anchor.line}" if anchor.start_line == anchor.line else f"lines {anchor.start_line}-{anchor.line}"


def _location(patch: Patch, anchor: Anchor, redactor: Redactor) -> dict[str, Any]:
    if anchor.side is Side.RIGHT:
        region: dict[str, Any] = {
            "startLine": anchor.start_line,
            "startColumn": 1,
            "endLine": anchor.line,
            "endColumn": _width(anchor.text[-1] if anchor.text else "") + 1,
            "snippet": {"text": printable(redactor.redact("\n".join(anchor.text)))},
        }
    else:
        line = nearest_after(patch, anchor)
        number, text = (line.number, line.text) if line is not None else (1, "")
        region = {"startLine": number, "startColumn": 1, "endLine": number, "endColumn": _width(text) + 1}
    return {"physicalLocation": {"artifactLocation": _artifact(anchor.path), "region": region}}


def _artifact(path: str) -> dict[str, str]:
    return {"uri": uri(path), "uriBaseId": _ROOT}


def _width(text: str) -> int:
    """Length in UTF-16 code units, which is how SARIF counts columns, without a final CR."""
    return len(printable(text).removesuffix("\r").encode("utf-16-le")) // 2


def _fix(patch: Patch, finding: Finding, suggestion: str) -> dict[str, Any]:
    anchor = finding.anchor
    crlf = all(line.endswith("\r") for line in anchor.text)
    deleted: dict[str, Any] = {
        "startLine": anchor.start_line,
        "startColumn": 1,
        "endLine": anchor.line,
        "endColumn": _width(anchor.text[-1] if anchor.text else "") + 1,
    }
    if not suggestion and not _ends_file(patch, anchor):
        deleted |= {"endLine": anchor.line + 1, "endColumn": 1}  # The line's end goes with it.
    parses = ", which still parses" if finding.parsed else ""
    inserted = "\n".join(replacement_lines(printable(suggestion)))
    return {
        "description": {"text": f"The suggested change: applied to the file in memory{parses}."},
        "artifactChanges": [
            {
                "artifactLocation": _artifact(anchor.path),
                "replacements": [
                    {
                        "deletedRegion": deleted,
                        "insertedContent": {"text": inserted.replace("\n", "\r\n") if crlf else inserted},
                    }
                ],
            }
        ],
    }


def _ends_file(patch: Patch, anchor: Anchor) -> bool:
    try:
        hunk: Hunk = patch.hunk(anchor.hunk)
    except (KeyError, IndexError):
        return False
    return any(line.new == anchor.line and not line.newline for line in hunk.on(Side.RIGHT))


def _notifications(review: Review, redactor: Redactor) -> list[dict[str, Any]]:
    out = [_misplaced(finding, redactor) for finding in review.misplaced]
    patch = review.change.patch
    for hole in review.coverage.holes:
        hunk = patch.hunk(hole.hunk)
        text = f"Not reviewed ({hole.pass_name}): {words.hunk_place(patch, hole.hunk)}: {hole.reason}"
        note = _note("error", redactor.redact(text), patch.file(hole.hunk.file).path)
        numbers = [line.new for line in hunk.lines if line.new is not None and line.kind is not LineKind.REMOVED]
        if numbers:
            region = {"startLine": numbers[0], "endLine": numbers[-1]}
            note["locations"][0]["physicalLocation"]["region"] = region
        out.append(note)
    for skip in review.coverage.skipped:
        text = f"Not reviewed: {skip.path}: {skip.reason.value}{f' ({skip.detail})' if skip.detail else ''}"
        out.append(_note("warning" if skip.is_gap else "note", redactor.redact(text), skip.path))
    if review.coverage.difference:
        out.append(_note("warning", f"Partly reviewed: {redactor.redact(review.coverage.difference)}", ""))
    out += [_note("note", redactor.redact(notice), "") for notice in review.notices]
    return out


def _misplaced(finding: Misplaced, redactor: Redactor) -> dict[str, Any]:
    text = f"{words.label(finding)}: {finding.title} ({finding.path} {finding.claimed}; {finding.reason})\n\n{finding.body}"
    return _note(_LEVEL[finding.severity], redactor.redact(text), finding.path)


def _note(level: str, text: str, path: str) -> dict[str, Any]:
    note: dict[str, Any] = {"level": level, "message": {"text": shorten(clean(text).strip(), MOST_MESSAGE)}}
    if path:
        note["locations"] = [{"physicalLocation": {"artifactLocation": _artifact(path)}}]
    return note
