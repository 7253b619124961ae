"""What is done to a delivery in `door_fuzz.py`: one function a kind. Every case is made of the given random numbers alone."""

from __future__ import annotations

import hashlib
import hmac
import json
import lzma
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

SECRETS = ("It's a Secret to Everybody", "and the one before it")
EXAMPLES = Path(__file__).parents[1] / "tests" / "data" / "webhooks" / "examples.json.xz"
READ = (
    "pull_request", "check_run", "check_suite", "merge_group", "installation", "installation_repositories", "ping",
    "issue_comment", "pull_request_review_comment", "pull_request_review",
)  # fmt: skip
GUID = "72d3162e-cc78-11e3-81ab-4c9367dc0958"


@dataclass(slots=True)
class Sent:
    """A request to be. `terminated`: the server marks the body's end itself, as gunicorn does."""

    body: bytes
    headers: dict[str, str]
    method: str = "POST"
    path: str = "/webhook"
    terminated: bool = False


@dataclass(slots=True)
class Payload:
    """An example: its value, its text, and the places in it that can be changed (container and key)."""

    value: Any
    text: bytes
    places: list[tuple[Any, str | int]]
    used: list[tuple[dict[str, Any], str]]
    """Those places that the door reads, as far as a name tells."""


def read_examples() -> list[tuple[str, Payload]]:
    """Event and payload; those that the door reads stand there ten times as often."""
    found = []
    for event, examples in json.loads(lzma.decompress(EXAMPLES.read_bytes())).items():
        for example in examples:
            value = _asking(event, _smaller(example))
            places = _places(value)
            used = [(at, key) for at, key in places if isinstance(at, dict) and isinstance(key, str) and key in USED]
            payload = Payload(value=value, text=json.dumps(value).encode(), places=places, used=used)
            found += [(event, payload)] * (10 if event in READ else 1)
    return found


def _smaller(value: Any) -> Any:
    """Without the members that only give addresses: two thirds of a payload, which nobody reads."""
    if isinstance(value, dict):
        return {name: _smaller(each) for name, each in value.items() if not name.endswith("_url")}
    return [_smaller(each) for each in value] if isinstance(value, list) else value


def _asking(event: str, value: Any) -> Any:
    """Comments ask for something, on a pull: GitHub has no example of that."""
    if event == "issue_comment":
        value["issue"]["pull_request"] = {"id": 1}
    said = value.get("review" if event == "pull_request_review" else "comment")
    if event in READ and isinstance(said, dict):
        said["body"] = "> /spark undo\n\n/spark fix all --commit\nand be quick"
    return value


def _places(value: Any) -> list[tuple[Any, str | int]]:
    found: list[tuple[Any, str | int]] = []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in items:
        found.append((value, key))
        found += _places(each)
    return found


