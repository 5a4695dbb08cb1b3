"""The samples for servers: their options exist, and what checks such files finds nothing."""

import configparser
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from fervid.config import RunConfig
from fervid.parser import parse
from fervid.settings import Settings
from tests.places import ROOT

DEPLOY = ROOT / "samples" / "deploy"
UNITS = ("fervid.service", "fervid-health.service", "fervid-health.timer")
HEALTH = "http://127.0.0.1:9464/metrics"
CAMERA = "rtsp://camera.lan/stream"
# Of a compose file's service, as the Compose specification lists them.
SERVICE_KEYS = {
    *("build", "cap_drop", "command", "deploy", "healthcheck", "image", "init", "logging"),
    *("read_only", "restart", "secrets", "security_opt", "stop_grace_period", "tmpfs", "volumes"),
}


def unit(name):
    """A unit's sections; lines that go on are joined, and a key may come again."""
    text = (DEPLOY / name).read_text().replace("\\\n", " ")
    parser = configparser.ConfigParser(
        strict=False, interpolation=None, comment_prefixes="#", delimiters="="
    )
    parser.optionxform = str
    parser.read_string(text)
    return parser


def service_words(key):
    """The words of a command of the service, as systemd makes them."""
    line = unit("fervid.service")["Service"][key]
    for variable, value in (("$FERVID_SOURCES", CAMERA), ("%S", "/var/lib"), ("%d", "/run/c")):
        line = line.replace(variable, value)
    return shlex.split(line)


def compose():
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def compose_words():
    words = compose()["services"]["fervid"]["command"]
    return [re.sub(r"^\$\{FERVID_SOURCE:\?[^}]*\}$", CAMERA, word) for word in words]


def dockerfile():
    """The instructions of the Dockerfile."""
    text = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [tuple(line.split(None, 1)) for line in lines]


COMMANDS = {"systemd": lambda: service_words("ExecStart")[1:], "compose": compose_words}


@pytest.mark.parametrize("kind", COMMANDS)
def test_every_option_exists(kind):
    config = parse(COMMANDS[kind](), Settings())()
    assert isinstance(config, RunConfig)
    assert config.sources == (CAMERA,)
    assert config.segments.segment_s == 600
    assert (config.segments.keep_s, config.segments.max_bytes) == (7 * 86_400, 20 * 10**9)
    assert config.output.out is not None
    assert config.read.credentials is not None
    assert config.window.window is False


def test_both_say_the_same():
    plain = [" ".join(words()).replace("=", " ").split() for words in COMMANDS.values()]
    places = {"/var/lib/fervid": "/results", "/run/c/netrc": "/run/secrets/netrc"}
    assert [places.get(word, word) for word in plain[0]] == plain[1]


def test_the_recovery_before_a_start_is_a_command_of_fervid():
    prefix, *words = service_words("ExecStartPre")
    assert prefix.startswith("-")  # nothing to recover is no failure
    assert words == ["recover", "/var/lib/fervid"]
    assert parse(words, Settings()).func.__name__ == "recover"


def test_the_health_checks_ask_the_port_that_is_served():
    found = service_words("ExecStart")
    assert f"http://127.0.0.1:{found[found.index('--metrics-port') + 1]}/metrics" == HEALTH
    assert HEALTH in service_words("ExecStartPost")
    assert HEALTH in unit("fervid-health.service")["Service"]["ExecStart"]
    assert HEALTH in compose()["services"]["fervid"]["healthcheck"]["test"][-1]
    assert HEALTH in dict(dockerfile())["HEALTHCHECK"]


def test_the_check_of_the_containers_fails_where_nobody_answers():
    test = compose()["services"]["fervid"]["healthcheck"]["test"]
    assert test[:3] == ["CMD", "python", "-c"]
    assert test[3] in dict(dockerfile())["HEALTHCHECK"]
    nobody = test[3].replace("9464", "9")
    assert subprocess.run(
        [sys.executable, "-c", nobody], check=False, capture_output=True
    ).returncode


