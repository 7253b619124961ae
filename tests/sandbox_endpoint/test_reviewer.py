"""The rule-based reviewer, asked as a model is asked: by the review's own prompts, read by its own decoder."""

from __future__ import annotations

import difflib
import json
from dataclasses import replace

import pytest

from bot.bench.prompts import PROMPTS
from bot.diff.edit import Proven, prove
from bot.diff.parse import read_patch
from bot.review.config import RepoConfig
from bot.review.decode import CheckVerdict, Decoder, read_check, read_repair
from bot.review.model import Change, Effort, Finding
from bot.review.place import place
from bot.review.plan import PlanBudget, make_plan
from bot.review.prompt import check_prompt, passes, repair_prompt, review_prompt
from bot.sandbox.endpoint import Api, EndpointRequest, reviewer, tokens
from bot.sandbox.endpoint.reviewer import Asked, asked
from bot.sandbox.endpoint.shown import read_data, read_shown
from bot.sandbox.endpoint.smells import SMELLS
from bot.sandbox.endpoint.tokens import count

# Path, the added lines, the title, and the suggestion's text (None: there is none).
EXAMPLES = [
    ("a.py", "try:\n    go()\nexcept:\n    log()", "A bare except also catches the interrupt", "except Exception:"),
    ("a.py", "try:\n    go()\nexcept Exception:\n    pass", "Every error is swallowed", None),
    ("a.py", "if x == None:\n    y = 1", "None is compared by equality", "if x is None:"),
    ("a.py", "if x != None:\n    y = 1", "None is compared by inequality", "if x is not None:"),
    (
        "a.py",
        "def f(a, b=[]):\n    return b",
        "A default value is shared between calls",
        "def f(a, b=None):\n    if b is None:\n        b = []",
    ),
    (
        "a.py",
        'def f(b={}):\n    """Say b."""\n    return b',
        "A default value is shared between calls",
        'def f(b=None):\n    """Say b."""\n    if b is None:\n        b = {}',
    ),
    (
        "a.py",
        'def f(b={}):\n    """Say b.\n\n    More."""\n    return b',
        "A default value is shared between calls",
        None,
    ),
    ("a.py", "value = eval(text)", "Text is run as code", None),
    ("a.py", "run(command, shell=True)", "A command goes through the shell", None),
    ("a.py", "data = yaml.load(text)", "YAML is loaded with a loader that runs code", "data = yaml.safe_load(text)"),
    ("a.py", "digest = hashlib.md5(password.encode())", "A password is hashed with a fast hash", None),
    ("a.py", 'db_password = "hunter2hunter2"', "A secret is written into the code", None),
    ("a.py", 'db.execute(f"SELECT a FROM b WHERE c = {d}")', "SQL is put together from strings", None),
    ("a.py", 'db.execute("DELETE FROM b WHERE c = \'" + d)', "SQL is put together from strings", None),
    (
        "a.py",
        "for i in range(len(items)):\n    print(i)",
        "A loop over indices",
        "for i, item in enumerate(items):",
    ),
    ("a.py", "f = open(name)", "A file is opened and not closed", None),
    ("a.py", "text = open(name).read()", "A file is opened and not closed", None),
    (
        "a.py",
        "took = time.time() - began",
        "A duration is measured with the wall clock",
        "took = time.monotonic() - began",
    ),
    (
        "a.py",
        "while i <= len(items):\n    i += 1",
        "The bound goes one past the end",
        "while i < len(items):\n    i += 1",
    ),
    ("a.py", 'if name is "x":\n    y = 1', "A value is compared by identity", 'if name == "x":'),
    (
        "a.py",
        "answer = requests.get(url, params={'a': (1, 2)})",
        "A request without a time limit",
        "answer = requests.get(url, params={'a': (1, 2)}, timeout=10)",
    ),
    ("a.py", "answer = requests.get(\n    url)", "A request without a time limit", None),
    (
        "a.py",
        "requests.get(url, timeout=3, verify=False)",
        "Certificates are not verified",
        "requests.get(url, timeout=3)",
    ),
    ("a.py", "data = pickle.loads(body)", "Unpickling runs code from the data", None),
    ("a.py", "token = random.choice(letters)", "A secret comes from a predictable generator", None),
    ("a.py", "mean = total / len(values)", "Division by the length of something that may be empty", None),
    (
        "a.py",
        'assert user.admin, "not allowed"',
        "A check that can be switched off",
        'if not (user.admin):\n    raise ValueError("not allowed")',
    ),
    ("a.js", "var a = 1;", "A variable with the scope of the whole function", "let a = 1;"),
    ("a.js", "if (a == null) { b(); }", "A loose comparison", "if (a === null) { b(); }"),
    ("a.ts", "if (a != b && c == d) { e(); }", "A loose comparison", "if (a !== b && c === d) { e(); }"),
    ("a.js", "box.innerHTML = name;", "Text becomes HTML", "box.textContent = name;"),
    ("a.js", "box.innerHTML = '<b>' + name;", "Text becomes HTML", None),
    (
        "a.js",
        "for (let i = 0; i <= list.length; i++) { go(i); }",
        "The loop goes one past the end",
        "for (let i = 0; i < list.length; i++) { go(i); }",
    ),
    ("a.js", "const v = eval(text);", "A string is run as JavaScript", None),
    ("a.js", "go();\ndebugger;", "A debugger statement was left in", ""),
    ("a.go", "\tdata, _ := os.ReadFile(name)", "An error is thrown away", None),
    ("a.go", "\tc := &tls.Config{InsecureSkipVerify: true}", "TLS certificates are not checked", ...),
    (
        "a.sh",
        "rm -rf $BUILD/out",
        "Deletes more than meant when the variable is empty",
        'rm -rf "${BUILD:?}/out"',
    ),
    ("a.sh", "curl -s https://x.example/i.sh | sh", "A download is run unseen", None),
    ("a.sh", "cd build", "Goes on in the wrong folder when cd fails", "cd build || exit 1"),
]
WRAPPED = {".go": ("package a\n\nfunc f() {\n", "\n}\n")}


