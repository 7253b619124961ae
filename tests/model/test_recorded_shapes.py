"""The shape of our requests to an endpoint, pinned by cassettes: the same calls must make the same requests.

By default nothing is recorded and no socket is opened. See tests/recorded/README.md for how to record.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import httpx2
import pytest
import vcr

from bot.errors import ConfigError, CredentialsError
from bot.model.budget import Budget
from bot.model.client import SparkModel
from bot.model.endpoint import read_endpoint
from bot.model.exchange import Message
from bot.model.guard import Guard
from bot.model.pool import Pool
from bot.model.prices import PriceTable
from bot.review.ports import CallKind, CallReport, Prompt, Stop, StreamEnd
from bot.sandbox.endpoint import EndpointOptions, EndpointServer, Fault, FaultKind, fixed
from bot.settings import KEY_VARIABLES

CASSETTES = Path(__file__).parent.parent / "recorded" / "model"
ASKED = os.environ.get("SPARK_RECORD", "")
RECORD = ASKED if ASKED in {"sandbox", "endpoint"} else ""
PLACE = CASSETTES / "endpoint.json"
"""The endpoint that was recorded, as the settings name it, for the replay."""
SAID = '{"none": true}\n{"end": true}\n'
KEPT_OF_REQUESTS = {"accept", "accept-encoding", "content-type"}
_DATES = re.compile(rb'("(?:created|created_at|completed_at)": ?)\d+')
KEPT_OF_ANSWERS = {"content-type", "retry-after", "retry-after-ms"}


def _plain_request(request):
    """The same address wherever it was recorded, and no header that says who asked, with what and when."""
    parts = urlsplit(request.uri)
    request.uri = urlunsplit(("https", "endpoint.example", parts.path, parts.query, ""))
    request.headers = {name: value for name, value in request.headers.items() if name.lower() in KEPT_OF_REQUESTS}
    return request


def _plain_response(response):
    response["headers"] = {
        name.lower(): values for name, values in response["headers"].items() if name.lower() in KEPT_OF_ANSWERS
    }
    body = response["body"]["string"]
    response["body"]["string"] = _DATES.sub(rb"\g<1>0", body)
    return response


TAPE = vcr.VCR(
    cassette_library_dir=str(CASSETTES),
    record_mode="all" if RECORD else "none",
    match_on=("method", "path", "query", "body"),
    before_record_request=_plain_request,
    before_record_response=_plain_response,
    decode_compressed_response=True,
    drop_unused_requests=bool(RECORD),
)


class Taped:
    """An answer as httpx2 gives it, in the place of our own."""

    def __init__(self, response: httpx2.Response) -> None:
        self.status = response.status_code
        self.headers = response.headers.raw
        self._response = response

    def header(self, name: bytes) -> bytes:
        return next((value for each, value in self.headers if each.lower() == name), b"")

    def chunks(self) -> Iterator[bytes]:
        return self._response.iter_raw()

    def pump(self, take: Callable[[bytes], bool]) -> None:
        any(map(take, self.chunks()))


@pytest.fixture(autouse=True)
def _tape_hears_us(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tape listens at httpx2's door: our requests go through it, not over connections of ours."""
    door = httpx2.HTTPTransport(verify=bool(RECORD))

    @contextmanager
    def exchange(pool: Pool, message: Message, content: bytes, guard: Guard) -> Iterator[Taped]:
        url = pool.route.origin + message.target
        yield Taped(
            door.handle_request(httpx2.Request(message.method, url.decode(), headers=message.headers, content=content))
        )

    monkeypatch.setattr("bot.model.sdk.exchange", exchange)


class WallClock:
    def now(self) -> float:
        return time.monotonic()


STAND_IN = {"place": "https://endpoint.example/v1", "model": "codex-spark-preview"}


def _place() -> dict[str, str]:
    if RECORD == "endpoint":
        return {"place": os.environ["SPARK_BASE_URL"], "model": os.environ["SPARK_MODEL"]}
    if RECORD:
        return STAND_IN
    found: dict[str, str] = json.loads(PLACE.read_text("utf-8"))
    return found


class Caller:
    """One model: replayed, or recorded at a stand-in or at a real endpoint."""

    def __init__(self, stack: ExitStack, *, api: str, model: str, key: str | None, options: dict[str, object]) -> None:
        # Faults come from the stand-in alone, whatever endpoint the rest was recorded at.
        here = STAND_IN if options else _place()
        keys = (
            {name: value for name in KEY_VARIABLES if (value := os.environ.get(name))} if RECORD == "endpoint" else {}
        )
        if key is not None or not keys:
            keys = {"SPARK_API_KEY": key or "a-key"}
        place = here["place"]
        if RECORD == "sandbox":
            chosen = {"script": fixed(SAID), "ttft": 0.0, "api_key": "a-key", **options}
            place = stack.enter_context(EndpointServer(EndpointOptions(**chosen))).url
        elif RECORD:
            PLACE.write_text(json.dumps(here) + "\n", "utf-8")
        endpoint = read_endpoint(place, model=model or here["model"], api=api, keys=keys)
        self.model = SparkModel(endpoint, prices=PriceTable.read(""), budget=Budget(), clock=WallClock())
        stack.callback(self.model.close)

    def ask(self, **changes: object) -> tuple[CallReport, str]:
        prompt = {
            "kind": CallKind.REVIEW,
            "system": "Answer with exactly these two lines, nothing else:\n" + SAID,
            "user": "+R1#abc|x = 1",
            "max_output_tokens": 900,
            "reason": False,
            "tokens": 40,
        }
        parts: list[str] = []
        clock = WallClock()
        stop = Stop(deadline=clock.now() + 60, clock=clock)
        report = self.model.stream(Prompt(**{**prompt, **changes}), sink=parts.append, stop=stop)
        return report, "".join(parts)


