"""The model's answers: findings out of any text that holds some, in whatever pieces it comes."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.diff.edit import Proven, prove
from bot.diff.model import Anchor, HunkKey, Side
from bot.review.decode import CheckVerdict, Decoder, read_check, read_repair
from bot.review.model import Category, Severity
from bot.review.scope import Chunk, PassName

CHUNK = Chunk(id=3, hunks=(), print=str, tokens=0, paths=())

ONE = {
    "path": "src/a.py",
    "at": "R42#k3f",
    "to": "R44#b1c",
    "body": 'With {} the "count" is zero.',
    "category": "bug",
    "severity": "high",
    "title": "Divides by zero",
    "suggestion": "    return 0\n",
}
TWO = {**ONE, "at": "L7#9ad", "to": None, "title": "Second", "suggestion": None}
LINE, OTHER = json.dumps(ONE), json.dumps(TWO)
END = '{"end": true}'


def decoded(text, size=None):
    """Findings, the decoder; `size` cuts the text into pieces."""
    decoder = Decoder(CHUNK, PassName("review"))
    found = []
    for at in range(0, len(text), size or max(1, len(text))):
        found += decoder.feed(text[at : at + (size or len(text))])
    return found + decoder.finish(), decoder


def titles(text):
    return [finding.title for finding in decoded(text)[0]]


def test_a_line_becomes_a_finding_with_all_its_fields():
    (found,), decoder = decoded(f"{LINE}\n{END}\n")
    assert (found.path, found.start, found.end) == ("src/a.py", "R42#k3f", "R44#b1c")
    assert (found.severity, found.category) == (Severity.HIGH, Category.BUG)
    assert (found.title, found.body) == ("Divides by zero", 'With {} the "count" is zero.')
    assert found.suggestion == "    return 0"
    assert (found.chunk, found.pass_name) == (3, "review")
    assert decoder.ended
    assert decoder.understood
    assert decoder.garbled == 0


def test_a_finding_is_out_the_moment_its_line_ends():
    decoder = Decoder(CHUNK, PassName("review"))
    assert decoder.feed(LINE[:-1]) == []
    assert len(decoder.feed("}\n")) == 1
    assert decoder.feed(OTHER[:50]) == []
    assert len(decoder.feed(OTHER[50:])) == 1


@pytest.mark.parametrize("text", [f'{{"none": true}}\n{END}', '{"none":true}', END, '{"findings": []}'])
def test_an_empty_review_is_understood(text):
    found, decoder = decoded(text)
    assert (found, decoder.ended, decoder.understood, decoder.garbled) == ([], True, True, 0)


@pytest.mark.parametrize("text", ["", "No problems found.", "<html>502</html>", '{"verdict": "pass"}'])
def test_an_answer_in_another_form_is_not_understood(text):
    found, decoder = decoded(text)
    assert found == []
    assert not decoder.understood


@pytest.mark.parametrize(
    "text",
    [
        f"{LINE}\n{OTHER}\n{END}",
        f"{LINE}\r\n{OTHER}\r\n",
        f"```json\n{LINE}\n{OTHER}\n```\n",
        f"Here is what I found in {{it}}:\n\n{LINE}\n\nand\n{OTHER}\nHope this helps!",
        f"[{LINE},\n{OTHER}]",
        f"[{LINE}, {OTHER},]",
        f'{{"findings": [{LINE}, {OTHER}]}}',
        f'{{"findings": [\n{LINE},\n{OTHER}\n]}}\n{END}',
        json.dumps({"result": {"findings": [ONE, TWO]}}),
        json.dumps([ONE, TWO], indent=2),
        json.dumps({"findings": [ONE, TWO]}, indent=4),
        f"{json.dumps(ONE, indent=2)}\n{json.dumps(TWO, indent=2)}",
        f"{LINE} {OTHER}",
        LINE.replace('"title"', '"extra": {"a": [1, {}]}, "title"') + OTHER,
        LINE[:-1] + ",}\n" + OTHER,
    ],
)
def test_both_findings_are_read_from_any_usual_wrapping(text):
    found, decoder = decoded(text)
    assert [finding.title for finding in found] == ["Divides by zero", "Second"]
    assert decoder.garbled == 0


@pytest.mark.parametrize(
    "broken",
    [
        LINE[:60],
        LINE[:-1],
        LINE.replace('"R42#k3f"', '"R42#k3f'),
        LINE.replace('"path":', '"path'),
        '{"path": "a", "at": {',
        '{"verdict": "pass", "findings": "none"}',
        '{ "',
    ],
)
def test_a_broken_line_costs_itself_alone_and_is_counted(broken):
    found, decoder = decoded(f"{OTHER}\n{broken}\n{LINE}\n{OTHER}\n{END}")
    assert [finding.title for finding in found] == ["Second", "Divides by zero", "Second"]
    assert decoder.garbled == 1
    assert decoder.ended


def test_many_broken_lines_do_not_hide_the_next_good_one():
    found, decoder = decoded(f"{LINE[:-1]}\n" * 9 + f"{OTHER}\n")
    assert found[-1].title == "Second"
    assert decoder.garbled >= 1


def test_a_finding_that_was_cut_off_is_not_given():
    found, decoder = decoded(f"{LINE}\n{OTHER[:-10]}")
    assert [finding.title for finding in found] == ["Divides by zero"]
    assert decoder.garbled == 1
    assert not decoder.ended


def test_line_breaks_and_odd_escapes_inside_strings_are_mended():
    text = '{"path": "a", "at": "R1#abc", "body": "first\nsecond \\d \\\' \\ud83d\\ude00 \\ud800 end", }'
    (found,), _ = decoded(text)
    assert found.body == "first\nsecond \\d \\' 😀 � end"


@pytest.mark.parametrize(
    ("word", "severity"),
    [
        ("critical", Severity.CRITICAL),
        ("BLOCKER", Severity.CRITICAL),
        ("P0", Severity.CRITICAL),
        ("Major", Severity.HIGH),
        ("error", Severity.HIGH),
        ("warning", Severity.MEDIUM),
        ("p2", Severity.MEDIUM),
        ("nit", Severity.LOW),
        ("info", Severity.LOW),
        ("spicy", Severity.MEDIUM),
        (7, Severity.MEDIUM),
    ],
)
def test_other_words_for_severities_are_known(word, severity):
    (found,), _ = decoded(json.dumps({**ONE, "severity": word}))
    assert found.severity is severity


@pytest.mark.parametrize(
    ("word", "category"),
    [
        ("Security", Category.SECURITY),
        ("error-handling", Category.RELIABILITY),
        ("perf", Category.PERFORMANCE),
        ("documentation", Category.DOCS),
        (None, Category.BUG),
    ],
)
def test_other_words_for_categories_are_known(word, category):
    (found,), _ = decoded(json.dumps({**ONE, "category": word}))
    assert found.category is category


@pytest.mark.parametrize(
    ("fields", "start", "end"),
    [
        ({"at": "R1#abc", "to": None}, "R1#abc", "R1#abc"),
        ({"at": "R1#abc", "to": ""}, "R1#abc", "R1#abc"),
        ({"at": "+R1#abc|  code", "to": None}, "R1#abc", "R1#abc"),
        ({"at": "R1#abc-R3#def", "to": None}, "R1#abc", "R3#def"),
        ({"at": ["R1#abc", "R3#def"], "to": None}, "R1#abc", "R3#def"),
        ({"at": 42, "to": None}, "42", "42"),
        ({"at": "somewhere", "to": None}, "somewhere", "somewhere"),
        ({"at": None, "to": None}, "", ""),
    ],
)
def test_places_are_read_in_the_usual_spellings(fields, start, end):
    (found,), _ = decoded(json.dumps({**ONE, **fields}))
    assert (found.start, found.end) == (start, end)


@pytest.mark.parametrize(
    ("given_", "read"),
    [
        (None, None),
        ("", ""),
        ("null", None),
        (["a", "  b"], "a\n  b"),
        ([], ""),
        ("a\r\nb\r\n", "a\nb"),
        ("```python\nx = 1\n```", "```python\nx = 1\n```"),
        (["a", 1], None),
        ({"text": "a"}, None),
        ("x" * 20_001, None),
        ("\n", "\n"),
        ([""], "\n"),
        ("\n\n", "\n\n"),
    ],
)
def test_suggestions_are_read_in_the_usual_spellings(given_, read):
    (found,), _ = decoded(json.dumps({**ONE, "suggestion": given_}))
    assert found.suggestion == read


def test_long_fields_are_cut_and_a_missing_title_is_made_from_the_body():
    (found,), _ = decoded(json.dumps({**ONE, "title": "", "body": "It fails. " + "x" * 5_000}))
    assert found.title == "It fails"
    assert len(found.body) == 4_000
    (found,), _ = decoded(json.dumps({**ONE, "title": "word " * 100, "body": ""}))
    assert len(found.title) <= 120
    assert found.body.startswith("word word")


PIECES = st.sampled_from(
    [
        LINE,
        OTHER,
        END,
        "\n",
        "\n",
        "{",
        "}",
        '"',
        "\\",
        "[",
        "]",
        ",",
        "```json\n",
        '{"a": ',
        "prose {x} ",
        LINE[:40],
        "é",
    ]
)


@settings(max_examples=300)
@given(st.lists(PIECES, max_size=14).map("".join), st.lists(st.integers(1, 30), min_size=1, max_size=8))
def test_any_split_of_any_text_gives_the_same_findings(text, sizes):
    whole, at_once = decoded(text)
    decoder = Decoder(CHUNK, PassName("review"))
    found, at, turn = [], 0, 0
    while at < len(text):
        size = sizes[turn % len(sizes)]
        found += decoder.feed(text[at : at + size])
        at, turn = at + size, turn + 1
    found += decoder.finish()
    assert found == whole
    assert (decoder.garbled, decoder.ended) == (at_once.garbled, at_once.ended)


@settings(max_examples=200)
@given(st.lists(PIECES, max_size=8).map("".join))
def test_whatever_came_before_the_second_next_line_is_read(text):
    # One line may be lost to an open string before it; never more.
    assert "Second" in titles(f"{text}\n{OTHER}\n{OTHER}\n")


@settings(max_examples=200)
@given(st.text(st.characters(codec=None), max_size=200))
def test_no_text_makes_it_raise(text):
    decoded(text)
    read_check(text)
    read_repair(text)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({**ONE, "body": "x" * 1_000_000}),
        '{"' * 100_000,
        '{"a":' * 50_000,
        '{"\n{' * 50_000,
        '{"a":1}' * 30_000,
        '{"a":{"b":' * 3 + "{}" * 100_000,
        '{"a":["' + "{\n" * 100_000,
        '{"a":"' + '\\"' * 100_000,
        '{"a":\n{"b":"' + '\n{"c":1}' * 25_000,
    ],
    ids=range(9),
)
def test_a_long_line_takes_time_in_proportion(text):
    began = time.process_time()
    decoded(text[: len(text) // 8], size=4)
    small = time.process_time() - began
    began = time.process_time()
    decoded(text, size=4)
    assert time.process_time() - began < 8 * small * 4 + 0.5


@pytest.mark.parametrize(
    ("text", "verdict", "why"),
    [
        ('{"analysis": "Line 3 guards.", "verdict": "refuted"}', CheckVerdict.REFUTED, "Line 3 guards."),
        ('Sure!\n```json\n{"analysis": "It does.",\n "verdict": "REAL"}\n```', CheckVerdict.REAL, "It does."),
        ('{"verdict": false, "why": "no"}', CheckVerdict.REFUTED, "no"),
        ('{"verdict": "false-positive"}', CheckVerdict.REFUTED, ""),
        ('{"verdict": "maybe"}', CheckVerdict.UNSURE, ""),
        ('{"verdict": ["real"]}', CheckVerdict.UNSURE, ""),
        ('{"verdict": "real"}{"verdict": "refuted"}', CheckVerdict.REFUTED, ""),
    ],
)
def test_a_check_is_read(text, verdict, why):
    answer = read_check(text)
    assert (answer.verdict, answer.why) == (verdict, why)


@pytest.mark.parametrize("text", ["refuted", '{"analysis": "cut of', ""])
def test_what_is_no_check_neither_upholds_nor_drops(text):
    assert read_check(text) is None


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ('{"suggestion": "    return 0\\n"}', "    return 0"),
        ('{"suggestion": null}', None),
        ('{"suggestion": ""}', ""),
        ('{"suggestion": ["a", "b"]}', "a\nb"),
        ("Here:\n```python\n    return 0\n```\n", "    return 0"),
        ("```\na\n```\nor\n```\nb\n```\n", None),
        ("I cannot.", None),
        ('{"suggestion": "cut', None),
    ],
)
def test_a_repair_is_read_or_none(text, read):
    assert read_repair(text) == read


def test_a_suggested_code_block_stays_one_where_a_code_block_stands():
    head = "Use it:\n```sh\nls\n```\n"
    anchor = Anchor(path="a.md", side=Side.RIGHT, start_line=2, line=4, hunk=HunkKey(0, 0), text=("```sh", "ls", "```"))
    (found,), _ = decoded(json.dumps({**ONE, "suggestion": "```sh\nls -l\n```"}))
    held = prove(head, anchor, found.suggestion)
    assert isinstance(held, Proven)
    assert held.text == "Use it:\n```sh\nls -l\n```\n"