def test_the_service_has_limits_and_restarts():
    service = unit("fervid.service")["Service"]
    for key in ("MemoryMax", "CPUQuota", "TasksMax", "StateDirectory", "RestartSec"):
        assert service[key]
    assert (service["Restart"], service["DynamicUser"]) == ("on-failure", "yes")
    assert service["ProtectSystem"] == "strict"
    assert "WatchdogSec" not in service  # fervid sends no keep-alive
    assert int(service["RestartSec"]) > 10  # recover.QUIET_S
    assert service["SuccessExitStatus"] == "143"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
@pytest.mark.parametrize("name", UNITS)
def test_systemd_takes_the_units(name, tmp_path):
    programs = tmp_path / "bin"
    programs.mkdir()
    for program in ("fervid", "curl", "systemctl"):  # verify looks whether they are there
        (programs / program).write_text("#!/bin/sh\n")
        (programs / program).chmod(0o755)
    for each in UNITS:
        text = (DEPLOY / each).read_text()
        for place in ("/opt/fervid/bin/fervid", "/usr/bin/curl", "/usr/bin/systemctl"):
            text = text.replace(place, str(programs / Path(place).name))
        (tmp_path / each).write_text(text)
    assert _verified(tmp_path / name) == (0, "")
    wrong = (tmp_path / name).read_text().replace("\n[", "\nNoSuchKey=1\n[", 2)
    (tmp_path / name).write_text(wrong)
    assert "NoSuchKey" in _verified(tmp_path / name)[1]


def _verified(path):
    command = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=one", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = [line for line in done.stderr.splitlines() if path.name in line or str(path) in line]
    return done.returncode, "\n".join(said)


def test_the_compose_file_is_one():
    content = compose()
    assert set(content) == {"services", "secrets", "volumes"}
    (service,) = content["services"].values()
    assert set(service) <= SERVICE_KEYS
    assert {v.partition(":")[0] for v in service["volumes"]} == set(content["volumes"])
    assert set(service["secrets"]) == set(content["secrets"])
    limits = service["deploy"]["resources"]["limits"]
    assert set(limits) == {"cpus", "memory", "pids"}
    context = (DEPLOY / service["build"]["context"]).resolve()
    assert context == ROOT.resolve()
    assert (context / service["build"]["dockerfile"]).samefile(DEPLOY / "Dockerfile")
    assert service["read_only"]
    assert set(service["healthcheck"]) == {
        *("test", "interval", "timeout", "start_period", "retries")
    }


@pytest.mark.skipif(
    shutil.which("docker") is None
    or subprocess.run(
        ["docker", "compose", "version"], check=False, capture_output=True
    ).returncode,
    reason="Docker's compose is not installed",
)
def test_compose_takes_it(tmp_path):
    command = ["docker", "compose", "-f", str(DEPLOY / "compose.yaml"), "config", "--quiet"]
    environment = {"FERVID_SOURCE": CAMERA, "PATH": "/usr/bin:/bin:/usr/local/bin"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_dockerfile_takes_what_is_there():
    steps = dockerfile()
    assert [steps[0][0], steps[0][1].partition(":")[0]] == ["FROM", "python"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    version = re.match(r"python:(\d+)\.(\d+)-slim", steps[0][1])
    assert (int(version[1]), int(version[2])) >= (3, 11)
    assert project["requires-python"] == ">=3.11"
    copied = [step[1].split()[:-1] for step in steps if step[0] == "COPY"]
    names = [name for step in copied for name in step]
    assert all((ROOT / name).exists() for name in names)
    needed = {name.partition("/")[0] for name in project["license-files"]}
    assert {*needed, project["readme"]} <= set(names)
    packages = re.search(r"libgl1 libglib2\.0-0 libxcb1", (ROOT / "README.md").read_text())[0]
    assert packages in (DEPLOY / "Dockerfile").read_text()
    assert dict(steps)["USER"] != "root"
