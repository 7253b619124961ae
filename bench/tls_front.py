"""TLS in front of an endpoint, and a network that is far away: for measurements on loopback. A process of its own.

It has a certificate for `localhost`, and passes on what it is sent. With `--delay`, every byte takes that
half of a round trip in each direction, also those of TLS's own greetings. The connection itself is there at once, which on a real
network takes one more round trip.

    python bench/tls_front.py --to http://127.0.0.1:8000/v1 --certificate front.pem [--delay 0.015]
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import json
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit


@contextmanager
def tls_front(url: str, certificate: Path, *, delay: float = 0.0) -> Iterator[str]:
    """The address of TLS before `url`, in a process of its own. `certificate` is a file of `make_certificate`."""
    command = [sys.executable, __file__, "--to", url, "--certificate", str(certificate), "--delay", str(delay)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            yield json.loads(child.stdout.readline())
        finally:
            child.stdin.close()
            child.wait(timeout=10)


def make_certificate(file: Path) -> None:
    """A key and a certificate for `localhost`, good for a day."""
    from cryptography import x509  # noqa: PLC0415 - only this process needs it
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - dt.timedelta(days=1))
    builder = builder.not_valid_after(now + dt.timedelta(days=1))
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    signed = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + private)


class Relay:
    """Passes on every connection to one place, later by `delay` seconds in each direction."""

    def __init__(self, host: str, port: int, delay: float) -> None:
        self._host = host
        self._port = port
        self._delay = delay

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection to its end."""
        with suppress(OSError):
            far_reader, far_writer = await asyncio.open_connection(self._host, self._port)
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        with suppress(OSError):
            while data := await reader.read(65536):
                if self._delay:
                    loop.call_later(self._delay, writer.write, data)
                else:
                    writer.write(data)
        if self._delay:
            await asyncio.sleep(self._delay)
        writer.close()


async def run(url: str, certificate: Path, delay: float) -> None:
    """Serve until standard input ends."""
    place = urlsplit(url)
    assert place.hostname is not None
    assert place.port is not None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    secure = await asyncio.start_server(
        Relay(place.hostname, place.port, 0.0).serve, "127.0.0.1", 0, ssl=context, backlog=512
    )
    port = secure.sockets[0].getsockname()[1]
    if delay:
        far = await asyncio.start_server(Relay("127.0.0.1", port, delay).serve, "127.0.0.1", 0, backlog=512)
        port = far.sockets[0].getsockname()[1]
    print(json.dumps(f"https://localhost:{port}{place.path}"), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    # Connections are open still, and each would be told at length that its task was cancelled.
    os._exit(0)


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", required=True)
    parser.add_argument("--certificate", type=Path, required=True)
    parser.add_argument("--delay", type=float, default=0.0)
    given = parser.parse_args()
    asyncio.run(run(given.to, given.certificate, given.delay))


if __name__ == "__main__":
    main()
