"""Secrets masked in everything that is shown, so that a review does not spread what a commit let out.

A secret is known by its shape (tokens of well-known services, private keys, addresses with a password), by the name it
is assigned to, or because it looks random. What the patch contains is remembered by value, so that a bare quotation of
it is masked too. This lowers a risk; it does not promise to find every secret.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator

from bot.diff.model import Patch

MASK = "•••"

# Every quantifier is bounded or runs over one class of characters, so that no input takes more than linear time.
_SHAPES = re.compile(
    r"\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}\b"  # AWS key ids
    r"|\bgh[a-z]_[A-Za-z0-9._-]{20,}"  # GitHub; tokens of 2026 have dots and up to 520 characters
    r"|\bgithub_pat_[A-Za-z0-9_]{20,}"
    r"|\bglpat-[A-Za-z0-9_-]{20,}"
    r"|\bxox[a-z]-[A-Za-z0-9-]{10,}|\bxapp-[A-Za-z0-9-]{10,}"  # Slack
    r"|\b[sr]k_(?:live|test)_[A-Za-z0-9]{10,}|\bwhsec_[A-Za-z0-9+/=]{16,}"  # Stripe
    r"|\bAIza[A-Za-z0-9_-]{30,}|\bya29\.[A-Za-z0-9_-]{20,}"  # Google
    r"|\bsk-[A-Za-z0-9_-]{20,}"  # OpenAI and those who write keys alike
    r"|\bhf_[A-Za-z0-9]{20,}|\bnpm_[A-Za-z0-9]{30,}|\bpypi-[A-Za-z0-9_-]{30,}"
    r"|\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"  # SendGrid
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"  # JSON Web Tokens
)
_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?)-----")
_PEM_END = "-----END "
_USERINFO = re.compile(r"(://[^\s/:@\"'<>]{0,128}:)([^\s/@\"'<>]{1,256})(?=@)")
_NAMED = (
    r"(?:(?<=p)(?:ass(?:word|wd|phrase)|(?<=\bp)wd|rivate[_-]?key)|(?<=s)ecret|(?<=t)oken(?!s\b|iz)"
    r"|(?<=a)(?:pi[_-]?key|ccess[_-]?key|uth[_-]?key)|(?<=c)redential)[\w.-]{0,40}"
)
"""A name that a secret has, behind its first letter, which is a class of characters: so it takes a fifth of the time."""
_QUOTED = re.compile(
    r"[pPsStTaAcC](?i:" + _NAMED + r"[\"'\]]{0,2}\s{0,8}(?:=>|:=|==?|:)\s{0,8}[bru]{0,2}([\"'`])([^\"'`\n]{6,400})\1)",
)
_BARE = re.compile(
    r"[pPsStTaAcC](?i:" + _NAMED + r"[ \t]{0,8}[=:][ \t]{0,8}([^\s\"'`$<{(\[,;#]{8,400})[ \t]*\r?$)", re.MULTILINE
)
_BARE_FILES = re.compile(r"(?:^|/)(?:\.env[^/]*|[^/]*\.(?:env|ya?ml|properties|ini|cfg|conf|tfvars))$")
_PLACEHOLDER = re.compile(
    r"[x*.•_-]+|<.*>|\$.*|%.*%|\{.*\}|.*\{\{.*|.*\$\{.*|(?:your|my|the|some|example|sample|test|dummy|fake|change|replace)"
    r"[_ -].*|change_?me|password|secret|none|null|true|false|required|optional|string|undefined",
    re.IGNORECASE,
)
_NAME = re.compile(r"[A-Z][A-Z0-9_]+|[a-z]+(?:[_.-][a-z]+)+")
_RANDOM = re.compile(r"(?<![A-Za-z0-9+/_=-])[A-Za-z0-9+/_-]{32,512}={0,2}(?![A-Za-z0-9+/_=-])")
_CHECKSUM = re.compile(r"(?:sha\d{3}|md5|h1)[-:=]$|base64,$")
_CHECKSUM_START = re.compile(r"(?:sha\d{3}|md5|h1)-")
_WORD = re.compile(r"[a-z]{8}")
_PIECE = re.compile(r"[A-Za-z0-9+/_=.-]{12,}")
_SHORTEST = 6
"""Shorter values are not remembered: masking every `test` of a text would tell less and hide nothing."""


class Redactor:
    """Masks secrets in text. Made once for a review; safe to use from several threads."""

    def __init__(self, patch: Patch) -> None:
        """Read every line of `patch`: a secret that was removed is still one."""
        found: set[str] = set()
        for file in patch.files:
            bare = _BARE_FILES.search(file.path) is not None
            for hunk in file.hunks:
                text = "\n".join(line.text for line in hunk.lines)
                found.update(_values(text, bare=bare))
                if "PRIVATE KEY" in text:
                    found.update(_key_lines(line.text for line in hunk.lines))
        self._values = tuple(sorted((value for value in found if len(value) >= _SHORTEST), key=len, reverse=True))
        self._long = "\n".join(value for value in self._values if len(value) >= 20)
        self._known: dict[str, str] = {}

    def redact(self, text: str) -> str:
        """`text` with every secret replaced by at most its first four characters and `•••`."""
        # A summary that has to be shortened asks for the same texts again and again.
        known = self._known.get(text)
        if known is None:
            known = self._known[text] = self._redacted(text)
        return known

    def _redacted(self, text: str) -> str:
        for value in self._values:
            if value in text:
                text = text.replace(value, _masked(value))
        text = _mask_keys(text)
        text = _SHAPES.sub(lambda match: match.group()[:4] + MASK, text)
        text = _USERINFO.sub(lambda match: match.group(1) + MASK, text)
        text = _QUOTED.sub(_mask_quoted, text)
        text = _RANDOM.sub(_mask_random, text)
        return _PIECE.sub(self._mask_piece, text) if self._long else text

    def has_secret(self, text: str) -> bool:
        """Whether `redact` would change `text`."""
        return self.redact(text) != text

    def _mask_piece(self, match: re.Match[str]) -> str:
        """A quotation of a part of a long secret."""
        piece = match.group()
        return MASK if piece in self._long else piece


def _values(text: str, *, bare: bool) -> Iterator[str]:
    """The secrets of a piece of code, as they stand there."""
    for match in _SHAPES.finditer(text):
        yield match.group()
    for match in _USERINFO.finditer(text):
        if not _PLACEHOLDER.fullmatch(match.group(2)):
            yield match.group(2)
    for match in _QUOTED.finditer(text):
        if _is_value(match.group(2)):
            yield match.group(2)
    for match in _BARE.finditer(text) if bare else ():
        if _is_value(match.group(1)):
            yield match.group(1)
    for match in _RANDOM.finditer(text):
        if _looks_random(match):
            yield match.group()


def _is_value(text: str) -> bool:
    """Whether what is assigned to such a name is a secret, and not a placeholder, a name, a pattern or a sentence."""
    return not (_PLACEHOLDER.fullmatch(text) or _NAME.fullmatch(text) or " " in text.strip() or text.startswith("(?"))


def _looks_random(match: re.Match[str]) -> bool:
    text = match.group().rstrip("=")
    if _CHECKSUM.search(match.string[max(0, match.start() - 8) : match.start()]) or _CHECKSUM_START.match(text):
        return False
    digits = sum(char.isdigit() for char in text)
    if digits < 3 or text.islower() or text.isupper() or max(map(len, re.split(r"[-_/]", text))) < 20:
        return False  # Hexadecimal hashes, paths and words joined by dashes.
    if "abcdef" in text.lower() or "012345" in text or _WORD.search(text):
        return False  # An alphabet, or a name made of words.
    counts = Counter(text)
    entropy = -sum(count / len(text) * math.log2(count / len(text)) for count in counts.values())
    return entropy >= 4.3


def _key_lines(lines: Iterable[str]) -> Iterator[str]:
    """The lines of private keys between BEGIN and END; to the end of the hunk where END is missing."""
    inside = False
    for line in lines:
        if _PEM.search(line):
            inside = True
        elif inside and _PEM_END in line:
            inside = False
        elif inside and len(line.strip()) >= 16:
            yield line.strip().strip("\"'\\n+, ")


def _mask_keys(text: str) -> str:
    """Private keys, whole or cut off."""
    out: list[str] = []
    at = 0
    for match in _PEM.finditer(text):
        if match.start() < at:
            continue
        end = text.find(f"-----END {match.group(1)}-----", match.end())
        out += [text[at : match.end()], MASK]
        at = len(text) if end < 0 else end
    return "".join([*out, text[at:]]) if out else text


def _masked(value: str) -> str:
    return (value[:4] if _SHAPES.fullmatch(value) else "") + MASK


def _mask_quoted(match: re.Match[str]) -> str:
    value = match.group(2)
    if not _is_value(value) or MASK in value:
        return match.group()
    return match.group().replace(value, MASK)


def _mask_random(match: re.Match[str]) -> str:
    return MASK if _looks_random(match) else match.group()
