"""The meter, against processes whose use is known."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from race.meter import Meter

GRANDCHILD = "import time; x = bytearray(40 << 20); print('up', flush=True); input()"
BUSY = f"""
import subprocess, sys, time
x = bytearray(60 << 20)
while time.process_time() < 0.2: pass
below = subprocess.Popen([sys.executable, "-c", {GRANDCHILD!r}], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
below.stdout.readline()
input()
below.communicate(b"\\n")
"""


def test_cpu_and_memory_of_a_process_and_its_child_are_summed_and_the_meter_costs_little() -> None:
    began = time.monotonic()
    with Meter() as meter, subprocess.Popen([sys.executable, "-S", "-c", BUSY], stdin=subprocess.PIPE) as process:
        # Each has its own memory, so the sum is there as soon as both have been looked at.
        while meter._peak < 100 << 20 and time.monotonic() < began + 20:
            time.sleep(0.01)
        process.communicate(b"\n")
    took = time.monotonic() - began
    assert 0.2 <= meter.cpu < 0.2 + took
    assert 100 < meter.memory < 160
    assert meter.own < 0.01 * took + 0.01


def test_memory_that_a_process_shares_with_its_child_counts_once() -> None:
    code = "import os; x = bytearray(60 << 20); os.fork() and print('up', flush=True); os.read(0, 1)"
    with subprocess.Popen([sys.executable, "-S", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with Meter(process.pid) as meter:
            time.sleep(0.05)
            assert len(meter.pids()) == 2
        process.communicate(b"go")
    assert 60 < meter.memory < 100


def test_what_ran_before_the_block_counts_for_nothing_and_a_living_process_can_be_measured() -> None:
    with subprocess.Popen(
        [sys.executable, "-S", "-c", GRANDCHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with Meter() as others, Meter(process.pid) as meter:
            time.sleep(0.05)
        process.communicate(b"\n")
    assert others.memory == 0
    assert 40 < meter.memory < 40 + 40
    assert meter.cpu < 0.05


def test_what_takes_too_long_is_ended_with_all_its_processes() -> None:
    with Meter() as meter, subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"]) as process:
        meter.kill()
        assert process.wait(timeout=10) == -9
    assert meter.pids() == ()


def test_a_process_that_is_gone_counts_nothing() -> None:
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    process.wait()
    with Meter(process.pid) as meter:
        pass
    assert (meter.cpu, meter.memory) == (0.0, pytest.approx(0.0))