def make(files):
    """A change that adds `files`, its plan, and their texts."""
    parts = []
    for path, text in files.items():
        lines = difflib.unified_diff([], text.splitlines(keepends=True), "/dev/null", f"b/{path}")
        parts.append(f"diff --git a/{path} b/{path}\nnew file mode 100644\n{''.join(lines)}")
    patch = read_patch("".join(parts).encode())
    assert not patch.bad
    change = Change(patch=patch, base="a", head="b")
    return change, make_plan(change, patch.files, (), head_text=files.get, budget=PlanBudget())


def say(prompt, script=None):
    request = EndpointRequest(
        number=0,
        api=Api.CHAT,
        body={},
        headers={},
        model="m",
        stream=True,
        system=prompt.system,
        user=prompt.user,
        max_tokens=prompt.max_output_tokens,
    )
    return (script or reviewer())(request).text


def review(files, script=None):
    """The findings on `files`, placed."""
    change, plan = make(files)
    [name] = passes(Effort.STANDARD)
    found = []
    for chunk in plan.chunks:
        prompt = review_prompt(change, chunk, pass_name=name, effort=Effort.STANDARD, config=RepoConfig())
        decoder = Decoder(chunk, name)
        raws = decoder.feed(say(prompt, script)) + decoder.finish()
        assert decoder.ended
        assert decoder.garbled == 0
        found += [place(raw, chunk, change.patch) for raw in raws]
    assert all(isinstance(each, Finding) for each in found), found
    return change, found


def wrap(path, code):
    before, after = WRAPPED.get(path[-3:], ("", "\n"))
    return {path: before + code + after}


@pytest.mark.parametrize(("path", "code", "title", "suggestion"), EXAMPLES)
def test_a_mistake_is_found_and_its_suggestion_holds(path, code, title, suggestion):
    files = wrap(path, code)
    _, found = review(files)
    assert [each.title for each in found] == [title]
    if suggestion is None:
        assert found[0].suggestion is None
        return
    if suggestion is not ...:
        lines = "\n".join(found[0].anchor.text)
        assert found[0].suggestion == suggestion.removesuffix("\n    i += 1")
        assert lines in code
    proof = prove(files[path], found[0].anchor, found[0].suggestion)
    assert isinstance(proof, Proven), proof


def test_every_rule_has_an_example_and_a_title_of_its_own():
    titles = [smell.title for smell in SMELLS]
    assert sorted(titles) == sorted({title for _, _, title, _ in EXAMPLES})
    assert not any(one in other for one in titles for other in titles if one != other)


FINE = {
    "a.py": "def f(a=(), b=None):\n    with open(a) as f:\n        return yaml.load(f, Loader=yaml.SafeLoader)\n",
    "b.py": "requests.get(url, timeout=5)\nif a is None and b >= 1:\n    c = literal_eval(d)\n",
    "c.py": "password = os.environ['PASSWORD']\ndb.execute('SELECT a FROM b WHERE c = ?', (d,))\n",
    "d.js": "let a = 1;\nif (a === null) { b.textContent = c; }\n",
    "e.go": "package a\n\nfunc f() error {\n\t_, err := g()\n\treturn err\n}\n",
    "f.sh": 'cd build || exit 1\nrm -rf "$OUT"\n',
    "g.md": "var x == None\n",
}


def test_good_code_has_no_findings():
    change, plan = make(FINE)
    for chunk in plan.chunks:
        prompt = review_prompt(change, chunk, pass_name="review", effort=Effort.INSTANT, config=RepoConfig())
        assert say(prompt) == '{"none": true}\n{"end": true}\n', chunk.paths


def test_the_answer_has_the_agreed_keys_in_the_agreed_order():
    change, plan = make({"src/a.py": "def f(b=[]):\n    'Say b.'\n    return b\n"})
    prompt = review_prompt(change, plan.chunks[0], pass_name="review", effort=Effort.INSTANT, config=RepoConfig())
    first, last = say(prompt).splitlines()
    keys = ["path", "at", "to", "body", "category", "severity", "title", "suggestion"]
    assert list(json.loads(first)) == keys
    assert json.loads(last) == {"end": True}


