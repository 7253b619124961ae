"""SARIF files of any tool: names, levels, rules and fixes are read as the format says; broken files are named."""

from __future__ import annotations

import json

import pytest

from bot.analyzers import SarifFile
from bot.errors import UserError
from bot.review.model import Category, Severity

OLD = "def f():\n    a = 1\n    b = 2\n    return a\n"
NEW = "def f():\n    a = 10\n    b = 2\n    return a + c\n"


def result(line=2, *, uri="src/a.py", text="Something is wrong.", region=None, **more):
    location = {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": region or {"startLine": line}}}
    return {"ruleId": "R1", "message": {"text": text}, "locations": [location], **more}


def log(*results, rules=(), **run):
    driver = {"name": "checker", "rules": list(rules)}
    return {"version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": list(results), **run}]}


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "project/.git").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


@pytest.fixture
def report(made, tmp_path, project):
    """The report on a document: lines 2 and 4 of `src/a.py` and all of `ü b.py` were changed."""

    def make(document, versions=None):
        path = tmp_path / "x.sarif"
        path.write_text(json.dumps(document))
        change = made(versions or {"src/a.py": (OLD, NEW), "ü b.py": (None, "x = 1\n"), "src/other.py": ("1\n", "2\n")})
        return SarifFile(path).run(change.change, change.files)

    return make


def test_results_on_changed_lines_are_kept_and_the_others_counted(report):
    found = report(
        log(
            result(2),
            result(3),
            result(1),
            result(4, level="error"),
            result(999),
            result(2, uri="elsewhere.py"),
            {"ruleId": "R1", "message": {"text": "no place"}},
            result(region={"charOffset": 3}),
        )
    )
    assert [(one.anchor.path, one.anchor.line, one.severity) for one in found.results] == [
        ("src/a.py", 2, Severity.MEDIUM),
        ("src/a.py", 4, Severity.HIGH),
    ]
    assert found.outside == 6
    assert (found.name, found.problem) == ("sarif:checker", "")
    first = found.results[0]
    assert (first.source, first.rule, first.title, first.category) == (
        "sarif:checker",
        "R1",
        "Something is wrong.",
        Category.BUG,
    )


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("src/a.py", "src/a.py"),
        ("./src/a.py", "src/a.py"),
        ("src/x/../a.py", "src/a.py"),
        ("src\\a.py", "src/a.py"),
        ("%C3%BC%20b.py", "ü b.py"),
        ("ü b.py", "ü b.py"),
        ("file://{root}/src/a.py", "src/a.py"),
        ("file://localhost{root}/%C3%BC%20b.py", "ü b.py"),
        ("FILE://{root}/src/a.py", "src/a.py"),
        ("{root}/src/a.py", "src/a.py"),
        ("{root}/../project/src/a.py", None),
        ("../src/a.py", None),
        ("/src/a.py", None),
        ("file:///other/src/a.py", None),
        ("https://example.org/src/a.py", None),
        ("src/a.py/", "src/a.py"),
        ("", None),
    ],
)
def test_every_way_to_write_a_file_name(report, project, uri, path):
    found = report(log(result(1 if path == "ü b.py" else 2, uri=uri.format(root=project))))
    assert [one.anchor.path for one in found.results] == ([path] if path else [])
    assert found.outside == (0 if path else 1)


def test_a_tool_that_ran_in_a_subfolder_names_files_from_there(report, project, monkeypatch):
    (project / "src").mkdir()
    monkeypatch.chdir(project / "src")
    assert [one.anchor.path for one in report(log(result(2, uri="a.py"))).results] == ["src/a.py"]


@pytest.mark.parametrize(
    ("bases", "base", "uri", "found"),
    [
        ({}, "%SRCROOT%", "src/a.py", True),
        ({"%SRCROOT%": {"uri": "file:///builds/of/somebody/"}}, "%SRCROOT%", "src/a.py", True),
        ({"ROOT": {"uri": "file://{root}/"}, "SRC": {"uri": "src/", "uriBaseId": "ROOT"}}, "SRC", "a.py", True),
        ({"SRC": {"uri": "src"}}, "SRC", "a.py", True),
        ({"A": {"uri": "x/", "uriBaseId": "B"}, "B": {"uri": "y/", "uriBaseId": "A"}}, "A", "src/a.py", True),
        ({"SRC": {"uri": "lib/"}}, "SRC", "a.py", False),
        ({"SRC": "not an object"}, "SRC", "src/a.py", True),
    ],
)
def test_base_ids_are_followed(report, project, bases, base, uri, found):
    filled = json.loads(json.dumps(bases).replace("{root}", str(project)))
    one = result(2)
    one["locations"][0]["physicalLocation"]["artifactLocation"] = {"uri": uri, "uriBaseId": base}
    assert len(report(log(one, originalUriBaseIds=filled)).results) == found


