"""Streams over HTTP and UDP, from real servers on loopback; RTSP has a file of its own."""

import socket
import threading
import time
from types import SimpleNamespace

import av
import numpy as np
import pytest

from fervid.capture import open_source
from fervid.config import ReadConfig
from fervid.errors import SourceOpenError, SourceReadError
from fervid.logins import read_logins
from fervid.prefetch import Prefetch
from fervid.streams import packets_of
from tests import clips, servers

# What shall be taken for silent; in less a loaded machine is so by itself.
HASTY = ReadConfig(open_timeout_s=20, read_timeout_s=2, reconnect="none")
ONCE = ReadConfig(reconnect="none")
ODD = "p@:/#%ä &?"


def numbers(source):
    return [clips.number(frame.bgr) for frame in source]


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """Twelve seconds of HLS."""
    return servers.hls(tmp_path_factory.mktemp("hls"), 12)


def test_an_http_camera_is_live_and_every_picture_comes():
    frames, moments = [], []

    def clock():
        moments.append(time.monotonic())
        return moments[-1]

    with servers.http_server(servers.mjpeg(15, rate=50)) as host:
        uri = f"http://{host}/video.mjpg"
        with (
            open_source(uri, ONCE, clock=clock) as source,
            pytest.raises(SourceReadError, match="broke off"),
        ):
            frames.extend(source)
    assert source.info.live
    assert (source.info.uri, source.info.codec) == (uri, "mjpeg")
    assert [clips.number(f.bgr) for f in frames] == list(range(15))
    times = [f.time_s for f in frames]
    assert np.diff(times).min() > 0
    assert times == [moment - moments[0] for moment in moments[:15]]  # when each was read


def test_a_slow_consumer_gets_the_newest_picture():
    taken = threading.Event()
    # Opening takes the first of them; the others come when one of these is with the consumer.
    camera = servers.mjpeg(20, rate=50, meanwhile=lambda n: n < 5 or taken.wait(20))
    with (
        servers.http_server(camera) as host,
        Prefetch(open_source(f"http://{host}/", ONCE)) as frames,
    ):
        first, _ = next(frames)
        taken.set()
        until = time.monotonic() + 20
        while frames.dropped < 18 and time.monotonic() < until:  # all but the first and the last
            time.sleep(0.01)
        frame, lost = next(frames)
    assert clips.number(frame.bgr) == 19
    assert lost == 18 - clips.number(first.bgr) >= 14


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_a_file_over_http_is_a_recording(tmp_path, name, ranges):
    clips.clip(tmp_path / name)
    with (
        servers.http_server(servers.files(tmp_path, ranges=ranges)) as host,
        open_source(f"http://{host}/{name}") as source,
    ):
        assert not source.info.live
        frames = list(source)
    assert [clips.number(f.bgr) for f in frames] == list(range(12))
    assert [f.time_s for f in frames] == pytest.approx([n / 25 for n in range(12)], abs=1e-3)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_pictures_that_stand_and_sound_that_goes_on_over_http_are_nothing_lost(tmp_path, name):
    times = [0.0, 0.04, 0.08, 5.0, 10.0, 10.04]
    clips.clip(tmp_path / name, frames=6, times=times, sound="aac", sound_s=15.0)
    with (
        servers.http_server(servers.files(tmp_path)) as host,
        open_source(f"http://{host}/{name}") as source,
    ):
        assert [f.time_s for f in source] == pytest.approx(times, abs=1e-3)


def test_a_trimmed_file_over_http_is_whole(tmp_path):
    pictures = [clips.picture(n % 20) for n in range(200)]
    clips.clip(tmp_path / "whole.mp4", pictures=pictures, options={"g": "50", "bf": "0"})
    with (
        av.open(str(tmp_path / "whole.mp4")) as whole,
        av.open(str(tmp_path / "a.mp4"), "w", options={"avoid_negative_ts": "disabled"}) as file,
    ):
        stream = file.add_stream_from_template(whole.streams.video[0])
        for packet in whole.demux(video=0):
            if packet.size:
                packet.pts -= 4 / packet.time_base  # what lies before 0 is left to an edit list
                packet.dts, packet.stream = packet.pts, stream
                file.mux(packet)
    with (
        servers.http_server(servers.files(tmp_path)) as host,
        open_source(f"http://{host}/a.mp4") as source,
    ):
        assert source.info.n_frames is None  # the file counts those that are hidden, too
        assert len(list(source)) == 100


