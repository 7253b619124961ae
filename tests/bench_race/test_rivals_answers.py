"""What the stand-in endpoint says to other tools: of the right length, in their own form, about lines that were shown."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from race.answers import FINDING, answer, files_shown, gito_lines, pr_agent_lines, script

from bot.sandbox.endpoint import Api, EndpointRequest
from bot.sandbox.endpoint.tokens import count

NUMBERED = """--PR Info--

Title: 'More steps'

The PR Diff:
======
## File: 'src/one.py'

@@ -1,3 +1,5 @@ def step():
__new hunk__
1  import math
2 +
3 +total = 0
4 +    total += 'it\\'s'
__old hunk__
 import math
-+ 9 = gone


## File: 'src/two words.py'

@@ -8,2 +9,3 @@
__new hunk__
9  pass
10 +return total
======
"""
PLAIN = re.sub(r"^\d+ ", "", NUMBERED, flags=re.MULTILINE).replace("\n import", "\n  import")
GIT_DIFF = """----TASK----
Review.

----CODEBASE CHANGES TO REVIEW----
diff --git a/src/one.py b/src/one.py
--- a/src/one.py
+++ b/src/one.py
@@ -10,3 +10,5 @@ def step():
 import math
-gone
+total = 0
+
 pass
@@ -40,1 +41,2 @@
 x
+return "total"
--------

----ADDITIONAL CONTEXT: FULL FILE CONTENT AFTER APPLYING REVIEWED CHANGES----
1: import math

Respond with a valid JSON array of issues following this schema:
"""
NEW_FILE = """----CODEBASE CHANGES TO REVIEW----
src/new.py:
1: import math
2:
3: total = 0
--------

Respond with a valid JSON array of issues following this schema:
"""
NOTHING = "Title: 'x'\n\nThe PR Diff:\n======\n\n======\n"


def system(kind: str) -> str:
    return f"You are PR-Reviewer.\nThe output must be a YAML object equivalent to type ${kind}, according to the following\n"


def read(text: str) -> Any:
    assert text.startswith("```yaml\n")
    assert text.endswith("```\n")
    return yaml.safe_load(text.removeprefix("```yaml\n").removesuffix("```\n"))


def test_added_lines_are_read_out_of_pr_agents_form_with_and_without_numbers() -> None:
    shown = [("src/one.py", "total = 0"), ("src/one.py", "    total += 'it\\'s'"), ("src/two words.py", "return total")]
    assert [(line.path, line.code) for line in pr_agent_lines(NUMBERED)] == shown
    assert [line.number for line in pr_agent_lines(NUMBERED)] == [3, 4, 10]
    assert [(line.path, line.code) for line in pr_agent_lines(PLAIN)] == shown
    assert [line.number for line in pr_agent_lines(PLAIN)] == [0, 0, 0]


def test_added_lines_are_read_out_of_gitos_forms() -> None:
    assert [(line.path, line.number, line.code) for line in gito_lines(GIT_DIFF)] == [
        ("src/one.py", 11, "total = 0"),
        ("src/one.py", 42, 'return "total"'),
    ]
    assert [(line.path, line.number, line.code) for line in gito_lines(NEW_FILE)] == [
        ("src/new.py", 1, "import math"),
        ("src/new.py", 3, "total = 0"),
    ]


def test_files_that_a_prompt_shows_are_counted_once() -> None:
    assert files_shown(NUMBERED + NUMBERED) == ["src/one.py", "src/two words.py"]
    assert files_shown(GIT_DIFF) == ["src/one.py"]
    assert files_shown(NOTHING) == []


@pytest.mark.parametrize("user", [NUMBERED, PLAIN, NOTHING])
@pytest.mark.parametrize(
    "kind", ["PRReview", "PRDescription", "PRDescriptionHeaders", "PRFilesWalkthrough", "PRCodeSuggestions"]
)
def test_an_answer_of_pr_agents_has_its_length_to_the_token_and_is_yaml(kind: str, user: str) -> None:
    if user is NOTHING and kind in {"PRFilesWalkthrough", "PRCodeSuggestions"}:
        assert not next(iter(read(answer(system(kind), user)).values()))
        return
    for tokens in (600, 900):
        text = answer(system(kind), user, tokens=tokens)
        assert count(text) == tokens
        assert isinstance(read(text), dict)


def test_a_review_names_one_line_of_each_file() -> None:
    issues = read(answer(system("PRReview"), NUMBERED))["review"]["key_issues_to_review"]
    assert [(each["relevant_file"].strip(), each["start_line"], each["end_line"]) for each in issues] == [
        ("src/one.py", 3, 3),
        ("src/two words.py", 10, 10),
    ]
    assert {each["issue_header"].strip() for each in issues} == {FINDING}


def test_suggestions_quote_code_and_their_scores_find_its_line() -> None:
    suggestions = read(answer(system("PRCodeSuggestions"), PLAIN))["code_suggestions"]
    assert [each["existing_code"].strip() for each in suggestions] == ["total = 0", "return total"]
    # PR-Agent's own way to show them to the model, behind the numbered diff.
    listed = "".join(f"suggestion {at}: {each}\n\n" for at, each in enumerate(suggestions, 1))
    scores = read(answer(system("PRCodeSuggestionsFeedback"), NUMBERED + listed))["code_suggestions"]
    assert [(each["relevant_file"], each["relevant_lines_start"], each["relevant_lines_end"]) for each in scores] == [
        ("src/one.py", 3, 3),
        ("src/two words.py", 10, 10),
    ]
    assert all(each["suggestion_score"] > 0 for each in scores)


def test_a_description_lists_the_files() -> None:
    told = read(answer(system("PRDescription"), NUMBERED))
    assert [each["filename"].strip() for each in told["pr_files"]] == ["src/one.py", "src/two words.py"]
    assert told["type"] == ["Enhancement"]


@pytest.mark.parametrize("user", [GIT_DIFF, NEW_FILE])
def test_an_answer_of_gitos_is_json_of_the_length_and_passes_its_own_filter(user: str) -> None:
    text = answer("", user)
    assert count(text) == 600
    # gito's own filter: it leaves out what its model is not sure of.
    issues = [each for each in json.loads(text) if each["confidence"] == 1 and each["severity"] <= 3]
    assert [each["title"] for each in issues] == [FINDING, FINDING]
    assert len(json.dumps(issues)) < 1_000
    assert [each["affected_lines"][0]["start_line"] for each in issues] == [line.number for line in gito_lines(user)]
    assert json.loads(answer("", NEW_FILE.replace("1: import math\n", "").replace("3: total = 0\n", ""))) == []


def test_a_prompt_of_no_known_form_is_refused() -> None:
    for asked in ("", system("PRSomethingNew")):
        with pytest.raises(ValueError, match="a prompt of no known form"):
            answer(asked, "Hello")
    with pytest.raises(ValueError, match="shall have 60"):
        answer(system("PRReview"), NUMBERED, tokens=60)


def test_the_endpoint_runs_it_by_name() -> None:
    request = EndpointRequest(
        number=0,
        api=Api.CHAT,
        body={},
        headers={},
        model="m",
        stream=False,
        system=system("PRReview"),
        user=NUMBERED,
        max_tokens=None,
    )
    assert script(request).text == answer(system("PRReview"), NUMBERED)
