"""Head files from the object store: what can be had, what cannot, and from many threads."""

from __future__ import annotations

import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bot.git import RangeSource, Repository, StagedSource
from bot.git.objects import GitFiles


@pytest.fixture
def files(sandbox):
    sandbox.commit("base", a__py="x\n")
    sandbox.write("latin.py", b"caf\xe9 = 1\r\n")
    sandbox.write("binary.bin", b"a\0b")
    sandbox.write("big.txt", b"x" * 300_000)
    sandbox.write("new\nline.py", "newline in the name\n")
    sandbox.write('dir/söme "quoted"\tname.py', "odd\n")
    sandbox.write("empty.py", "")
    (sandbox.path / "link.py").symlink_to("a.py")
    sandbox.commit("head")
    sandbox.write("a.py", "not committed\n")
    files = GitFiles(Repository(sandbox.path), "HEAD", max_bytes=100_000)
    yield files
    files.close()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.py", "x\n"),
        ("latin.py", "caf\udce9 = 1\r\n"),
        ("new\nline.py", "newline in the name\n"),
        ('dir/söme "quoted"\tname.py', "odd\n"),
        ("empty.py", ""),
        ("link.py", "a.py"),
        ("binary.bin", None),
        ("big.txt", None),
        ("missing.py", None),
        ("missing\nwith newline.py", None),
        ("dir", None),
        ("./a.py", None),
        ("../a.py", None),
        ("/etc/passwd", None),
        ("", None),
        ("a\0b", None),
        ("a.py\nHEAD:latin.py", None),
    ],
)
def test_a_file_is_the_blob_of_the_tree_or_nothing(files, path, expected):
    assert files.text(path) == expected
    assert files.text("a.py") == "x\n", "the process is still in step after any question"


def test_many_threads_get_the_right_files_from_one_process(sandbox):
    for number in range(60):
        sandbox.write(f"f{number}.py", f"value = {number}\n" * (number + 1))
    sandbox.commit("many")
    files = GitFiles(Repository(sandbox.path), "HEAD")
    files.prefetch(["f1.py"])
    process = files._process
    assert process is not None
    wanted = [number % 60 for number in range(600)]
    with ThreadPoolExecutor(8) as pool:
        texts = list(pool.map(lambda number: files.text(f"f{number}.py"), wanted))
    assert texts == [f"value = {number}\n" * (number + 1) for number in wanted]
    assert files._process is process
    files.close()
    assert process.poll() is not None
    assert files.text("f3.py") == "value = 3\n" * 4
    files.close()


def test_a_process_that_died_costs_one_file_at_most(sandbox):
    sandbox.commit(a__py="1\n", b__py="2\n")
    files = GitFiles(Repository(sandbox.path), "HEAD")
    files.prefetch(["a.py"])
    files._process.kill()
    files._process.wait()
    assert files.text("a.py") == "1\n"
    files.close()


def test_the_process_ends_with_its_owner_and_so_do_the_temporary_directories(sandbox):
    sandbox.commit(a__py="1\n")
    sandbox.write("a.py", "2\n")
    sandbox.git("add", "a.py")
    opened = StagedSource(Repository(sandbox.path)).open()
    assert opened.files.text("a.py") == "2\n"
    process, folder = opened.files._process, Path(opened.files._keep.objects)
    empty = opened.files._repo.empty
    assert folder.is_dir()
    assert empty.is_dir()
    del opened
    gc.collect()
    assert process.poll() is not None
    assert not folder.exists()
    assert not empty.exists()


def test_configuration_is_read_from_the_base_and_never_from_the_change(sandbox):
    sandbox.commit("base", a__py="1\n", **{".gitattributes": "base\n", ".github/spark.yml": "base: 1\n"})
    sandbox.commit("head", a__py="2\n", **{".gitattributes": "head\n", ".github/spark.yml": "head: 1\n"})
    opened = RangeSource(Repository(sandbox.path), "HEAD~1").open()
    assert dict(opened.base_texts) == {".gitattributes": "base\n", ".github/spark.yml": "base: 1\n"}
    sandbox.write(".gitattributes", "staged\n")
    sandbox.git("add", "-A")
    assert StagedSource(Repository(sandbox.path)).open().base_texts[".gitattributes"] == "head\n"


def test_any_file_of_the_base_can_be_read_and_never_the_change_s(sandbox):
    sandbox.commit(AGENTS__md="base\n")
    sandbox.commit(AGENTS__md="head\n", NEW__md="head\n")
    opened = RangeSource(Repository(sandbox.path), "HEAD~1..HEAD").open()
    assert opened.base_text("AGENTS.md") == "base\n"
    assert opened.base_text("NEW.md") is None
    assert StagedSource(Repository(sandbox.path)).open().base_text("AGENTS.md") == "head\n"


def test_a_base_without_configuration_has_no_keys(sandbox):
    sandbox.commit("base", a__py="1\n")
    sandbox.commit("head", a__py="2\n")
    assert not RangeSource(Repository(sandbox.path), "HEAD~1").open().base_texts


def test_closing_from_another_thread_is_safe(sandbox):
    sandbox.commit(a__py="1\n")
    files = GitFiles(Repository(sandbox.path), "HEAD")
    threads = [threading.Thread(target=files.close) for _ in range(4)]
    files.prefetch(["a.py"])
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert files._process is None
