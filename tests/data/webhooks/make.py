"""Makes `examples.json.xz` of the published package of example payloads.

    npm pack @octokit/webhooks-examples@7.6.1 && tar xf octokit-webhooks-examples-7.6.1.tgz
    python tests/data/webhooks/make.py package

Keeps every event and every payload of github.com as they are: an object from the event's name to the list of its payloads.
What goes is the package's prose and the white space. The licence is in `NOTICE.md`.
"""

from __future__ import annotations

import json
import lzma
import sys
from pathlib import Path

VERSION = "7.6.1"


def main(package: Path) -> None:
    found = json.loads((package / "package.json").read_text())["version"]
    if found != VERSION:
        raise SystemExit(f"This is version {found}; the tests are about {VERSION}")
    events = json.loads((package / "api.github.com" / "index.json").read_text())
    payloads = {each["name"]: each["examples"] for each in events}
    plain = json.dumps(payloads, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    target = Path(__file__).with_name("examples.json.xz")
    target.write_bytes(lzma.compress(plain, preset=9 | lzma.PRESET_EXTREME))
    count = sum(map(len, payloads.values()))
    print(f"{len(payloads)} events, {count} payloads, {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