def test_an_artifact_may_be_named_by_its_index(report):
    one = result(2)
    one["locations"][0]["physicalLocation"]["artifactLocation"] = {"index": 1}
    artifacts = [{"location": {"uri": "x.py"}}, {"location": {"uri": "src/a.py"}}]
    assert len(report(log(one, artifacts=artifacts)).results) == 1
    assert report(log(one, artifacts=artifacts[:1])).outside == 1


@pytest.mark.parametrize(
    ("rule", "more", "expected"),
    [
        ({}, {}, (Severity.MEDIUM, Category.BUG)),
        ({}, {"level": "note"}, (Severity.LOW, Category.MAINTAINABILITY)),
        ({}, {"level": "none"}, (Severity.LOW, Category.MAINTAINABILITY)),
        ({"defaultConfiguration": {"level": "error"}}, {}, (Severity.HIGH, Category.BUG)),
        ({"defaultConfiguration": {"level": "error"}}, {"level": "note"}, (Severity.LOW, Category.MAINTAINABILITY)),
        ({"properties": {"security-severity": "9.8"}}, {"level": "note"}, (Severity.CRITICAL, Category.SECURITY)),
        ({"properties": {"security-severity": 7}}, {}, (Severity.HIGH, Category.SECURITY)),
        ({"properties": {"security-severity": "4.0"}}, {}, (Severity.MEDIUM, Category.SECURITY)),
        ({"properties": {"security-severity": "0.1"}}, {}, (Severity.LOW, Category.SECURITY)),
        ({"properties": {"security-severity": "nan"}}, {}, (Severity.MEDIUM, Category.BUG)),
        ({"properties": {"security-severity": "high"}}, {"level": "error"}, (Severity.HIGH, Category.BUG)),
        ({"properties": {"tags": ["external/cwe/cwe-79", "Security"]}}, {}, (Severity.MEDIUM, Category.SECURITY)),
        ({"properties": {"tags": ["performance"]}}, {}, (Severity.MEDIUM, Category.PERFORMANCE)),
        ({"properties": {"tags": "no list"}}, {}, (Severity.MEDIUM, Category.BUG)),
    ],
)
def test_severity_and_category(report, rule, more, expected):
    (one,) = report(log(result(2, **more), rules=[{"id": "R1", **rule}])).results
    assert (one.severity, one.category) == expected


@pytest.mark.parametrize(
    "reference",
    [
        {"ruleId": "B"},
        {"ruleId": None, "ruleIndex": 1},
        {"ruleId": "B", "ruleIndex": 1},
        {"ruleId": "B/part", "ruleIndex": 1},
        {"ruleId": "B", "ruleIndex": 0},
        {"ruleId": None, "rule": {"id": "B"}},
        {"ruleId": None, "rule": {"index": 1}},
        {"ruleId": None, "rule": {"index": 0, "toolComponent": {"index": 0}}},
        {"ruleId": None, "rule": {"index": 0, "toolComponent": {"name": "plug-in"}}},
    ],
)
def test_a_rule_is_found_by_id_index_or_component(report, reference):
    document = log(
        {**result(2), **reference},
        rules=[{"id": "A"}, {"id": "B", "fullDescription": {"text": "Why B matters."}}],
    )
    document["runs"][0]["tool"]["extensions"] = [
        {"name": "plug-in", "rules": [{"id": "B", "fullDescription": {"text": "Why B matters."}}]}
    ]
    (one,) = report(document).results
    assert one.rule.startswith("B")
    assert "Why B matters." in one.body


def test_messages_may_be_templates_of_the_rule(report):
    rules = [{"id": "R1", "messageStrings": {"m": {"text": "{0} is not {1}{9}"}}}]
    one = result(2, message={"id": "m", "arguments": ["x", "{0}"]})
    assert report(log(one, rules=rules)).results[0].title == "x is not {0}{9}"


@pytest.mark.parametrize(
    "more",
    [
        {"kind": "pass"},
        {"kind": "notApplicable"},
        {"suppressions": [{"kind": "inSource"}]},
        {"suppressions": [{"kind": "external", "status": "accepted"}]},
        {"baselineState": "absent"},
    ],
)
def test_what_is_settled_is_neither_told_nor_counted(report, more):
    found = report(log(result(2, **more)))
    assert (found.results, found.outside) == ((), 0)


