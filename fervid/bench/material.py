"""What the cases work on: the clip in its forms, the models, a folder for what is written."""

import itertools
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from fervid.backends import Backend, model_file, open_backend
from fervid.bench import drawn, scenes
from fervid.bench.drawn import U8
from fervid.config import RunConfig
from fervid.errors import ConfigError

KEPT = 90  # pictures that are held decoded, for scenes and the live source


@dataclass(frozen=True, slots=True)
class Size:
    """How much each case does: frames of a recording and of a scene, seconds of a live source.

    `memory_frames`: of the memory case, which repeats its scene; 0: one scene.
    """

    frames: int
    scene_frames: int
    live_s: float
    memory_frames: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """Made once for all cases.

    Attributes:
        clip: the clip to analyse, of `size.frames` frames.
        label: its name.
        pictures: its first frames, BGR uint8 (H, W, 3).
        heads: the faces in them.
        models: by name; the first is the one that fervid runs by itself.
        folder: for what is written; it goes in the end.
    """

    clip: Path
    label: str
    pictures: list[U8]
    heads: list[U8]
    models: Mapping[str, Backend]
    folder: Path
    size: Size
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def backend(self) -> Backend:
        """The model that fervid runs by itself."""
        return next(iter(self.models.values()))

    def new_folder(self) -> Path:
        """A folder for the outputs of one measurement."""
        return self.folder / f"out-{next(self._numbers)}"

    def scene(self, faces: int, size: str) -> Path:
        """The clip of a scene, written when it is first asked for."""
        path = self.folder / f"{faces}x{size}.mp4"
        if not path.exists():
            pictures = (
                scenes.scene(self.heads, faces, scenes.SIZES[size], index)
                for index in range(self.size.scene_frames)
            )
            scenes.write_clip(path, pictures)
        return path


@contextmanager
def prepare(clip: Path | None, models: list[Path], size: Size) -> Iterator[Material]:
    """Open the models and bring the clip into shape; everything is closed and deleted after.

    Args:
        clip: None for the drawn one.
        models: more models to compare, .onnx or .safetensors.
        size: of the cases.

    Raises:
        SourceError: the clip cannot be read.
        ModelError: a model cannot be opened.
        ConfigError: the clip shows no face, or two models have one name.
    """
    with ExitStack() as opened:
        folder = Path(opened.enter_context(TemporaryDirectory(prefix="fervid-bench-")))
        own = opened.enter_context(model_file())
        backends: dict[str, Backend] = {}
        for path in (own, *models):
            if path.stem in backends:
                raise ConfigError(f"Two models are called {path.stem}; rename one.", "model")
            model, cores = RunConfig().model, RunConfig().cores
            backend = open_backend(path, model.device, cores.threads, cores.spin)
            backends[path.stem] = opened.enter_context(closing(backend))
        label = "drawn by fervid" if clip is None else clip.name
        if clip is None:
            clip = scenes.write_clip(folder / "drawn.mp4", drawn.frames(drawn.PERIOD), drawn.RATE)
        pictures = scenes.read(clip, KEPT)
        yield Material(
            scenes.repeated(clip, folder / "clip.mkv", size.frames),
            label,
            pictures,
            scenes.heads(pictures, label),
            backends,
            folder,
            size,
        )
