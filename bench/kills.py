"""Servers killed with -9 in the middle of reviews, as often as wanted: what is left must be one whole review a pull.

Each round opens pull requests on a stand-in GitHub, which sends the webhooks; waits until the first of them is at a certain
stage of its review, and a random moment longer; kills the worker, or the master, or both, or one of two servers; and starts it
again. At the end every pull must have exactly one review of its head, no finding twice, one check run `spark` a head, closed;
and no dollar may be booked that no call has cost.

    python bench/kills.py                         # 60 rounds on SQLite
    python bench/kills.py --rounds 30 --database postgres --seed 7
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import json
import random
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from webhook_parts import database

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests" / "e2e" / "server"


def _module(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def main() -> int:
    """Run the storm; 0 when nothing was wrong after it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--pulls", type=int, default=3, help="opened in each round")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--keep", type=Path, help="write the servers' logs into this folder")
    asked = parser.parse_args()

    houses = _module(TESTS / "conftest.py", "spark_tests_houses")
    storms = _module(TESTS / "storm.py", "spark_tests_storm")
    chance = random.Random(asked.seed)
    began = time.monotonic()
    with (
        database(asked.database) as (url, _),
        tempfile.TemporaryDirectory() as folder,
        houses.open_house(Path(folder), houses.new_private_key(), latency=0.02) as house,
    ):
        try:
            wrong = _storm(asked, house, storms, chance, url)
        finally:
            if asked.keep is not None:
                asked.keep.mkdir(parents=True, exist_ok=True)
                for number, server in enumerate(house.servers):
                    (asked.keep / f"server-{number}.log").write_text(server.told)
    print(f"{time.monotonic() - began:.0f} s; {len(wrong)} problems")
    print("\n".join(wrong))
    return 1 if wrong else 0


def _storm(asked: argparse.Namespace, house: Any, storms: ModuleType, chance: random.Random, url: str) -> list[str]:
    house.moods.slow("team", ttft=0.15, tps=700.0)
    settings = {"SPARK_REVIEWS": "64", "SPARK_MAX_USD_PER_DAY": "50", "SPARK_DATABASE_URL": url}
    several = asked.database == "postgres"
    if several:
        house.serve(**settings)
    house.serve(**settings)
    kinds = [storms.Blow.WORKER, storms.Blow.SERVER] if several else [*storms.Blow][:3]
    storm = storms.Storm(house, seed=asked.seed, pulls=asked.pulls)
    stages = itertools.cycle(storms.Stage)
    for _ in range(asked.rounds):
        storm.blow(chance.choice(kinds), next(stages), push=chance.random() < 0.25)
    storm.settle(120.0)
    told = {"pulls": len(storm.hits), "killed": dict(storm.kinds), "redelivered": storm.redelivered}
    print(json.dumps({**told, "hit while": dict(storm.stages())}, indent=1))
    return list(storm.problems())


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
