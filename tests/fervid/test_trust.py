"""Servers that must prove who they are: real TLS on loopback."""

import shutil

import pytest

from fervid.capture import open_source
from fervid.config import ReadConfig
from fervid.errors import SourceOpenError
from fervid.trust import system_authorities, tls_options
from tests import servers
from tests.clips import clip

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is missing")


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    return servers.certificate(tmp_path_factory.mktemp("tls"))


@needs_openssl
def test_a_server_is_believed_only_if_somebody_known_has_signed_for_it(tmp_path, pem, monkeypatch):
    clip(tmp_path / "a.mp4", frames=3)
    with servers.http_server(servers.files(tmp_path), certificate=pem) as host:
        uri = f"https://me:secret@{host}/a.mp4"
        with pytest.raises(SourceOpenError, match="cannot prove who it is") as caught:
            open_source(uri)
        assert "--no-tls-verify" in str(caught.value)
        assert "secret" not in str(caught.value)
        with open_source(uri, ReadConfig(tls_verify=False)) as source:
            assert len(list(source)) == 3
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        with open_source(uri) as source:
            assert len(list(source)) == 3
        with pytest.raises(SourceOpenError, match="cannot prove"):  # for another name
            open_source(uri.replace("127.0.0.1", "localhost"))


@needs_openssl
def test_cameras_by_rtsps_are_checked_too(pem, monkeypatch):
    """A web server that speaks no RTSP stands in for one: it is asked only when believed."""
    asked = servers.text("no camera")
    with servers.http_server(asked, certificate=pem) as host:
        with pytest.raises(SourceOpenError, match="cannot prove who it is"):
            open_source(f"rtsps://{host}/s")
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        with pytest.raises(SourceOpenError, match=r"^(?!.*prove)"):
            open_source(f"rtsps://{host}/s")


def test_the_systems_authorities_are_used(monkeypatch, tmp_path):
    own = tmp_path / "own.pem"
    own.touch()
    monkeypatch.setenv("SSL_CERT_FILE", str(own))
    assert tls_options(True) == {"tls_verify": "1", "ca_file": str(own)}
    assert tls_options(False) == {"tls_verify": "0"}
    monkeypatch.delenv("SSL_CERT_FILE")
    found = system_authorities()
    assert found is None or found != str(own)