def test_a_rejected_suppression_suppresses_nothing(report):
    assert len(report(log(result(2, suppressions=[{"status": "rejected"}]))).results) == 1


def fix(*replacements, uri="src/a.py"):
    return {"fixes": [{"artifactChanges": [{"artifactLocation": {"uri": uri}, "replacements": list(replacements)}]}]}


def swap(region, text):
    return {"deletedRegion": region, "insertedContent": {"text": text}}


@pytest.mark.parametrize(
    ("line", "replacements", "lines", "suggestion"),
    [
        (2, [swap({"startLine": 2, "startColumn": 9, "endColumn": 11}, "11")], (2, 2), "    a = 11"),
        (2, [swap({"startLine": 2}, "    a = 0")], (2, 2), "    a = 0"),
        (2, [{"deletedRegion": {"startLine": 2, "endLine": 3, "endColumn": 1}}], (2, 2), ""),
        (
            4,
            [swap({"startLine": 4, "startColumn": 1, "endColumn": 1}, "    c = 3\n")],
            (4, 4),
            "    c = 3\n    return a + c",
        ),
        (
            2,
            [
                swap({"startLine": 2, "startColumn": 5, "endColumn": 6}, "z"),
                swap({"startLine": 4, "startColumn": 12, "endColumn": 13}, "z"),
            ],
            (2, 4),
            "    z = 10\n    b = 2\n    return z + c",
        ),
        (2, [swap({"startLine": 2}, "    a = (")], (2, 2), None),
        (2, [swap({"startLine": 2}, "    a = 10")], (2, 2), None),
        (2, [swap({"startLine": 2, "startColumn": 99, "endColumn": 100}, "x")], (2, 2), None),
        (2, [swap({"startLine": 99}, "x")], (2, 2), None),
        (2, [swap({"startLine": 2}, "    a = 1"), swap({"startLine": 2}, "    a = 2")], (2, 2), None),
        (2, [swap({}, "x")], (2, 2), None),
        (2, ["nonsense"], (2, 2), None),
    ],
)
def test_fixes_become_suggestions_when_they_are_whole_lines_and_prove(report, line, replacements, lines, suggestion):
    (one,) = report(log(result(line, **fix(*replacements)))).results
    assert (one.anchor.start_line, one.anchor.line) == lines
    assert one.suggestion == suggestion


def test_a_fix_in_another_file_or_in_several_is_left_out(report):
    edit = swap({"startLine": 2}, "    a = 0")
    assert report(log(result(2, **fix(edit, uri="src/other.py")))).results[0].suggestion is None
    both = fix(edit)
    both["fixes"][0]["artifactChanges"] *= 2
    assert report(log(result(2, **both))).results[0].suggestion is None


def test_a_fix_that_reaches_out_of_its_hunk_is_left_out_and_the_finding_stays(report):
    old = "x = 1\n" * 40
    new = "x = 2\n" + "x = 1\n" * 38 + "x = 3\n"
    far = fix(
        swap({"startLine": 1, "startColumn": 1, "endColumn": 2}, "y"),
        swap({"startLine": 20, "startColumn": 1, "endColumn": 2}, "y"),
        uri="a.py",
    )
    (one,) = report(log(result(1, uri="a.py", **far)), {"a.py": (old, new)}).results
    assert (one.anchor.start_line, one.anchor.line, one.suggestion) == (1, 1, None)


@pytest.mark.parametrize(
    ("kind", "suggestion"), [("unicodeCodePoints", 's = "\U0001f600"; t = 2'), ("utf16CodeUnits", None), (None, None)]
)
def test_columns_behind_an_astral_character_are_used_only_when_they_count_characters(report, kind, suggestion):
    new = 's = "\U0001f600"; t = 1\n'
    edit = fix(swap({"startLine": 1, "startColumn": 14, "endColumn": 15}, "2"), uri="a.py")
    run = {"columnKind": kind} if kind else {}
    (one,) = report(log(result(1, uri="a.py", **edit), **run), {"a.py": (None, new)}).results
    assert one.suggestion == suggestion


def test_several_runs_and_tools_are_kept_apart(report):
    document = log(result(2))
    other = log(result(4))["runs"][0]
    other["tool"]["driver"]["name"] = "second"
    document["runs"] += [other, {}, "nonsense"]
    found = report(document)
    assert [one.source for one in found.results] == ["sarif:checker", "sarif:second"]
    assert found.name == "sarif:checker, second, unknown tool"


