"""Every Python example in the texts runs, in a folder with a clip and nothing else.

Those of the cookbook find the results of that clip too, which its first command writes.
"""

import re
import shutil

import av
import pytest

import fervid
from tests.clips import clip
from tests.places import ROOT, SAMPLE

TEXTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples():
    """The examples as (file, line of the text, code)."""
    for path in TEXTS:
        text = path.read_text(encoding="utf-8")
        for found in BLOCK.finditer(text):
            line = text.count("\n", 0, found.start(1)) + 1
            yield pytest.param(path, line, found[1], id=f"{path.name}:{line}")


EXAMPLES = list(examples())


@pytest.fixture(scope="module")
def piece(tmp_path_factory):
    """Ten frames of the sample clip, with clean and noisy ones among them."""
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    with av.open(str(SAMPLE)) as file:
        pictures = [f.to_ndarray(format="bgr24") for f in file.decode(video=0)][35:45]
    return clip(path, pictures=pictures, size=(480, 270), options={"crf": "18"})


@pytest.fixture(scope="module")
def results(piece, tmp_path_factory):
    """What a run over the clip writes."""
    out = tmp_path_factory.mktemp("results")
    fervid.analyse(str(piece), out=str(out))
    return out


# What an example writes, by a word that stands in it.
LEFT_BEHIND = {
    '"noisy.png"': "noisy.png",
    '"rows.jsonl"': "rows.jsonl",
    'out="results"': "results/clip/faces.parquet",
    'out="python-results/"': "python-results/clip/annotated.mp4",
}


def test_the_examples_are_found():
    found = [example.values for example in EXAMPLES]
    assert {path.name for path, _, _ in found} == {"README.md", "cookbook.md", "python.md"}
    code = "".join(code for _, _, code in found)
    assert all(word in code for word in LEFT_BEHIND)


@pytest.mark.parametrize(("path", "line", "code"), EXAMPLES)
def test_an_example_runs(path, line, code, piece, results, tmp_path, monkeypatch):
    if path.name == "cookbook.md":
        shutil.copytree(results, tmp_path / "results")
    (tmp_path / "clip.mp4").write_bytes(piece.read_bytes())
    monkeypatch.chdir(tmp_path)
    # The empty lines make a traceback show the line of the text.
    program = compile("\n" * (line - 1) + code, str(path), "exec")
    exec(program, {"__name__": "__main__"})
    for word, name in LEFT_BEHIND.items():
        assert word not in code or (tmp_path / name).stat().st_size > 0
