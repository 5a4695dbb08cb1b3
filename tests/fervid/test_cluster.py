"""--ray: what is said without Ray or without a cluster, and a real cluster of two nodes."""

import contextlib
import os
import signal
import subprocess
import sys
import zipfile

import pytest

from fervid.cluster import Cluster
from fervid.config import OutputConfig, RunConfig, ThreadConfig
from fervid.errors import FervidError, LibraryMissing
from fervid.interrupt import kept_handler
from tests import servers
from tests.archive_runs import archive, begin, finish, n_done, results, until
from tests.chunked import same
from tests.people import two_people
from tests.places import ROOT


@pytest.fixture(autouse=True)
def own_handler():
    """Nodes in this process set a handler of SIGTERM, which is not for the tests after these."""
    with kept_handler():
        yield


def config(address, out="r"):
    return RunConfig(output=OutputConfig(out=out), cores=ThreadConfig(ray=address))


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(LibraryMissing, match=r"pip install 'fervid\[ray\]', or use --jobs") as told:
        Cluster(config("auto"), "")
    assert told.value.extra == "ray"


@pytest.mark.parametrize("works", [True, False])
def test_sigterm_ends_a_run_in_order_after_ray_has_set_a_handler(monkeypatch, works):
    class Ray:
        @staticmethod
        def init(**how):
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(15))
            if not works:
                raise ConnectionError("nobody there")

    monkeypatch.setitem(sys.modules, "ray", Ray)
    before = signal.getsignal(signal.SIGTERM)
    with contextlib.nullcontext() if works else pytest.raises(FervidError, match="nobody there"):
        Cluster(config("auto"), "")
    assert signal.getsignal(signal.SIGTERM) is before


def test_usage_statistics_are_off_before_ray_is_imported(tmp_path):
    (tmp_path / "ray.py").write_text("import os; print(os.environ['RAY_USAGE_STATS_ENABLED'])")
    code = "from fervid.cluster import _import; _import()"
    kept = {k: v for k, v in os.environ.items() if k != "RAY_USAGE_STATS_ENABLED"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=kept | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "0\n"


@pytest.mark.parametrize("address", ["auto", "{host}:{port}", "ray://{host}:{port}"])
def test_no_cluster_is_said_in_one_sentence(tmp_path, address):
    pytest.importorskip("ray")
    address = address.format(host=servers.HERE, port=servers.free_port())
    source = archive(tmp_path / "in", n_clips=1, frames=4, broken=0)
    code, said = finish(source, tmp_path / "r", "--ray", address)
    assert code == 1
    assert said.startswith(f"fervid: The Ray cluster {address} cannot be joined (")
    assert "ray start --head" in said
    assert said.count("\n") == 1


@contextlib.contextmanager
def two_nodes():
    """A cluster of two machines of one core each, as processes of this one."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'fervid[ray]'")
    os.environ.setdefault("RAY_gcs_server_request_timeout_seconds", "400")
    from ray.cluster_utils import Cluster as Nodes

    memory = {"object_store_memory": 100_000_000}
    nodes = Nodes(initialize_head=True, head_node_args={"num_cpus": 0, **memory})
    try:
        added = [nodes.add_node(num_cpus=1, **memory) for _ in range(2)]
        nodes.wait_for_nodes()
        yield nodes, added
    finally:
        nodes.shutdown()


@pytest.mark.slow
def test_a_node_is_lost_and_nothing_else(tmp_path):
    source = archive(tmp_path / "in", n_clips=5, frames=6, broken=1)
    finish(source, tmp_path / "clean")
    clean = results(tmp_path / "clean")
    with two_nodes() as (nodes, (lost, _)):
        process = begin(source, tmp_path / "r", "--ray", nodes.address)
        until(lambda: n_done(tmp_path / "r") >= 1, process)
        nodes.remove_node(lost, allow_graceful=False)
        said = process.communicate(timeout=400)[1]
    assert process.returncode == 1
    assert "1 of 6 sources failed; the others are done." in said
    assert results(tmp_path / "r") == clean


@pytest.mark.slow
def test_chunks_and_files_elsewhere_are_what_one_process_makes_of_the_file(tmp_path):
    """Chunks of one clip, fetched by each machine from an archive, on a cluster of two."""
    clip, how = two_people(tmp_path / "two.mp4"), ("--no-images", "--smooth-s", "0.4")
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        file.write(clip, "two.mp4")
    code, said = finish(clip, tmp_path / "whole", *how)
    assert code == 0, said
    with two_nodes() as (nodes, _):
        chunked = (*how, "--chunk", "10s", "--ray", nodes.address)
        for address, out in ((clip, "path"), (f"zip://two.mp4::{tmp_path / 'x.zip'}", "fetched")):
            code, said = finish(address, tmp_path / out, *chunked)
            assert code == 0, said
            assert "chunks" not in {p.name for p in (tmp_path / out / "two").iterdir()}
    same(tmp_path / "whole/two", tmp_path / "path/two")
    same(tmp_path / "whole/two", tmp_path / "fetched/two")


def test_an_error_of_fervids_is_raised_as_it_is(monkeypatch):
    ray = pytest.importorskip("ray")
    cluster = object.__new__(Cluster)
    cluster._ray, cluster._config = ray, config("auto")
    other = FervidError("another version")
    told = ray.exceptions.RayTaskError("analyse_there", "", other).as_instanceof_cause()
    monkeypatch.setattr(ray, "get", lambda _: (_ for _ in ()).throw(told))
    with pytest.raises(FervidError, match="another version"):
        cluster._outcome(None, None)


def test_what_follows_from_a_task_is_begun_too():
    class Ray:
        exceptions = None

        def put(self, config):
            return config

        def remote(self, **how):
            return lambda task: Task

        def wait(self, references, timeout):
            return references[:1], references[1:]

        def get(self, reference):
            return f"outcome of {reference}"

    class Task:
        @staticmethod
        def remote(config, target, digest, version):
            return target

    cluster = object.__new__(Cluster)
    cluster._ray, cluster._config, cluster._digest = Ray(), config("auto"), "d"
    taken = []

    def take(target, outcome):
        taken.append((target, outcome))
        return ["joined"] if target == "b" else None

    cluster.run(["a", "b"], take, lambda _: None)
    assert taken == [(name, f"outcome of {name}") for name in ("a", "b", "joined")]