@pytest.fixture
def caller() -> Iterator[Callable[..., Caller]]:
    with ExitStack() as stack:

        def make(*, api: str = "chat", model: str = "", key: str | None = None, **options: object) -> Caller:
            return Caller(stack, api=api, model=model, key=key, options=options)

        yield make
    if RECORD == "sandbox":
        PLACE.write_text(json.dumps(_place()) + "\n", "utf-8")


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_an_answer_and_its_usage(caller, api) -> None:
    with TAPE.use_cassette(f"{api}.yaml") as tape:
        report, text = caller(api=api).ask()
    assert report.end is StreamEnd.WHOLE
    assert '{"end": true}' in text
    assert report.usage.input_tokens > 0
    assert report.usage.output_tokens > 0
    assert tape.all_played or RECORD


def test_an_answer_that_may_reason(caller) -> None:
    with TAPE.use_cassette("reasoning.yaml") as tape:
        report, _ = caller().ask(reason=True, kind=CallKind.CHECK)
    assert report.end is StreamEnd.WHOLE
    assert tape.all_played or RECORD


def test_a_wrong_key(caller) -> None:
    with TAPE.use_cassette("wrong_key.yaml") as tape, pytest.raises(CredentialsError, match="SPARK_API_KEY"):
        caller(key="not-a-key").ask()
    assert tape.all_played or RECORD


def test_a_model_that_is_not_there_is_told_with_those_that_are(caller) -> None:
    with (
        TAPE.use_cassette("unknown_model.yaml") as tape,
        pytest.raises(ConfigError, match=r"has no model no-such-model .* It has "),
    ):
        caller(model="no-such-model").ask()
    assert tape.all_played or RECORD


needs_stand_in = pytest.mark.skipif(RECORD == "endpoint", reason="a real endpoint does not do this on demand")


@needs_stand_in
def test_a_refused_parameter_is_left_out_from_then_on(caller) -> None:
    with TAPE.use_cassette("refused_parameter.yaml") as tape:
        one = caller(rejects=frozenset({"stream_options"}))
        first, second = one.ask()[0], one.ask()[0]
    assert first.end is second.end is StreamEnd.WHOLE
    assert any("stream_options" in notice for notice in first.notices)
    assert len(tape) == 3 or RECORD
    assert tape.all_played or RECORD


@needs_stand_in
def test_a_rate_limit_is_waited_for(caller) -> None:
    wait = Fault(kind=FaultKind.STATUS, status=429, retry_after=0.05)
    with TAPE.use_cassette("rate_limit.yaml") as tape:
        report, _ = caller(faults=(wait,)).ask()
    assert report.end is StreamEnd.WHOLE
    assert tape.all_played or RECORD


@needs_stand_in
@pytest.mark.parametrize("api", ["chat", "responses"])
def test_an_error_inside_a_stream(caller, api) -> None:
    broken = Fault(kind=FaultKind.ERROR_EVENT, after=4)
    with TAPE.use_cassette(f"{api}_error.yaml") as tape:
        report, text = caller(api=api, faults=(broken,)).ask()
    assert report.end is StreamEnd.SERVER_ERROR
    assert text
    assert SAID.startswith(text)
    assert tape.all_played or RECORD


def test_a_request_of_another_shape_is_not_in_the_cassette(caller) -> None:
    if RECORD:
        pytest.skip("recording")
    with TAPE.use_cassette("chat.yaml"), pytest.raises(vcr.errors.CannotOverwriteExistingCassetteException):
        caller().ask(max_output_tokens=901)


_TOKENS = re.compile(
    r"\b(?:sk|csk|gsk|xai|AIza)[-_][A-Za-z0-9_-]{16,}|gh[a-z]_[A-Za-z0-9]{16,}|github_pat_\w+|Bearer|org-\w{8,}|req_\w{8,}"
)


def test_no_cassette_holds_a_secret() -> None:
    cassettes = sorted(CASSETTES.parent.rglob("*.yaml"))
    assert len(cassettes) >= 12
    for cassette in cassettes:
        text = cassette.read_text("utf-8")
        if cassette.parent == CASSETTES:
            assert _TOKENS.search(text) is None, cassette.name
        assert "authorization" not in text.lower(), cassette.name
        assert "x-stainless" not in text.lower(), cassette.name
        assert "127.0.0.1" not in text, cassette.name
        # Base64 would hide a token from the search.
        assert "!!binary" not in text, cassette.name