def test_only_added_lines_are_reported():
    prompt = 'FILE "a.py" (modified)\n-L1#abc|x == None\n R1#abd|y == None\n+R2#abe|z == None\n'
    assert [line.code for line in read_shown(prompt) if line.added] == ["z == None"]


@pytest.mark.parametrize("path", ["we ird/ü b.py", 'q"uote.py', "tab\tbed.py"])
def test_a_hostile_path_is_read_from_its_header(path):
    text = f"FILE {json.dumps(path)} (added, python)\n+R1#abc|x == None"
    assert [line.path for line in read_shown(text)] == [path]


def checked(files, path="a.py", whole=True):
    """The check's verdict on the one finding of `files`."""
    change, [finding] = review(files)
    prompt = check_prompt(change, finding, file_text=files[path] if whole else None, effort=Effort.STANDARD)
    return read_check(say(prompt)).verdict


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(("path", "code", "title", "suggestion"), EXAMPLES)
def test_a_check_confirms_a_real_mistake(path, code, title, suggestion, whole):
    assert checked(wrap(path, code), path, whole) is CheckVerdict.REAL


@pytest.mark.parametrize(
    "code",
    [
        "# if x == None: later\n",
        "y = 1  # not eval(text)\n",
        "say('x == None')\n",
        '"""Notes.\n\nNever write x == None.\n"""\n',
        "if values:\n    mean = total / len(values)\n",
    ],
)
def test_a_check_refutes_what_is_none(code):
    assert checked({"a.py": code}) is CheckVerdict.REFUTED


def test_a_check_refutes_a_mistake_in_a_test():
    assert checked({"tests/test_a.py": "assert a == 1\n"}, "tests/test_a.py") is CheckVerdict.REFUTED


def test_a_check_of_a_finding_it_does_not_know_is_unsure():
    change, [finding] = review({"a.py": "x == None\n"})
    other = replace(finding, title="Something else", body="Whatever.")
    prompt = check_prompt(change, other, file_text="x == None\n", effort=Effort.STANDARD)
    assert read_check(say(prompt)).verdict is CheckVerdict.UNSURE


def test_a_repair_gives_the_text_the_rules_would_write_or_nothing():
    change, [finding] = review({"a.py": "if x == None:\n    y = 1\n"})

    def repaired(failed):
        prompt = repair_prompt(
            change,
            finding,
            file_text="if x == None:\n    y = 1\n",
            failed=failed,
            reason="does not parse",
            effort=Effort.STANDARD,
        )
        return read_repair(say(prompt))

    assert repaired("if x is None") == "if x is None:"
    assert repaired("if x is None:") is None


def test_the_kind_of_a_call_is_read_from_the_answer_it_asks_for():
    change, [finding] = review({"a.py": "x == None\n"})
    chunk = make({"a.py": "x == None\n"})[1].chunks[0]
    config, effort = RepoConfig(), Effort.STANDARD
    assert asked(review_prompt(change, chunk, pass_name="review", effort=effort, config=config).system) is Asked.REVIEW
    assert asked(check_prompt(change, finding, file_text=None, effort=effort).system) is Asked.CHECK
    assert (
        asked(repair_prompt(change, finding, file_text="", failed="", reason="", effort=effort).system) is Asked.REPAIR
    )


def test_data_that_imitates_data_is_not_read():
    text = "[[spark-data lines 1 begin]]\na\n[[spark-data lines 2 end]]\nb\n[[spark-data lines 1 end]]"
    assert read_data(text) == {"lines": "a\n[[spark-data lines 2 end]]\nb"}


@pytest.mark.parametrize("n", [12, 13, 14, 15, 40, 100, 300, 301, 999])
def test_an_answer_of_n_tokens_has_findings_on_lines_of_the_diff(n):
    files = {"src/file.py": "".join(f"line_{i} = {i}\n" for i in range(20))}
    change, plan = make(files)
    [chunk] = plan.chunks
    prompt = review_prompt(change, chunk, pass_name="review", effort=Effort.INSTANT, config=RepoConfig())
    assert count(say(prompt, tokens(n))) == n
    _, found = review(files, tokens(n))
    assert len(found) == len({each.anchor for each in found})
    assert bool(found) == (n >= 100)
    assert len(review(files, tokens(n, findings=1))[1]) == bool(found)


def test_the_measured_answers_leave_checks_to_the_reviewer():
    change, [finding] = review({"a.py": "x == None\n"})
    prompt = check_prompt(change, finding, file_text="x == None\n", effort=Effort.STANDARD)
    assert read_check(say(prompt, tokens(500))).verdict is CheckVerdict.REAL


@pytest.mark.parametrize("name", PROMPTS)
def test_an_order_to_write_code_gets_code_of_the_length_that_it_aims_at(name) -> None:
    prompt = PROMPTS[name].prompt(None)
    answer = say(prompt)
    assert PROMPTS[name].aims_at <= count(answer) < PROMPTS[name].aims_at + 60
    compile(answer, name, "exec")
