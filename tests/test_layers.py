"""Who may import whom: downwards only, and heavy libraries in one place each."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = {
    0: (
        "errors",
        "interrupt",
        "protobuf",
        "picture_size",
        "zeros",
        "console",
        "failures",
        "deadline",
        "pace",
        "window_process",
        "probe",
        "lock",
        "nearest",
        "memory",
        "progress",
        "rate",
    ),
    1: ("link", "records", "status", "config", "card", "onnx_file"),
    2: (
        *(
            "media",
            "decoding",
            "media_clock",
            "missing",
            "containers",
            "upright",
            "cut_off",
            "seeking",
        ),
        *("remote", "unreachable", "fetched"),
        *("capture", "source", "pipe", "images", "thinning", "region"),
        *("reconnect", "liveness", "resized"),
        *("cameras", "silence", "codecs", "streams", "refusals", "logins", "trust"),
        *(
            "faces",
            "looks",
            "search",
            "tracks",
            "appearance",
            "assignment",
            "corruptions",
            "filters",
            "crops",
        ),
        *("noise", "noise_sample", "noise_features", "explain", "labels", "draw", "stats"),
        *(
            "pen",
            "legend",
            "stills",
            "history",
            "words",
            "glyphs",
            "portraits",
            "panel",
            "overview",
        ),
        *("network", "anonymize", "folders"),
        *("controls", "overlay", "snapshots", "painter", "threads", "window_link", "window"),
    ),
    3: ("prefetch", "frames", "checkpoint", "adcam", "folded", "backends", "sinks"),
    4: (
        *("batch", "cropper", "pipeline", "dashboard", "expand", "viewer"),
        *(
            "outputs",
            "clips",
            "archive",
            "ledger",
            "writing",
            "writer",
            "replay",
            "results",
            "report",
        ),
        *(
            "chunks",
            "durable",
            "listing",
            "manifest",
            "watch",
            "intervals",
            "elan",
            "ending",
            "live",
        ),
        *("opened", "segment_folder", "retention", "segments"),
    ),
    5: (
        *(
            "session",
            "opening",
            "passage",
            "lane",
            "rounds",
            "task",
            "resume",
            "sharing",
            "workers",
        ),
        *("worker_process", "joining", "assembly", "cluster", "book", "run", "recover"),
        "settings",
    ),
    6: ("brief", "parser", "usage", "doctor", "commands", "bench"),
    7: ("cli",),
    8: ("__main__",),
}
LEVEL = {name: level for level, names in LAYERS.items() for name in names}
HEAVY = {
    "mediapipe": {"faces"},
    "onnxruntime": {"backends"},
    "av": {
        *("codecs", "media", "decoding", "containers", "streams", "refusals", "upright", "seeking"),
        *("capture", "sinks", "bench"),
    },
    "torch": {"network", "folded", "adcam", "checkpoint", "backends"},
    "pyarrow": {"sinks"},
    "ray": {"cluster"},
    "prometheus_client": {"watch"},
    "aiohttp": {"live"},
    "fsspec": {"remote"},
}


def imports(file):
    """The dotted names that a file imports anywhere."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} has a relative import"
            yield node.module
            if node.module == "fervid":
                yield from (f"fervid.{alias.name}" for alias in node.names)


def room(file):
    """The module of the package that a file belongs to."""
    return file.relative_to(ROOT / "fervid").parts[0].removesuffix(".py")


RUNTIME = sorted(
    p
    for p in (ROOT / "fervid").rglob("*.py")
    if p.parent != ROOT / "fervid" or p.name != "__init__.py"
)


@pytest.mark.parametrize("file", RUNTIME, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_downwards(file):
    own = room(file)
    assert own in LEVEL, f"{own} has no layer; give it one in this test"
    for name in imports(file):
        parts = name.split(".")
        assert parts[0] not in ("train", "export"), f"{file} imports {name}"
        if parts[0] != "fervid" or len(parts) == 1:
            continue
        other = parts[1]
        if other in LEVEL and other != own:
            assert LEVEL[other] <= LEVEL[own], f"{own} imports {other}, which lies above it"


@pytest.mark.parametrize("file", RUNTIME, ids=lambda p: str(p.relative_to(ROOT)))
def test_heavy_libraries_have_one_home(file):
    for name in imports(file):
        homes = HEAVY.get(name.split(".")[0])
        assert homes is None or room(file) in homes, f"{file} imports {name}"


def test_layer_graph_has_no_cycle():
    edges = {}
    for file in RUNTIME:
        targets = {n.split(".")[1] for n in imports(file) if n.startswith("fervid.")}
        edges.setdefault(room(file), set()).update(targets & set(LEVEL))
    done, path = set(), []

    def visit(name):
        assert name not in path, " -> ".join([*path, name])
        if name in done:
            return
        path.append(name)
        for other in edges.get(name, set()) - {name}:
            visit(other)
        path.pop()
        done.add(name)

    for name in edges:
        visit(name)


def test_export_imports_nothing_of_train_but_its_data():
    for file in (ROOT / "export").glob("*.py"):
        for name in imports(file):
            assert not name.startswith("train") or name == "train.data", f"{file} imports {name}"


def loaded_after(code):
    """The top-level modules that a fresh interpreter has loaded after running code."""
    report = "\nimport sys; print(*{n.split('.')[0] for n in sys.modules})"
    command = [sys.executable, "-W", "ignore", "-c", code + report]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stdout.split())


def test_importing_fervid_loads_nothing_heavy():
    assert not loaded_after("import fervid") & {*HEAVY, "cv2", "numpy"}


def test_the_command_line_loads_nothing_heavy():
    assert not loaded_after("import fervid.cli") & set(HEAVY)


def test_the_runtime_works_without_torch():
    code = (
        "import sys; sys.modules['torch'] = None\n"  # any import of it now raises
        "import fervid.run, fervid.pipeline, fervid.faces, fervid.backends.onnx_backend\n"
        "import fervid.sinks.video, fervid.sinks.parquet, fervid.capture\n"
        "assert sys.modules['torch'] is None; del sys.modules['torch']"
    )
    assert "torch" not in loaded_after(code)
