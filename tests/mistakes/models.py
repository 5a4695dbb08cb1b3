"""Mistakes with model files."""

from tests.mistakes.record import Mistake

CLIP = ("clip.mp4",)


def model(name: str, what: str, file: str, says: str, thing: str = "", **other) -> Mistake:
    things = (*CLIP, thing or file)
    return Mistake(name, what, f"fervid clip.mp4 --model {file}", 1, says, things, **other)


MODELS = (
    model(
        "model-missing",
        "a model that is not there",
        "tinny.onnx",
        r"^The model file tinny\.onnx does not exist; did you mean tiny\.onnx\?$",
        "tiny.onnx",
    ),
    model(
        "model-folder",
        "a folder as model",
        "models",
        r"^The model file models is a folder; name a file",
        "models/",
    ),
    model(
        "model-pickle",
        "a pickle, which is never loaded",
        "best.pt",
        r"^The model file best\.pt is not \.onnx or \.safetensors, and a pickle could run any",
        "letter.txt as best.pt",
    ),
    model(
        "model-video",
        "a video as model",
        "clip.mp4",
        r"^The model file clip\.mp4 is not \.onnx or \.safetensors; save it",
        "letter.txt",
    ),
    model(
        "model-text",
        "a letter as model",
        "letter.onnx",
        r"^letter\.onnx cannot be loaded as an ONNX model \(.*\); it is damaged",
        "letter.txt as letter.onnx",
    ),
    model(
        "model-half",
        "a model that was cut off",
        "half.onnx",
        r"^half\.onnx cannot be loaded as an ONNX model",
    ),
    model(
        "model-safetensors-text",
        "a letter as weights",
        "letter.safetensors",
        r"^letter\.safetensors cannot be read as a safetensors model \(.*\); it is damaged",
        "letter.txt as letter.safetensors",
    ),
    model(
        "model-no-card",
        "a model of another program",
        "no-card.onnx",
        r"^no-card\.onnx has no fervid card, so its input is unknown; export it",
    ),
    model(
        "model-classes-contradict",
        "a card with fewer classes than its network",
        "seven.onnx",
        r"^seven\.onnx has 7 outputs and its card 3 classes; export it again",
    ),
    model(
        "model-size-contradicts",
        "a card with another size than its network",
        "large.onnx",
        r"^large\.onnx does not run as its card says",
    ),
    model(
        "model-outputs",
        "a network with other outputs",
        "named.onnx",
        r"^named\.onnx has the outputs .* fervid needs .*; export it",
    ),
    model(
        "model-card-type",
        "text for a number in a card",
        "bright.onnx",
        r"^The card of bright\.onnx cannot be read \(mean must be a number, not \"bright\"\)",
    ),
    model(
        "model-card-table",
        "a list for a table in a card",
        "list.onnx",
        r"^The card of list\.onnx cannot be read \(filters must be a table",
    ),
    model(
        "model-card-old",
        "a card of another version",
        "old.onnx",
        r"card has version 0, this fervid reads 1; export the model again",
    ),
    Mistake(
        "explain-no-class",
        "explaining a class that the model does not know",
        "fervid clip.mp4 -o results --explain nosuchclass",
        2,
        r"^--explain nosuchclass is no class of the model; it knows angry, .*neutral",
        CLIP,
    ),
    Mistake(
        "explain-misspelt",
        "explaining one that is misspelt",
        "fervid clip.mp4 -o results --explain hapy",
        2,
        r"^--explain hapy is no class of the model; did you mean happy\?$",
        CLIP,
    ),
    Mistake(
        "model-other-classes",
        "a model for other classes that agrees with its card: works",
        "fervid portrait.mp4 --model tiny.onnx --csv rows.csv",
        0,
        "",
        ("portrait.mp4", "tiny.onnx"),
        left=("rows.csv",),
    ),
    Mistake(
        "model-no-torch",
        "weights for PyTorch, where there is none",
        "fervid clip.mp4 --model best.safetensors",
        1,
        r"^best\.safetensors needs torch, which is not installed here; pip install 'fervid\[tor",
        ("clip.mp4", "letter.txt as best.safetensors"),
        lambda folder: _block(folder, "torch"),
        apart=True,
        environment={"PYTHONPATH": "blocked"},
    ),
)


def _block(folder, library: str) -> None:
    """Put a library in the way that cannot be imported, as if it were not installed."""
    (folder / "blocked").mkdir()
    code = f"raise ModuleNotFoundError('not installed', name={library!r})\n"
    (folder / "blocked" / f"{library}.py").write_text(code)