def test_a_file_whose_server_breaks_off_says_so(tmp_path):
    pictures = list(np.random.default_rng(0).integers(0, 255, (30, 48, 64, 3), np.uint8))
    clips.clip(tmp_path / "a.ts", pictures=pictures)
    content = (tmp_path / "a.ts").read_bytes()

    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[: len(content) // 2])

    frames = []
    with (
        servers.http_server(answer) as host,
        open_source(f"http://{host}/a.ts") as source,
        pytest.raises(SourceReadError, match="broke off"),
    ):
        frames.extend(source)
    assert 5 < len(frames) < 30


def test_a_finished_hls_list_is_a_recording(recording):
    with (
        servers.http_server(servers.files(recording)) as host,
        open_source(f"http://{host}/v.m3u8") as source,
    ):
        assert not source.info.live
        assert source.info.duration_s == pytest.approx(12, abs=0.1)
        began = time.monotonic()
        frames = list(source)
    assert time.monotonic() - began < 11  # at the pace of its pictures it takes 12
    assert [clips.number(f.bgr) for f in frames] == [n % 20 for n in range(300)]
    assert frames[-1].time_s == pytest.approx(299 / 25, abs=0.01)


@pytest.mark.parametrize(
    ("then", "says"),
    [
        (servers.status(503), r"failed to deliver \d\.\d of 12\.0 s"),
        (lambda handler: time.sleep(20), r"silent for 2 s"),
    ],
)
@pytest.mark.parametrize("first", [4, -3])
def test_hls_pieces_that_do_not_come_are_said(recording, first, then, says):
    pieces = [f"/v{n}.ts" for n in range(len(list(recording.glob("*.ts"))))]
    missing = (pieces + pieces)[first % len(pieces) :][:3]

    def answer(handler):
        (then if handler.path in missing else servers.files(recording))(handler)

    frames = []
    with (
        servers.http_server(answer) as host,
        open_source(f"http://{host}/v.m3u8", HASTY) as source,
        pytest.raises(SourceReadError, match=says),
    ):
        frames.extend(source)
    assert 75 < len(frames) < 270


def test_single_pieces_that_do_not_come_are_added_up(recording):
    def answer(handler):
        missing = handler.path in ("/v2.ts", "/v5.ts", "/v7.ts")
        (servers.status(404) if missing else servers.files(recording))(handler)

    with (
        servers.http_server(answer) as host,
        open_source(f"http://{host}/v.m3u8", HASTY) as source,
        pytest.raises(SourceReadError, match=r"failed to deliver [23]\.\d of 12\.0 s"),
    ):
        list(source)


def test_pieces_that_are_missing_in_a_folder_are_said(recording, tmp_path):
    for path in recording.iterdir():
        if path.name not in ("v4.ts", "v5.ts", "v6.ts"):
            (tmp_path / path.name).write_bytes(path.read_bytes())
    frames = []
    with (
        open_source(str(tmp_path / "v.m3u8")) as source,
        pytest.raises(SourceReadError, match=r"v\.m3u8 lists lack \d\.\d of 12\.0 s; copy"),
    ):
        frames.extend(source)
    assert len(frames) > 150
    with open_source(str(recording / "v.m3u8")) as source:
        assert len(list(source)) == 300
    with open_source(str(recording / "v.m3u8"), ReadConfig(start=8.0)) as source:
        assert next(iter(source)).time_s == 8.0  # and what lies before it is not missing
        assert len(list(source)) == 99


def test_live_hls_comes_at_its_own_pace_without_gaps(recording):
    with (
        servers.http_server(servers.live_hls(recording)) as host,
        open_source(f"http://{host}/v.m3u8") as source,
    ):
        assert source.info.live
        began, frames, moments = time.monotonic(), [], []
        for frame in source:
            frames.append(frame)
            moments.append(time.monotonic() - began)
            if len(frames) == 75:
                break
    steps = np.diff([clips.number(f.bgr) for f in frames]) % 20
    assert (steps == 1).all()
    times = np.array([f.time_s for f in frames])
    # Unpaced there would be a wait a piece, four in all. A loaded machine makes one wait of a few,
    # is late by what the longest step shows, and makes up for it with the next pictures.
    taken = np.diff(times)
    assert taken.min() > 0
    assert (taken > 0.5 / 25).sum() > 12
    late_s = taken.max() - 1 / 25
    assert (times > np.arange(75) / 25 - late_s - 0.25).all()
    assert np.array(moments) == pytest.approx(times, abs=0.25 + late_s)


def test_live_hls_that_stops_is_silent_not_ended(recording):
    frames = []
    with (
        servers.http_server(servers.live_hls(recording, end_s=0)) as host,
        open_source(f"http://{host}/v.m3u8", HASTY) as source,
        pytest.raises(SourceReadError, match=r"silent for 2 s.*--read-timeout-s"),
    ):
        frames.extend(source)
    assert len(frames) > 25


def stopping(source, n, stop):
    """The frames of a source whose server is to stop once n have come."""
    for index, frame in enumerate(source, 1):
        if index == n:
            stop.set()
        yield frame


def test_udp_is_live():
    frames = []
    port = servers.free_port(socket.SOCK_DGRAM)
    with (
        servers.udp_sender(port) as stop,
        open_source(f"udp://127.0.0.1:{port}", HASTY) as source,
        pytest.raises(SourceReadError, match="silent for 2 s"),
    ):
        frames.extend(stopping(source, 25, stop))
    assert len(frames) >= 25
    assert source.info.live
    steps = np.diff([clips.number(f.bgr) for f in frames]) % 20
    assert (steps == 1).all()


def test_udp_survives_a_reader_that_stops_for_a_while():
    port = servers.free_port(socket.SOCK_DGRAM)
    with (
        servers.udp_sender(port, rate=200),
        open_source(f"udp://127.0.0.1:{port}?fifo_size=20", HASTY) as source,
    ):
        frames = iter(source)
        next(frames)
        time.sleep(1)
        assert len([next(frames) for _ in range(100)]) == 100


def test_a_port_that_is_taken():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(SourceOpenError, match="taken by another program"):
            open_source(f"udp://127.0.0.1:{port}", HASTY)


def test_a_user_and_password_from_anywhere(tmp_path):
    path = tmp_path / "logins"
    path.touch(0o600)
    with servers.http_server(servers.mjpeg(30, rate=100), login=f"mé:{ODD}") as host:
        path.write_text(f'machine {host} login mé password "{ODD}"\n', encoding="utf-8")
        uri = f"http://{host}/"
        variables = {"FERVID_USER": "mé", "FERVID_PASSWORD": ODD}
        for read, logins, address in (
            (ReadConfig(credentials=path), None, uri),
            (ReadConfig(), read_logins(None, variables), uri),
            (ReadConfig(), None, f"http://m%C3%A9:p%40%3A%2F%23%25%C3%A4%20%26%3F@{host}/"),
        ):
            with open_source(address, read, logins=logins) as source:
                assert source.info.uri == uri


def test_hls_pieces_get_the_password_too(recording):
    with servers.http_server(servers.files(recording), login="me:pw") as host:
        logins = read_logins(None, {"FERVID_USER": "me", "FERVID_PASSWORD": "pw"})
        with open_source(f"http://{host}/v.m3u8", logins=logins) as source:
            assert len(list(source)) == 300


def test_a_url_keeps_its_own_user(tmp_path):
    logins = read_logins(None, {"FERVID_USER": "other", "FERVID_PASSWORD": "wrong"})
    with servers.http_server(servers.mjpeg(30, rate=100), login="me:pw") as host:
        open_source(f"http://me:pw@{host}/", logins=logins).close()
        with pytest.raises(SourceOpenError, match="of its address"):
            open_source(f"http://me:no@{host}/", logins=logins)


class FakePacket:
    """A packet of stream `index`; packets without content mark the end."""

    def __init__(self, index, size=9):
        self.stream, self.size = SimpleNamespace(index=index), size


def test_sound_that_goes_on_does_not_hide_that_the_pictures_stopped():
    clock, taken = iter([0.0, *(n / 2 for n in range(1, 99))]), []
    packets = [FakePacket(0), *[FakePacket(1)] * 3, FakePacket(0), *[FakePacket(1)] * 20]
    with pytest.raises(TimeoutError):
        taken.extend(packets_of(packets, 0, 2.0, lambda: next(clock)))
    assert [packet.stream.index for packet in taken] == [0, 0]


def test_the_end_of_a_stream_with_sound_is_no_silence():
    packets = [FakePacket(0), FakePacket(1), FakePacket(0, 0), FakePacket(1, 0)]
    clock = iter(range(0, 99, 5))
    assert len(list(packets_of(packets[:1] + packets[2:], 0, 2.0, lambda: next(clock)))) == 2