def sign(body: bytes, secret: str) -> str:
    """The header's value, worked out without the door's code."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def signed(sent: Sent) -> bool:
    """Whether the signature fits the body, as a whole."""
    return sent.headers.get("X-Hub-Signature-256") in {sign(sent.body, secret) for secret in SECRETS}


def _sent(random: Random, event: str, body: bytes) -> Sent:
    headers = {
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": GUID,
        "X-Hub-Signature-256": sign(body, random.choice(SECRETS)),
    }
    return Sent(body=body, headers=headers)


def _as_it_is(random: Random, event: str, payload: Payload) -> Sent:
    return _sent(random, event, payload.text)


def _flipped(random: Random, text: bytes) -> bytes:
    changed = bytearray(text)
    for _ in range(random.choice((1, 1, 2, 8, 64))):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _bytes_signed_anew(random: Random, event: str, payload: Payload) -> Sent:
    return _sent(random, event, _flipped(random, payload.text))


def _bytes_after_signing(random: Random, event: str, payload: Payload) -> Sent:
    sent = _sent(random, event, payload.text)
    sent.body = _flipped(random, payload.text)
    return sent


def _truncated(random: Random, event: str, payload: Payload) -> Sent:
    return _sent(random, event, payload.text[: random.randrange(len(payload.text))])


def _spliced(random: Random, event: str, payload: Payload) -> Sent:
    at, to = sorted(random.randrange(len(payload.text)) for _ in range(2))
    middle = random.choice(
        (b"", payload.text[at:to], b'"' * 3, b"\0", b"}]", bytes(random.randrange(256) for _ in range(9)))
    )
    return _sent(random, event, payload.text[:at] + middle + payload.text[to:])


TEXTS = (
    "", "\0", "a\0b", "\r\nX: y", "../../etc/passwd", "octo/..", "octo/.", "octo/demo/../x", "octo/demo?x=1", "octo//demo",
    "октo/дeмo", "\u202eevil", "\ufeff", "😀" * 200, "e\u0301" * 500, "\ud83d", "null", "true", "0", "-1", "1e9", "main",
    "refs/heads/x y", "a..b", "@{u}", "0" * 39, "0" * 40, "A" * 40, "0" * 64, "g" * 40, "٤" * 40, "x" * 70_000, "%s%n{0}", "<b>",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64, 10**400, 1.5, -0.0, 1e308, [], {}, [None], [[]],
    [{}], {"": None}, {"id": 1}, [1] * 50, *TEXTS,
)  # fmt: skip


def _with(random: Random, event: str, payload: Payload, container: Any, key: str | int) -> Sent:
    old = container[key]
    container[key] = random.choice(VALUES)
    try:
        return _sent(random, event, json.dumps(payload.value).encode())
    finally:
        container[key] = old


def _value(random: Random, event: str, payload: Payload) -> Sent:
    return _with(random, event, payload, *random.choice(payload.places))


def _used_value(random: Random, event: str, payload: Payload) -> Sent:
    """A value that the door reads, which a random place seldom is."""
    return _with(random, event, payload, *random.choice(payload.used))


USED = {
    "action", "base", "body", "changes", "check_run", "check_suite", "comment", "draft", "external_id", "full_name", "head",
    "head_ref", "head_sha", "id", "identifier", "in_reply_to_id", "installation", "issue", "label", "login", "merge_group", "name",
    "node_id", "number", "pull_request", "pull_requests", "ref", "repo", "repositories_removed", "repository", "requested_action",
    "review", "sender", "sha", "state", "title", "type", "user", "zen",
}  # fmt: skip


def _missing(random: Random, event: str, payload: Payload) -> Sent:
    container, key = random.choice(payload.used)
    old = container.pop(key)
    try:
        return _sent(random, event, json.dumps(payload.value).encode())
    finally:
        container[key] = old


def _swapped(random: Random, event: str, payload: Payload) -> Sent:
    """Two values of the payload change places."""
    (one, first), (two, second) = random.choice(payload.places), random.choice(payload.places)
    old, other = one[first], two[second]
    try:
        one[first] = other if not isinstance(other, dict | list) else None
        two[second] = old if not isinstance(old, dict | list) else []
        return _sent(random, event, json.dumps(payload.value).encode())
    finally:
        two[second] = other
        one[first] = old


def _another_event(random: Random, event: str, payload: Payload) -> Sent:
    named = random.choice((*READ, "issues", "push", event + "x", event.upper(), "__class__", "a" * 5000))
    return _sent(random, named, payload.text)


def _another_action(random: Random, event: str, payload: Payload) -> Sent:
    actions = (
        "opened",
        "edited",
        "closed",
        "labeled",
        "rerequested",
        "requested_action",
        "removed",
        "suspend",
        "\0",
        "é",
        7,
    )
    return _sent(random, event, json.dumps(payload.value | {"action": random.choice(actions)}).encode())


def _odd_json(random: Random, event: str, payload: Payload) -> Sent:
    text, deep = payload.text, random.choice((150, 250, 5_000, 100_000))
    body = random.choice(
        (
            b"", b"null", b"[]", b'""', b"0", b"{", b"{}", b"{}{}", b"\xef\xbb\xbf" + text, text.decode().encode("utf-16"),
            text.decode().encode("utf-32"), b"[" * deep, b"[" * deep + b"]" * deep, b'{"a":' * deep + b"1" + b"}" * deep,
            b'{"action":' + b"9" * deep + b"}", b'{"number":NaN,' + text[1:], b'{"number":-Infinity,' + text[1:],
            b'{"number":1e99999,' + text[1:], b'{"number":0x10,' + text[1:], b'{"action":"opened","action":"x",' + text[1:],
            text[:-1] + b',"action":"opened"}', b'{"a":"\\ud800",' + text[1:], b'{"a":"\\ud83d\\ude00",' + text[1:],
            b'{"a":"\xed\xa0\x80",' + text[1:], b'{"a":"\xff",' + text[1:], b'{"a":"\t\n",' + text[1:], b"/**/" + text,
            text.replace(b'"', b"'"), text + b"\n" * 1000, text[:-1] + b",}", b"payload=%7B%7D", b"\0" * 99, b"\x1f\x8b" + text,
        )
    )  # fmt: skip
    return _sent(random, event, body)


def _headers(random: Random, event: str, payload: Payload) -> Sent:
    sent = _sent(random, event, payload.text)
    for _ in range(random.choice((1, 1, 2))):
        name = random.choice(
            ("Content-Type", "X-GitHub-Event", "X-GitHub-Delivery", "Accept", "Host", "Content-Encoding")
        )
        if random.random() < 0.3:
            sent.headers.pop(name, None)
            continue
        odd = (
            "", " ", "application/x-www-form-urlencoded", "application/json; charset=utf-8", "application/json; charset=koi8-r",
            "APPLICATION/JSON", "application/json;", "application/json; charset", 'application/json; charset="', "text/json",
            "multipart/form-data", "multipart/form-data; boundary=x", "\xff\xfe", "a,b", "\x00", "é", "x" * 9000, "../..",
            "pull_request", GUID.upper(), "%00", "gzip", "{}", "' or 1=1 --", "ping", "*/*;q=x", "[::1]:x", "a b",
        )  # fmt: skip
        sent.headers[name] = random.choice(odd)
    return sent


def _signature(random: Random, event: str, payload: Payload) -> Sent:
    sent = _sent(random, event, payload.text)
    right = sent.headers["X-Hub-Signature-256"]
    at = random.randrange(len(right))
    odd = (
        "", "sha256=", right.upper(), right[7:], f" {right}", f"{right} ", f"{right},{right}", right[:-1], right + "0",
        "sha1=" + "0" * 40, "sha1=" + right[7:], right[:at] + "\xff" + right[at + 1 :], right[:at] + "٣" + right[at + 1 :],
        "sha256=" + "0" * 64, sign(payload.text, ""), sign(b"", SECRETS[0]), sign(payload.text, SECRETS[0].upper()), "\0" * 71,
        "sha256=" + "é" * 64, right[:at] + ("0" if right[at] != "0" else "1") + right[at + 1 :], "x" * 100_000,
    )  # fmt: skip
    sent.headers["X-Hub-Signature-256"] = random.choice(odd)
    if random.random() < 0.1:
        del sent.headers["X-Hub-Signature-256"]
    return sent


def _lengths(random: Random, event: str, payload: Payload) -> Sent:
    """A length that lies, is missing, or is left to the server."""
    sent = _sent(random, event, payload.text)
    size = len(sent.body)
    odd = (0, 1, size - 1, size + 1, size * 2, -1, 25 * 1024 * 1024, 25 * 1024 * 1024 + 1, 2**63, 10**30, "abc", "", "0x10", "1e3",
           f"+{size}", f" {size}", f"{size}, {size}", "٣", "1_0")  # fmt: skip
    sent.headers["Content-Length"] = str(random.choice(odd))
    if random.random() < 0.3:
        del sent.headers["Content-Length"]
        sent.headers["Transfer-Encoding"] = random.choice(("chunked", "gzip, chunked", "identity", ""))
        sent.terminated = random.random() < 0.7
    return sent


def _requests(random: Random, event: str, payload: Payload) -> Sent:
    """Another method or another path."""
    sent = _sent(random, event, payload.text)
    if random.random() < 0.5:
        sent.method = random.choice(
            ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "post", "FOO", "PROPFIND")
        )
    else:
        sent.path = random.choice(
            ("/webhook/", "/webhook/x", "/Webhook", "/", "/webhook\0", "/webhook%00", "/é", "/../webhook")
        )
    return sent


MUTATIONS: dict[str, Callable[[Random, str, Payload], Sent]] = {
    "as it is": _as_it_is,
    "bytes flipped, signed anew": _bytes_signed_anew,
    "bytes flipped after signing": _bytes_after_signing,
    "cut short": _truncated,
    "spliced": _spliced,
    "another value anywhere": _value,
    "another value where it is read": _used_value,
    "a member missing": _missing,
    "two values swapped": _swapped,
    "another event": _another_event,
    "another action": _another_action,
    "odd JSON": _odd_json,
    "odd headers": _headers,
    "odd signature": _signature,
    "odd lengths": _lengths,
    "another method or path": _requests,
}
