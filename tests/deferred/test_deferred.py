"""Modules that wait until they are used behave like modules, and the two SDKs work with them."""

from __future__ import annotations

import importlib
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bot.deferred import defer, has_run

SDKS = """
import bot.github, bot.model
import github, openai
from bot.deferred import has_run
assert not has_run("openai.types") and not has_run("github.Repository") and not has_run("jwt") and not has_run("asyncio")
client = openai.OpenAI(api_key="none", base_url="http://127.0.0.1:9/")
assert not has_run("openai.types")
assert client.chat.completions.with_streaming_response.create
assert client.responses.with_streaming_response.create
assert client.models.list
assert openai.types.chat.ChatCompletion.model_validate(
    {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": []}
).model == "m"
hub = github.Github(auth=github.Auth.Token("none"), lazy=True)
assert hub.get_repo("acme/shop").get_pull(7).number == 7
assert hub.get_repo("acme/shop").create_secret
key = "-" * 5
try:
    github.Auth.AppAuth(1, key).create_jwt()
except Exception as error:
    assert type(error).__module__.startswith("jwt"), error
else:
    raise AssertionError("a key that is none signed")
from nacl.public import SealedBox
import asyncio
async def seven(): return 7
assert asyncio.run(seven()) == 7
print("all used")
"""


def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, **modules: str) -> None:
    """A package on the path: the text of its modules, `init` for the package itself."""
    folder = tmp_path / name
    folder.mkdir()
    for module, text in modules.items():
        (folder / ("__init__.py" if module == "init" else f"{module}.py")).write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()


def test_a_module_runs_when_the_first_of_its_names_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(tmp_path, monkeypatch, "late_one", init="", part="value = 7\ndef __getattr__(name): return name * 2")
    defer("late_one.*")
    module = importlib.import_module("late_one.part")
    assert importlib.import_module("late_one.part") is module
    assert not has_run("late_one.part")
    assert module.value == 7
    assert has_run("late_one.part")
    assert sys.modules["late_one.part"] is module
    assert sys.modules["late_one"].part is module
    assert module.ab == "abab"


def test_a_module_below_a_waiting_package_does_not_run_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(tmp_path, monkeypatch, "late_two", init="from late_two.part import value as again", part="value = 7")
    defer("late_two")
    assert importlib.import_module("late_two.part").value == 7
    assert not has_run("late_two")
    assert sys.modules["late_two"].again == 7
    assert has_run("late_two")


def test_from_a_waiting_package_names_modules_and_star_can_be_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(tmp_path, monkeypatch, "late_three", init="__all__ = ['a']\na = 1\nb = 2", part="c = 3")
    defer("late_three", "late_three.*")
    found: dict[str, object] = {}
    exec("from late_three import part\nassert 'c' in dir(part)\nfrom late_three import *", found)
    assert found["a"] == 1
    assert "b" not in found
    assert sys.modules["late_three"].b == 2


def test_a_name_that_is_not_there_is_an_attribute_error_and_a_broken_module_its_own_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(tmp_path, monkeypatch, "late_four", init="", part="", broken="raise ValueError('broken')")
    defer("late_four.*")
    with pytest.raises(AttributeError, match=r"late_four\.part.*nothing"):
        _ = importlib.import_module("late_four.part").nothing
    module = importlib.import_module("late_four.broken")
    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            _ = module.anything
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("late_four.absent")


def test_modules_that_use_each_other_in_a_circle_run_as_they_do_without_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = "import late_five.two\nclass One: pass\ndef other(): return late_five.two.Two"
    two = "from late_five.one import One\nclass Two(One): pass"
    package(tmp_path, monkeypatch, "late_five", init="", one=one, two=two)
    defer("late_five.*")
    module = importlib.import_module("late_five.one")
    assert issubclass(module.other(), module.One)


def test_eight_threads_that_use_a_module_at_once_run_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "import sys\nsys.late_six = getattr(sys, 'late_six', 0) + 1\n" + "\n".join(
        f"value_{at} = {at}" for at in range(2000)
    )
    package(tmp_path, monkeypatch, "late_six", init="", part=text)
    defer("late_six.*")
    module = importlib.import_module("late_six.part")
    gate, seen = threading.Barrier(8), []

    def use() -> None:
        gate.wait()
        seen.append(module.value_1999)

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert seen == [1999] * 8
    assert sys.late_six == 1  # type: ignore[attr-defined]


def test_the_two_sdks_work_with_their_waiting_modules() -> None:
    ran = subprocess.run([sys.executable, "-c", SDKS], capture_output=True, text=True, check=False, timeout=60)
    assert (ran.returncode, ran.stdout) == (0, "all used\n"), ran.stderr
