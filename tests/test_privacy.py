"""Nothing leaves the machine: a whole run opens no internet socket, seen from the kernel."""

import shutil
import subprocess
import sys
import zipfile

import pytest

from tests.clips import clip
from tests.places import ROOT


def calls(tmp_path, *command):
    """The socket and connect calls of a command and all its threads."""
    log = tmp_path / "calls.txt"
    trace = ["strace", "-f", "-e", "trace=socket,connect", "-o", str(log)]
    subprocess.run([*trace, sys.executable, *command], check=True, cwd=ROOT, capture_output=True)
    return log.read_text().splitlines()


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_a_run_opens_no_internet_socket(tmp_path):
    source = clip(tmp_path / "x.mp4", frames=12)
    # The pause gives a library that reports in the background the time to try.
    code = (
        "import sys, time\n"
        "from fervid.cli import main\n"
        f"assert main([{str(source)!r}, '-o', {str(tmp_path / 'out')!r}, '--quiet']) == 0\n"
        "time.sleep(12)\n"
        "assert 'fsspec' not in sys.modules"
    )
    found = [line for line in calls(tmp_path, "-c", code) if "AF_INET" in line]
    assert found == []


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_a_file_in_an_archive_opens_no_internet_socket(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.write(clip(tmp_path / "x.mp4", frames=12), "x.mp4")
    words = [f"zip://*.mp4::{tmp_path / 'x.zip'}", "-o", str(tmp_path / "out"), "--quiet"]
    assert [line for line in calls(tmp_path, "-m", "fervid", *words) if "AF_INET" in line] == []


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_metrics_open_one_socket_which_is_bound_to_loopback(tmp_path):
    source, log = clip(tmp_path / "x.mp4", frames=12), tmp_path / "calls.txt"
    code = (
        "import sys\nfrom fervid.cli import main\n"
        f"sys.exit(main([{str(source)!r}, '--metrics-port', '0', '--alert', 'faces < 1', '-q']))"
    )
    trace = ["strace", "-f", "-e", "trace=socket,connect,bind,listen,sendto", "-o", str(log)]
    subprocess.run([*trace, sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True)
    lines = log.read_text().splitlines()
    assert len([line for line in lines if "socket(AF_INET" in line]) == 1
    (bound,) = (line for line in lines if " bind(" in line and "AF_INET" in line)
    assert 'inet_addr("127.0.0.1")' in bound
    assert not [line for line in lines if "connect(" in line and "AF_INET" in line]


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_the_trace_would_see_one(tmp_path):
    code = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()"
    assert any("AF_INET" in line for line in calls(tmp_path, "-c", code))


LISTS = {
    "a.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nhttp://127.0.0.1:9/a.ts\n"
    "#EXT-X-ENDLIST\n",
    "a.mp4": "ffconcat version 1.0\nfile http://127.0.0.1:9/a.mp4\n",
    "a.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
    "m=video 9 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    "a.mpd": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    'mediaPresentationDuration="PT2S"><Period><AdaptationSet mimeType="video/mp4"><Representation '
    'id="1" bandwidth="9"><BaseURL>http://127.0.0.1:9/a.mp4</BaseURL></Representation>'
    "</AdaptationSet></Period></MPD>\n",
}


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize("piped", [False, True])
@pytest.mark.parametrize("name", LISTS)
def test_a_file_that_is_a_list_of_addresses_opens_none(tmp_path, name, piped):
    path = tmp_path / name
    path.write_text(LISTS[name])
    code = (
        "import sys\nfrom fervid import FervidError, open_source\n"
        f"sys.stdin = open({str(path)!r})\n"
        f"try: open_source({'-' if piped else str(path)!r})\n"
        "except FervidError: pass\n"
        "else: sys.exit(3)"
    )
    assert [line for line in calls(tmp_path, "-c", code) if "AF_INET" in line] == []
