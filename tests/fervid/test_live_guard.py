"""Who may look at the live page."""

import pytest

from fervid.config import RunConfig, ServeConfig
from fervid.config.serving import address
from fervid.errors import ConfigError
from fervid.live.guard import BAD_HOST, BAD_SITE, BAD_TOKEN, Guard

HERE = Guard.of("127.0.0.1", "127.0.0.1")
OUTSIDE = Guard.of("0.0.0.0", "0.0.0.0")


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("8080", "127.0.0.1:8080"),
        (8080, "127.0.0.1:8080"),
        ("0.0.0.0:80", "0.0.0.0:80"),
        ("[::1]:0", "[::1]:0"),
        ("studio.local:9000", "studio.local:9000"),
    ],
)
def test_an_address_is_a_port_or_a_host_with_one(value, found):
    assert address(value) == found
    assert ServeConfig(serve=found).serve == found


@pytest.mark.parametrize("value", ["clip.mp4", "", ":80", "70000", "::1", "a:b", True, "-1"])
def test_what_is_no_address_is_refused(value):
    with pytest.raises(ConfigError, match=r"--serve must be \[HOST:\]PORT, like 8080 for this"):
        address(value)


def test_the_parts_of_an_address():
    assert (ServeConfig(serve="[::1]:9").host, ServeConfig(serve="[::1]:9").port) == ("::1", 9)
    assert RunConfig().serving == ServeConfig()
    assert ServeConfig().host == ""


def test_a_token_is_needed_beyond_loopback_only():
    assert Guard.of("localhost", "127.0.0.1").token == Guard.of("::1", "::1").token == ""
    assert len(OUTSIDE.token) >= 32
    assert Guard.of("0.0.0.0", "0.0.0.0").token != OUTSIDE.token
    assert OUTSIDE.token not in repr(OUTSIDE)


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8080", "localhost", "LOCALHOST:9", "[::1]:8080", "127.0.0.2:1"]
)
def test_this_machine_is_known_by_its_own_names(host):
    assert HERE.refusal({"Host": host}, page=True) == ""


@pytest.mark.parametrize(
    "host", ["evil.example:8080", "", "127.0.0.1.evil.example", "192.0.2.7:8080", "[::1", "[v1.x]"]
)
def test_a_name_that_somebody_points_here_is_refused(host):
    assert HERE.refusal({"Host": host}, page=True) == BAD_HOST


def test_beyond_loopback_addresses_and_the_machines_name_are_own(monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "Studio.lan")
    for host in ("192.0.2.7:8080", "[2001:db8::1]:80", "studio.lan", "studio.local:80"):
        assert OUTSIDE.refusal({"Host": host}, page=True, given=OUTSIDE.token) == ""
    asked = {"Host": "evil.example"}
    assert OUTSIDE.refusal(asked, page=True, given=OUTSIDE.token) == BAD_HOST


@pytest.mark.parametrize("given", ["", "x", "é\udc80", OUTSIDE.token[:-1], OUTSIDE.token + "a"])
def test_a_wrong_token_is_refused(given):
    assert OUTSIDE.refusal({"Host": "192.0.2.7"}, page=True, given=given) == BAD_TOKEN


@pytest.mark.parametrize(
    "more",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:9"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_page_may_not_ask(more):
    asked = {"Host": "localhost:8080", **more}
    assert HERE.refusal(asked, page=False) == BAD_SITE
    assert OUTSIDE.refusal(asked, page=False, given=OUTSIDE.token) == BAD_SITE


def test_the_page_itself_may_ask_and_a_link_may_lead_to_it():
    own = {"Host": "localhost:8080", "Origin": "http://localhost:8080"}
    assert HERE.refusal(own | {"Sec-Fetch-Site": "same-origin"}, page=False) == ""
    linked = {"Host": "localhost:8080", "Sec-Fetch-Site": "cross-site"}
    assert HERE.refusal(linked, page=True) == ""
