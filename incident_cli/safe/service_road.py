"""One exchange with a Safe transaction service: its key, its time-outs, and what each status means.

What came whole is an answer; what says no is refused in the service's own words; where nothing can be said, whether a
POST has arrived is asked again by reading (`Unsure`). Measured against safe-transaction-service 6.10.1.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

from incident_cli.errors import Misused, Refused, Unread
from incident_cli.safe.service_explanations import see
from incident_cli.strict_json import Json, parse_json
from incident_cli.text import plain
from incident_cli.web import MEBIBYTE, Answer, Road, TooLarge, Unusable, is_loopback, parse_url, request_headers

QUOTED = 600  # characters of a refusal
DEPTH = 256  # what it decodes of nested batches is nested itself
CAP_BYTES = 16 * MEBIBYTE  # a page of 200 transactions with what it decoded of them
PATIENCE = 60.0  # seconds waited altogether where it throttles
EPOCH = 10**9  # a reset above this is a moment, below it is a wait in seconds
LATEST = 253_402_300_799  # the last second that a date can show
FILES = "Deliver by files instead (`incident safe export`), or gather the signatures by hand."


class Unsure(Unread):
    """Nothing can be said of what was asked. `arrived` is False where the request cannot have reached the service."""

    def __init__(self, message: str, hint: str = "", *, arrived: bool = True) -> None:
        super().__init__(message, hint)
        self.arrived = arrived


class Oversized(Unsure):
    """The answer was larger than is read."""


class ServiceRoad:
    """The way to one service. Neither its URL nor its key is in any message or repr."""

    def __init__(
        self,
        url: str,
        name: str,
        *,
        key: str | None = None,
        proxy: str = "",
        sleep: Callable[[float], None] | None = None,
        connect_seconds: float = 3,
        read_seconds: float = 6,
    ) -> None:
        self.name = name
        base, credential = parse_url(url, name)
        if urlsplit(base).scheme != "https" and not is_loopback(urlsplit(base).hostname or ""):
            raise Misused(f"the URL of {name} is not https://", "Only one on this machine may be without TLS.")
        bearer = {"authorization": f"Bearer {key}"} if key else {}
        self._base, self._headers = base.rstrip("/"), request_headers({**credential, **bearer}, name)
        self._secrets = tuple(one for one in (key, *credential.values(), *bearer.values()) if one)
        self._road, self._sleep = Road(connect_seconds, read_seconds, CAP_BYTES, proxy), sleep

    def read(self, path: str) -> Json:
        """The JSON of a GET; None where the service itself says that there is no such thing; raises as `ask` does."""
        answer = self.ask("GET", path)
        found = self.json_of(answer)
        if answer.status == 404 and isinstance(found, dict) and "detail" in found:
            return None
        if answer.status == 404 or found is None:
            raise Unsure(f"{self.name} answered HTTP {answer.status} in a way it never does", self.look_at_url)
        return found

    def ask(self, method: str, path: str, document: Mapping[str, object] | None = None) -> Answer:
        """An answer with status 2xx or 404, waiting where it throttles.

        Raises Refused with the service's own words (other 4xx), Unread (the key, a redirect, a throttle that lasts)
        and Unsure (no whole answer, or 5xx).
        """
        body = None if document is None else json.dumps(document, separators=(",", ":"), allow_nan=False).encode()
        left = PATIENCE
        while (answer := self._once(method, path, body)).status == 429:
            left = self._wait(answer, left)
        self._judge(answer)
        return answer

    def _once(self, method: str, path: str, body: bytes | None) -> Answer:
        try:
            return self._road.ask(method, f"{self._base}{path}", self._headers, body)
        except Unusable as problem:
            hint = see("service-unclear", f"Run it again: what has arrived is not sent twice. {FILES}")
            kind = Oversized if isinstance(problem, TooLarge) else Unsure
            raise kind(f"{self.name} {problem.reason}", hint, arrived=problem.arrived) from None

    def _wait(self, answer: Answer, left: float) -> float:
        """Wait as long as it asks for; the patience that is left, or Unread where it is not enough."""
        seconds, until = asked_to_wait(answer.headers)
        if self._sleep is None or seconds is None or seconds > left:
            hint = see("service-throttled", f"Run it again then. {FILES}")
            raise Unread(f"{self.name} is throttling (HTTP 429) {until}", hint)
        self._sleep(seconds)
        return left - seconds

    def _judge(self, answer: Answer) -> None:
        """Raise what a status means; 2xx and 404 pass."""
        status = answer.status
        if 200 <= status < 300 or status == 404:
            return
        if status in (401, 403):
            hint = see("service-key", "Check the key that the deployment names.")
            raise Unread(f"{self.name} refused the credential (HTTP {status})", hint)
        if 300 <= status < 400:
            why = "redirects, which would turn a POST into a GET and is not followed"
            hint = see("service-redirects", "Write the URL it redirects to in the deployment.")
            raise Unread(f"{self.name} {why} (HTTP {status})", hint)
        if status == 451:
            raise Refused(
                f"{self.name} does not serve this Safe for legal reasons (HTTP 451)", see("service-banned", FILES)
            )
        if status >= 500 or status == 408:
            raise Unsure(f"{self.name} answered HTTP {status}", see("service-down", f"Run it again later. {FILES}"))
        words = f"{self.name} says no (HTTP {status}): {self.quoted(answer)}"
        raise Refused(words, see("service-refuses", "Correct what it names."))

    def json_of(self, answer: Answer) -> Json:
        """The JSON of an answer; raises Unsure: a page in HTML is no answer, whatever its status."""
        try:
            return parse_json(answer.body, DEPTH)
        except ValueError:
            raise Unsure(f"{self.name} did not answer with JSON (HTTP {answer.status})", self.look_at_url) from None

    @property
    def look_at_url(self) -> str:
        """A hint."""
        return see("service-page", "Look at its URL in the deployment: something else may stand there.")

    def quoted(self, answer: Answer) -> str:
        """What the service says of its refusal, on one line, without any secret that it repeats."""
        try:
            words = "; ".join(flat(parse_json(answer.body, DEPTH)))
        except ValueError:
            words = "a page that is no JSON"
        for secret in self._secrets:
            words = words.replace(secret, "(the key)")
        return plain(words, QUOTED)


def asked_to_wait(headers: Mapping[str, str]) -> tuple[float | None, str]:
    """For how many seconds (None where it does not say) and the same in words; at least one second."""
    for header in ("x-ratelimit-reset", "retry-after"):
        said = headers.get(header, "").strip()
        if not (said.isascii() and said.isdigit() and len(said) < 13):
            continue
        if EPOCH < int(said) <= LATEST:
            return None, f"until {datetime.fromtimestamp(int(said), UTC):%Y-%m-%dT%H:%M:%SZ}"
        return max(1.0, float(said)), f"for another {int(said)} s"
    return None, "without saying until when"


def flat(found: Json, field: str = "") -> list[str]:
    """The messages of a refusal: `field: message`; what concerns no field stands alone."""
    if isinstance(found, dict):
        named = ((key, value) for key, value in found.items())
        return [words for key, value in named for words in flat(value, "" if key == "nonFieldErrors" else key)]
    if isinstance(found, list):
        return [words for one in found for words in flat(one, field)]
    return [f"{field}: {found}" if field else str(found)]
