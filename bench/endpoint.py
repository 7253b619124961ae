"""Does the stand-in endpoint hold its nominal rate, and what does that cost? A table for 1, 16 and 64 streams at once.

The server runs in a process of its own; the client counts events on raw sockets, so that it costs little. The rate is
that of each stream from its first token to its last; CPU is the server's own, from its first request on.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from bot.sandbox.endpoint import endpoint_process

DELTA = b'"delta":{"content":"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One stream, as its client saw it. Seconds from the request."""

    tokens: int
    first: float
    last: float

    @property
    def rate(self) -> float:
        """Tokens per second between the first token and the last."""
        return (self.tokens - 1) / (self.last - self.first)


async def read_stream(host: str, port: int, head: bytes, gate: asyncio.Event) -> Seen:
    """Send one request when `gate` opens, and count."""
    reader, writer = await asyncio.open_connection(host, port)
    await gate.wait()
    began = time.perf_counter()
    writer.write(head)
    tokens, first, last, rest = 0, 0.0, 0.0, b""
    while data := await reader.read(262_144):
        now = time.perf_counter() - began
        rest += data
        fresh = rest.count(DELTA)
        if fresh:
            # The role chunk has an empty content too, behind the role: it does not match.
            tokens += fresh
            first = first or now
            last = now
            rest = rest[rest.rfind(DELTA) + 1 :]
        if rest.endswith(b"0\r\n\r\n"):
            break
    writer.close()
    return Seen(tokens=tokens, first=first, last=last)


async def measure(url: str, streams: int) -> tuple[list[Seen], float]:
    """`streams` requests at the same moment; what was seen, and the seconds until the last had ended."""
    where = urlsplit(url)
    assert where.hostname is not None
    assert where.port is not None
    body = json.dumps(
        {"model": "codex-spark-preview", "messages": [{"role": "user", "content": "Go."}], "stream": True}
    ).encode()
    head = (
        f"POST {where.path}/chat/completions HTTP/1.1\r\nhost: {where.netloc}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    ).encode() + body
    gate = asyncio.Event()
    tasks = [asyncio.create_task(read_stream(where.hostname, where.port, head, gate)) for _ in range(streams)]
    await asyncio.sleep(0.2)
    began = time.perf_counter()
    gate.set()
    seen = await asyncio.gather(*tasks)
    return list(seen), time.perf_counter() - began


def server_cpu(arguments: list[str], streams: int) -> tuple[list[Seen], float, float]:
    """One run: streams, wall seconds, CPU seconds of the server's process as a whole."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with endpoint_process(arguments) as url:
        seen, wall = asyncio.run(measure(url, streams)) if streams else ([], 0.0)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return seen, wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=3000)
    parser.add_argument("--tps", type=float, default=1000.0)
    parser.add_argument("--ttft", type=float, default=0.15)
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 16, 64])
    given = parser.parse_args()
    arguments = ["--tps", str(given.tps), "--ttft", str(given.ttft), "--script", f"tokens:{given.tokens}"]
    _, _, idle = server_cpu(arguments, 0)
    ideal = given.ttft + (given.tokens - 1) / given.tps
    print(f"{given.tokens} tokens a stream, nominal {given.tps:g} tok/s, ideal {ideal:.3f} s")
    print("streams  tok/s median  slowest  off %  first token ms  wall s  server CPU s  cores")
    for streams in given.streams:
        seen, wall, cpu = server_cpu(arguments, streams)
        assert all(each.tokens == given.tokens for each in seen), [each.tokens for each in seen]
        rates = [each.rate for each in seen]
        off = 100 * (min(rates) / given.tps - 1)
        first = 1000 * statistics.median(each.first for each in seen)
        print(
            f"{streams:7}  {statistics.median(rates):12.1f}  {min(rates):7.1f}  {off:+5.2f}  {first:14.1f}  {wall:6.3f}"
            f"  {cpu - idle:12.3f}  {(cpu - idle) / wall:5.2f}"
        )


if __name__ == "__main__":
    main()
