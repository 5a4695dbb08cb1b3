"""Nothing leaves the machine: a whole run opens no internet socket, seen from the kernel."""

import shutil
import subprocess
import sys

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
        "time.sleep(12)"
    )
    found = [line for line in calls(tmp_path, "-c", code) if "AF_INET" in line]
    assert found == []


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_the_trace_would_see_one(tmp_path):
    code = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()"
    assert any("AF_INET" in line for line in calls(tmp_path, "-c", code))
