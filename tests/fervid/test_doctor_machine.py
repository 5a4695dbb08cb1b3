"""`fervid doctor` on displays, cameras and the like: facts of other machines, and real probes."""

from fervid.doctor import machine


def test_display():
    assert machine.check_display("linux", {}, "").status == "note"
    assert machine.check_display("linux", {"DISPLAY": ":0"}, "").status == "ok"
    dead = machine.check_display("linux", {"DISPLAY": ":77"}, "cannot connect")
    assert dead.status == "note"
    assert "DISPLAY=:77: cannot connect" in dead.found
    assert machine.check_display("win32", {}, "").status == "ok"


def test_cameras(tmp_path):
    for name in ("video10", "video2", "video0", "vcs"):
        (tmp_path / name).touch()
    devices = machine.camera_devices(tmp_path)
    assert [name.rpartition("/")[2] for name, _ in devices] == ["video0", "video2", "video10"]
    assert machine.check_cameras("linux", []).status == "note"
    assert machine.check_cameras("linux", [("/dev/video0", True)]).status == "ok"
    denied = machine.check_cameras("linux", [("/dev/video0", True), ("/dev/video1", False)])
    assert denied.found == "no permission for /dev/video1"
    assert "group video" in denied.todo
    assert machine.check_cameras("darwin", []).status == "ok"


def test_disk_memory_terminal_telemetry():
    assert machine.check_disk(5 * 10**9, "/x").found == "5.0 GB free in /x"
    assert machine.check_disk(10**8, "/x").status == "note"
    assert machine.check_memory(4 * 10**9, 8 * 10**9).status == "ok"
    assert machine.check_memory(10**8, 8 * 10**9).status == "note"
    assert machine.check_terminal("utf-8", "truecolor", (100, 40), True).status == "ok"
    assert "UTF-8" in machine.check_terminal("ascii", None, (100, 40), True).todo
    assert "enlarge" in machine.check_terminal("utf-8", None, (40, 40), True).todo
    assert machine.check_terminal("utf-8", None, (100, 40), False).status == "note"
    assert machine.check_telemetry({"ORT_DISABLE_TELEMETRY": "1"}).status == "ok"
    assert machine.check_telemetry({}).status == "bad"
