"""The way out for other tools: an HTTPS proxy on loopback behind which there is no internet.

A tool that has `https://api.github.com` written into its code cannot be told of a stand-in. But every tool honours `HTTPS_PROXY`
and a bundle of certificates, as machines in companies need it. So the proxy answers for that one host, with a
certificate of an authority made here, and passes each request on to the stand-in: `/x` becomes `/api/v3/x`, `/graphql` becomes
`/api/graphql`. A TLS handshake is a part of every real call to GitHub too. Every other host is refused and remembered: what
a tool would fetch or tell elsewhere does not happen, and is known.

Refuses to listen on anything but 127.0.0.1.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import http.client
import ssl
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST: Final = "api.github.com"
_TIMEOUT: Final = 60.0
_NOT_PASSED: Final = {"connection", "proxy-connection", "transfer-encoding", "keep-alive", "content-length", "host"}


def target(path: str) -> str:
    """Where the stand-in has what `https://api.github.com` has at this path."""
    return "/api/graphql" if path.partition("?")[0] == "/graphql" else f"/api/v3{path}"


class Detour:
    """The proxy, from the beginning of its block to the end. `api`: the stand-in's REST address."""

    def __init__(self, api: str) -> None:
        self.refused: list[str] = []
        """Hosts that were asked for and refused, in order, each time."""
        self._folder = tempfile.TemporaryDirectory(prefix="spark-race-detour-")
        self.bundle = Path(self._folder.name) / "ca.pem"
        """The certificate of the authority that the tools must trust."""
        context = _context(Path(self._folder.name), self.bundle)
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.context = context
        self._server.netloc = urlsplit(api).netloc
        self._server.refused = self.refused
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="detour", daemon=True)

    @property
    def url(self) -> str:
        """For HTTPS_PROXY."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def settings(self) -> dict[str, str]:
        """The environment that sends a tool's calls here, loopback apart."""
        direct = "127.0.0.1,localhost"
        return {
            **dict.fromkeys(("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"), self.url),
            **dict.fromkeys(("NO_PROXY", "no_proxy"), direct),
            **{name: str(self.bundle) for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")},
        }

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._folder.cleanup()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    context: ssl.SSLContext
    netloc: str
    refused: list[str]


class _Handler(BaseHTTPRequestHandler):
    """CONNECT from a tool; then, inside of it, its requests."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def do_CONNECT(self) -> None:
        """Answer for GitHub, refuse the rest."""
        host = self.path.rpartition(":")[0]
        if host != HOST:
            self._refuse(host)
            return
        self.send_response(200)
        self.end_headers()
        outside = self.connection, self.rfile, self.wfile
        with contextlib.suppress(OSError), self.server.context.wrap_socket(self.connection, server_side=True) as inside:
            self.connection = inside
            with inside.makefile("rb") as self.rfile, inside.makefile("wb") as self.wfile:
                # One request after another, as long as the tool keeps the connection.
                self.close_connection = False
                while not self.close_connection:
                    self.handle_one_request()
        # The base class flushes and closes what it opened.
        self.connection, self.rfile, self.wfile = outside
        self.close_connection = True

    def _pass(self) -> None:
        if not isinstance(self.connection, ssl.SSLSocket):
            self._refuse(urlsplit(self.path).netloc)
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _NOT_PASSED}
        there = http.client.HTTPConnection(self.server.netloc, timeout=_TIMEOUT)
        try:
            there.request(self.command, target(self.path), body or None, headers)
            answer = there.getresponse()
            raw = answer.read()
        finally:
            there.close()
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in _NOT_PASSED:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)
        self.wfile.flush()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _pass  # noqa: N815 - http.server's names

    def _refuse(self, host: str) -> None:
        self.server.refused.append(host)
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.send_response(403, "There is no internet here")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Nothing: the stand-in keeps the log."""


def _context(folder: Path, bundle: Path) -> ssl.SSLContext:
    """TLS as the host; writes the authority's certificate to `bundle`."""
    now = dt.datetime.now(dt.UTC)
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority, subject = (
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in ("Spark bench, loopback", HOST)
    )

    def builder(name: x509.Name, public: ec.EllipticCurvePublicKey, *, ca: bool) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder(issuer_name=authority, subject_name=name, public_key=public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(days=2))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
            )
        )

    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    root = builder(authority, authority_key.public_key(), ca=True).add_extension(usage, critical=True)
    bundle.write_bytes(root.sign(authority_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    leaf = builder(subject, key.public_key(), ca=False).add_extension(
        x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False
    )
    chain = folder / "host.pem"
    chain.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + leaf.sign(authority_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return context
