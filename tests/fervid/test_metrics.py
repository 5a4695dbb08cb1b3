"""Metrics: what is counted, and the server on which they are fetched."""

import contextlib
import socket
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime

import psutil
import pytest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from fervid.errors import SinkError
from fervid.link import LinkEvent
from fervid.records import Frame
from fervid.watch.metrics import MOST_ENDED, Metrics, MetricsSink
from fervid.watch.metrics_server import MetricsServer
from tests import servers
from tests.clips import picture
from tests.results import face, result

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


@contextlib.contextmanager
def served(metrics, host=servers.HERE, port=0):
    """The address at which metrics are served until the end of the block."""
    with contextlib.closing(MetricsServer(host, port, metrics.registry)) as server:
        yield server.url


def values(url):
    """What is served: (name, labels but for `le`) -> value."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        text = answer.read().decode()
    return {
        (s.name, *(v for _, v in sorted(s.labels.items()))): s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
    }


def put(sink, item, read_s=float("nan")):
    sink.write(Frame(item.index, item.time_s, picture(1), read_s=read_s), item, None)


def test_every_number_of_a_source():
    metrics, damaged, clock = Metrics(), [0], [100.0]
    sink = MetricsSink(metrics, "cam", lambda: damaged[0], lambda: clock[0])
    with served(metrics) as url:
        fresh = values(url)
        assert fresh["fervid_frames_total", "cam"] == 0
        assert fresh["fervid_online", "cam"] == 1
        put(sink, replace(result(0, face(), face(track=1)), dropped=3), read_s=99.8)
        damaged[0] = 2
        put(sink, result(1, face()), read_s=96.0)
        damaged[0] = 1  # a connection that counts anew
        put(sink, result(2, face()))
        sink.note(LinkEvent("offline", 1.0, NOON, "gone"))
        away = values(url)
        sink.note(LinkEvent("online", 3.0, NOON, "gone", 2, 2.0, 50))
        found = values(url)
    assert (away["fervid_online", "cam"], away["fervid_faces_now", "cam"]) == (0, 0)
    assert found["fervid_online", "cam"] == 1
    assert found["fervid_frames_total", "cam"] == 3
    assert found["fervid_faces_total", "cam"] == 4
    assert found["fervid_dropped_frames_total", "late", "cam"] == 3
    assert found["fervid_dropped_frames_total", "offline", "cam"] == 50
    assert found["fervid_damaged_frames_total", "cam"] == 2
    assert found["fervid_reconnects_total", "cam"] == 1
    assert found["fervid_latency_seconds_count", "cam"] == 2
    assert found["fervid_latency_seconds_sum", "cam"] == pytest.approx(4.2)
    assert found["fervid_latency_seconds_bucket", "0.25", "cam"] == 1
    assert found["fervid_noise", "cam"] == 0
    assert found["process_resident_memory_bytes",] > 1e6


def test_nothing_is_in_the_registry_of_the_process():
    metrics = Metrics()
    metrics.begin("cam")
    names = {family.name for family in REGISTRY.collect()}
    assert not [name for name in names if name.startswith("fervid")]


def test_of_many_sources_that_ended_the_first_are_forgotten():
    metrics = Metrics()
    for n in range(MOST_ENDED + 5):
        sink = MetricsSink(metrics, f"{n}.mp4", int)
        put(sink, result(0, face()))
        metrics.alert(f"{n}.mp4", "faces > 0")
        sink.close()
        sink.close()
    with served(metrics) as url:
        found = values(url)
    names = {key[-1] for key in found if key[0] == "fervid_frames_total"}
    assert names == {f"{n}.mp4" for n in range(5, MOST_ENDED + 5)}
    assert not [key for key in found if "0.mp4" in key]
    assert found["fervid_online", "99.mp4"] == 0


def listening():
    """The addresses on which this process listens."""
    found = psutil.Process().net_connections("inet")
    return {c.laddr for c in found if c.status == psutil.CONN_LISTEN}


def test_only_what_was_named_is_listened_on_and_only_while_it_is_open():
    before = listening()
    with served(Metrics()) as url:
        (place,) = listening() - before
        assert place.ip == "127.0.0.1"
        assert url == f"http://127.0.0.1:{place.port}/metrics"
    assert listening() == before


def test_a_port_that_is_taken_is_one_sentence():
    with socket.create_server((servers.HERE, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SinkError) as caught:
            MetricsServer(servers.HERE, port, Metrics().registry)
    assert str(caught.value) == (
        f"Metrics cannot be served at 127.0.0.1:{port} (Address already in use); choose another "
        "--metrics-port."
    )


def test_a_host_that_is_not_this_machines_is_one_sentence():
    with pytest.raises(SinkError, match=r"at 192\.0\.2\.1:0 \(Cannot assign requested address\)"):
        MetricsServer("192.0.2.1", 0, Metrics().registry)


def test_a_reader_that_says_nothing_does_not_keep_others_waiting():
    with served(Metrics()) as url:
        port = int(url.partition(":")[2].partition(":")[2].partition("/")[0])
        with socket.create_connection((servers.HERE, port)):
            assert values(url)