def test_a_range_that_ends_at_the_start_of_a_line_does_not_touch_it(report):
    assert report(log(result(region={"startLine": 3, "endLine": 4, "endColumn": 1}))).outside == 1
    (one,) = report(log(result(region={"startLine": 3, "endLine": 4, "endColumn": 2}))).results
    assert (one.anchor.start_line, one.anchor.line) == (3, 4)
    assert report(log(result(region={"startLine": 1, "endLine": 2_000_000_000}))).results[0].anchor.line == 2


def test_a_file_is_known_by_its_results_and_by_nothing_else(tmp_path):
    def digest(*results, **run):
        path = tmp_path / "x.sarif"
        path.write_text(json.dumps(log(*results, **run)))
        return SarifFile(path).digest

    one = digest(result(), result(4, text="a \ud800 b"))
    assert digest(result(4, text="a \ud800 b"), result(), invocations=[{"endTimeUtc": "2030-01-01"}]) == one
    assert len({one, digest(result()), digest(result(text="Other.")), digest()}) == 4


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_byte_order_marks_are_fine(tmp_path, encoding):
    path = tmp_path / "x.sarif"
    path.write_bytes(json.dumps(log()).encode(encoding))
    assert SarifFile(path).name == "sarif:checker"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"version": "2.1.0",\n "runs": [}', r"is not JSON: .* at line 2, column 11"),
        (b"", r"is not JSON: .* at line 1, column 1"),
        (b"<html>", r"is not JSON: .* at line 1, column 1"),
        (b"[]", "is no SARIF log"),
        (b'{"version": "2.1.0"}', "is no SARIF log"),
        (b'{"version": "1.0.0", "runs": []}', r"is SARIF '1\.0\.0'"),
        (b'{"runs": []}', "is SARIF None"),
        (b"\xff\xff", r"is not UTF-8 \(byte 0\)"),
        (b"[" * 200_000, "nested too deeply"),
    ],
)
def test_a_broken_file_is_named_with_the_place_of_the_mistake(tmp_path, data, message):
    path = tmp_path / "broken.sarif"
    path.write_bytes(data)
    with pytest.raises(UserError, match=rf"broken\.sarif.*{message}") as caught:
        SarifFile(path)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_missing_and_an_oversized_file(tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"gone\.sarif cannot be read \(No such file"):
        SarifFile(tmp_path / "gone.sarif")
    monkeypatch.setattr("bot.analyzers.sariflog.MAX_BYTES", 10)
    path = tmp_path / "big.sarif"
    path.write_text(json.dumps(log()))
    with pytest.raises(UserError, match=r"big\.sarif is larger than"):
        SarifFile(path)


def nonsense():
    leaves = [None, 0, -1, 1e99, "x", [], {}, True, "src/a.py"]
    keys = [
        "locations",
        "message",
        "ruleId",
        "ruleIndex",
        "rule",
        "fixes",
        "level",
        "suppressions",
        "kind",
        "properties",
    ]
    for key in keys:
        for leaf in leaves:
            yield key, leaf
            yield key, [leaf]
            yield key, {"text": leaf, "physicalLocation": leaf, "artifactChanges": [leaf]}


@pytest.mark.parametrize(("key", "value"), [*nonsense()])
def test_no_shape_of_a_result_breaks_the_reading(report, key, value):
    found = report(log(result(2, **fix(swap({"startLine": 2}, "    a = 0"))) | {key: value}, result(4)))
    assert found.results[-1].anchor.line == 4


def test_a_manual_page_in_a_rule_becomes_its_reason(report):
    page = "## What it does\nSorts.\n\n## Why is this bad?\nNobody finds an import.\n\n## Example\n" + "x = 1\n" * 200
    found = report(log(result(2), rules=[{"id": "R1", "fullDescription": {"text": page}}]))
    assert found.results[0].body == "Nobody finds an import."


def test_ruffs_own_log_is_weighed_as_ruff_is(report):
    document = log({**result(2, level="error"), "ruleId": "I001"}, {**result(4, level="error"), "ruleId": "F821"})
    document["runs"][0]["tool"]["driver"]["name"] = "ruff"
    assert [(one.rule, one.severity, one.category) for one in report(document).results] == [
        ("I001", Severity.LOW, Category.MAINTAINABILITY),
        ("F821", Severity.HIGH, Category.BUG),
    ]
