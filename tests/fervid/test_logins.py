import os
from urllib.parse import unquote, urlsplit

import pytest

from fervid.errors import ConfigError
from fervid.logins import Logins, read_logins, with_login

ODD = "p@:/#%ä ?&"


def netrc(tmp_path, text, mode=0o600):
    path = tmp_path / "logins"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def found(logins, uri):
    login = logins.find(uri)
    return login and (login.user, login.password)


def test_a_host_with_its_port_comes_before_the_host_and_that_before_the_rest(tmp_path):
    path = netrc(
        tmp_path,
        "machine CAM login a password 1\n"
        "machine cam:8554 login b password #2\n"
        "machine [::1]:554\n  login c\n  password 3\n"
        "default login d password 4\n",
    )
    logins = read_logins(path)
    assert found(logins, "rtsp://cam/x") == ("a", "1")
    assert found(logins, "RTSP://Cam:554/x") == ("a", "1")
    assert found(logins, "http://cam:8554/x") == ("b", "#2")
    assert found(logins, "rtsp://[::1]:554/x") == ("c", "3")
    assert found(logins, "https://other/x") == ("d", "4")


def test_a_url_with_a_user_and_streams_without_users_get_none(tmp_path):
    logins = read_logins(netrc(tmp_path, "default login d password 4"))
    for uri in ("rtsp://me:pw@cam/x", "http://me@cam/x", "udp://cam:5000", "tcp://cam:5000"):
        assert logins.find(uri) is None


def test_variables_are_for_hosts_that_the_file_does_not_know(tmp_path):
    path = netrc(tmp_path, "machine cam login a password 1\ndefault login d password 4")
    logins = read_logins(path, {"FERVID_USER": "e", "FERVID_PASSWORD": "5"})
    assert found(logins, "rtsp://cam/x") == ("a", "1")
    assert found(logins, "rtsp://other/x") == ("e", "5")
    assert found(read_logins(None, {"FERVID_USER": "e", "FERVID_PASSWORD": ""}), "http://h/") == (
        "e",
        "",
    )
    assert read_logins(None, {}).find("http://h/") is None


def test_an_odd_password_survives_the_url():
    logins = read_logins(None, {"FERVID_USER": "mé@", "FERVID_PASSWORD": ODD})
    uri = with_login("rtsp://cam:8554/a?b=c", logins.find("rtsp://cam:8554/a?b=c"))
    parts = urlsplit(uri)
    assert (unquote(parts.username), unquote(parts.password)) == ("mé@", ODD)
    assert (parts.hostname, parts.port, parts.path, parts.query) == ("cam", 8554, "/a", "b=c")


def test_a_password_that_is_no_text_keeps_its_bytes():
    variables = {"FERVID_USER": "me", "FERVID_PASSWORD": os.fsdecode(b"\xff")}
    assert with_login("http://h/", read_logins(None, variables).find("http://h/")) == (
        "http://me:%FF@h/"
    )


def test_no_login_shows_itself():
    logins = read_logins(None, {"FERVID_USER": "someone", "FERVID_PASSWORD": "secret"})
    shown = repr(logins.find("http://h/")) + repr(logins)
    assert "secret" not in shown
    assert "someone" not in shown


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_file_that_others_can_read_is_refused(tmp_path, mode):
    path = netrc(tmp_path, "machine cam login a password 1", mode)
    with pytest.raises(ConfigError, match="chmod 600"):
        read_logins(path)


@pytest.mark.parametrize("text", ["machine cam pass secret", "secret", "machine cam login\nsecret"])
def test_a_malformed_file_is_named_and_not_quoted(tmp_path, text):
    path = netrc(tmp_path, text + " secret")
    with pytest.raises(ConfigError, match=r"logins is not in netrc's format in line \d") as caught:
        read_logins(path)
    assert "secret" not in str(caught.value).partition("write lines like")[0]
    assert caught.value.__cause__ is None


def test_what_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ConfigError, match="There is no credentials file"):
        read_logins(tmp_path / "missing")
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o700)
    with pytest.raises(ConfigError, match="folder cannot be read"):
        read_logins(folder)
    bad = netrc(tmp_path, "")
    bad.write_bytes(b"machine \xff\xfe\x00 login")
    with pytest.raises(ConfigError, match="logins"):
        read_logins(bad)


@pytest.mark.parametrize(
    ("environment", "missing"),
    [({"FERVID_USER": "me"}, "FERVID_PASSWORD"), ({"FERVID_PASSWORD": "x"}, "FERVID_USER")],
)
def test_half_a_login_is_refused(environment, missing):
    with pytest.raises(ConfigError, match=f"without {missing}"):
        read_logins(None, environment)


def test_a_user_with_a_colon_is_refused():
    with pytest.raises(ConfigError, match="colon") as caught:
        read_logins(None, {"FERVID_USER": "a:b", "FERVID_PASSWORD": "secret"})
    assert "secret" not in str(caught.value)


def test_nothing_is_known_of_anybody_by_default():
    assert Logins().find("rtsp://cam/x") is None
