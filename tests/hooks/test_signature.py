"""Who sent it: the signature over the raw bytes."""

from __future__ import annotations

import hashlib
import hmac
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.hooks.signature import sign, verify

SECRET = "It's a Secret to Everybody"
BODY = b"Hello, World!"
RIGHT = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"

secrets = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)


def test_githubs_own_test_vector_is_right() -> None:
    assert sign(SECRET, BODY) == RIGHT
    assert verify(BODY, RIGHT, [SECRET])


def test_while_secrets_rotate_either_of_the_two_fits() -> None:
    assert verify(BODY, RIGHT, ["new", SECRET])
    assert verify(BODY, RIGHT, [SECRET, "new"])
    assert not verify(BODY, RIGHT, ["new", "newer"])


@pytest.mark.parametrize(
    ("why", "header"),
    [
        ("missing", None),
        ("empty", ""),
        ("the prefix alone", "sha256="),
        ("no prefix", RIGHT.removeprefix("sha256=")),
        ("another algorithm", "sha1=" + hmac.new(SECRET.encode(), BODY, hashlib.sha1).hexdigest()),
        ("another algorithm's prefix", RIGHT.replace("sha256", "sha512")),
        ("upper-case digits", "sha256=" + RIGHT[7:].upper()),
        ("upper-case prefix", RIGHT.replace("sha256", "SHA256")),
        ("a blank before it", f" {RIGHT}"),
        ("a blank for a digit", RIGHT[:-1] + " "),
        ("one digit short", RIGHT[:-1]),
        ("one digit more", RIGHT + "0"),
        ("given twice", f"{RIGHT},{RIGHT}"),
        ("not ASCII", "sha256=" + "é" * 64),
        ("digits of another script", "sha256=" + "٣" * 64),
        ("half of a surrogate pair", "sha256=" + "\ud800" * 64),
        ("NUL", RIGHT[:-1] + "\0"),
    ],
)
def test_a_header_of_another_form_is_refused(why: str, header: str | None) -> None:
    assert not verify(BODY, header, [SECRET]), why


def test_without_secrets_or_with_an_empty_one_nothing_fits() -> None:
    assert not verify(BODY, RIGHT, [])
    assert not verify(BODY, sign("", BODY), [""])
    assert verify(BODY, RIGHT, ["", SECRET])


def test_every_secret_is_compared_whichever_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bytes] = []
    compare = hmac.compare_digest

    def watched(one: bytes, other: bytes) -> bool:
        compared.append(one)
        return compare(one, other)

    monkeypatch.setattr(hmac, "compare_digest", watched)
    assert verify(BODY, RIGHT, [SECRET, "new"])
    assert compared == [sign(SECRET, BODY).encode(), sign("new", BODY).encode()]


def test_25_megabytes_are_checked_in_well_under_a_second() -> None:
    body = bytes(25 * 1024 * 1024)
    header = sign(SECRET, body)
    began = time.process_time()
    assert verify(body, header, ["old", SECRET])
    assert time.process_time() - began < 1.5


@settings(max_examples=60, deadline=None)
@given(secret=secrets, other=secrets, body=st.binary(max_size=200))
def test_a_signature_fits_its_own_secret_alone(secret: str, other: str, body: bytes) -> None:
    assert verify(body, sign(secret, body), [secret])
    # HMAC fills a short key up with zeros, so these two are one key.
    assert verify(body, sign(secret, body), [other]) == (secret.rstrip("\0") == other.rstrip("\0"))


@settings(max_examples=60, deadline=None)
@given(body=st.binary(min_size=1, max_size=200), data=st.data())
def test_one_bit_of_the_body_or_of_the_header_breaks_it(body: bytes, data: st.DataObject) -> None:
    header = sign(SECRET, body)
    changed = bytearray(body)
    changed[data.draw(st.integers(0, len(body) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert not verify(bytes(changed), header, [SECRET])
    at = data.draw(st.integers(0, len(header) - 1))
    other = data.draw(st.characters(codec="latin-1").filter(lambda each: each != header[at]))
    assert not verify(body, header[:at] + other + header[at + 1 :], [SECRET])


@settings(max_examples=100, deadline=None)
@given(header=st.none() | st.text(max_size=80), body=st.binary(max_size=50))
def test_no_header_is_too_odd_to_be_refused(header: str | None, body: bytes) -> None:
    assert not verify(body, header, [SECRET])
