"""Plain HTTP: any status as it came, nothing followed, a proxy only where one is given."""

from __future__ import annotations

import pytest

from incident_cli.errors import Misused, Unread
from incident_cli.web import Road, TooLarge, Unusable, fetch, never_left, parse_proxy
from tests.fakes.node import closed_port
from tests.fakes.safe_service import SafeService
from tests.fakes.safe_service_faults import Fault, Reply

SECRET = "s3cr3tkey"
ABOUT = "/api/v1/about/"


def road(**options: float) -> Road:
    """A way with short time-outs."""
    return Road(**{"connect_seconds": 1, "read_seconds": 2, "cap_bytes": 10_000, **options})  # type: ignore[arg-type]


@pytest.mark.parametrize("status", [200, 201, 204, 301, 307, 400, 401, 404, 422, 429, 451, 500, 502, 503])
def test_any_status_is_an_answer_with_its_headers_and_body(status: int) -> None:
    body = b"" if status == 204 else b"as it came"
    with SafeService() as service:
        page = Fault("page", page=Reply(status, body, {"X-Said": "This", "location": f"{service.url}/elsewhere"}))
        service.faults.arm_with("about", page)
        answer = road().ask("GET", service.url + ABOUT, {})
        assert (answer.status, answer.body, answer.headers["x-said"]) == (status, body, "This")
        assert service.paths == [ABOUT], "nothing was followed or tried again"
        assert "as it came" not in repr(answer)


def test_only_a_200_is_a_body() -> None:
    with SafeService() as service:
        service.faults.arm("about", "html 500 before")
        with pytest.raises(Unusable, match="HTTP 500"):
            road().send("GET", service.url + ABOUT, {})
        assert b"6.10.1" in road().send("GET", service.url + ABOUT, {})
        with pytest.raises(Unread, match="redirects"):
            service.faults.arm("about", "redirect 307")
            fetch(service.url + ABOUT, "the source")


def test_an_answer_above_the_cap_is_too_large() -> None:
    with SafeService() as service, pytest.raises(TooLarge, match="larger than 20 bytes"):
        road(cap_bytes=20).ask("GET", service.url + ABOUT, {})


def test_it_is_known_when_nothing_can_have_arrived() -> None:
    with pytest.raises(Unusable, match="refused") as caught:
        road().ask("POST", f"http://127.0.0.1:{closed_port()}/", {}, b"{}")
    assert not caught.value.arrived
    with SafeService() as service:
        service.faults.arm("about", "reset after")
        with pytest.raises(Unusable, match="broke off") as caught:
            road().ask("GET", service.url + ABOUT, {})
        assert caught.value.arrived
    assert not never_left(OSError("anything else"))


def test_a_proxy_gets_its_own_credential_and_no_other_place_does() -> None:
    assert parse_proxy("http://a:b@proxy.example:3128") == (
        "http://proxy.example:3128",
        {"proxy-authorization": "Basic YTpi"},
    )
    with pytest.raises(Misused, match="the proxy") as caught:
        Road(1, 1, 100, proxy=f"socks5://u:{SECRET}@proxy.example")
    assert SECRET not in f"{caught.value!r} {caught.value.hint}"
    with SafeService() as proxy:
        through = Road(1, 1, 10_000, proxy=proxy.url)
        nowhere = f"http://127.0.0.1:{closed_port()}{ABOUT}"
        assert through.ask("GET", nowhere, {}).status == 200
        assert len(proxy.requests) == 1
