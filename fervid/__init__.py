"""fervid: real-time facial-expression analytics for noisy video.

The names below are loaded when they are first used; `import fervid` itself loads nothing heavy.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

# ONNX Runtime from 1.29 on reports its use to its maker, on Linux and macOS too, unless this is set
# before it is imported (its Privacy.md); its own disable_telemetry_events() comes too late.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

_NAMES = {
    "backends": ("Backend", "open_backend"),
    "capture": ("Source", "open_source"),
    "card": ("ModelCard",),
    "config": (
        *("RunConfig", "ExplainConfig", "FaceConfig", "FilterConfig", "LabelConfig"),
        *("ModelConfig", "OutputConfig", "ReadConfig", "SegmentConfig", "ServeConfig"),
        *("SourceConfig", "ThreadConfig", "WatchConfig", "WindowConfig"),
    ),
    "crops": ("crop_faces",),
    "draw": ("annotate",),  # called draw there, a name that is the module's here
    "errors": ("FervidError", "ConfigError", "ModelError", "SinkError", "SourceError"),
    "faces": ("FaceDetector",),
    "filters": ("choose_filter", "get_filter"),
    "noise": ("NoiseMeter", "estimate_noise"),
    "pipeline": ("Pipeline",),
    "records": ("Faces", "Frame", "FrameResult", "ModelOutput", "Noise", "SourceInfo"),
    "results": ("read_results",),
    "run": ("analyse",),
    "search": ("FaceSearch",),
    "sinks": ("Sink",),
    "stills": ("still",),
    "tracks": ("FaceTracker",),
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names}
_MODULES = ("corruptions", "errors", "faces", "filters")

__all__ = [
    "Backend",
    "ConfigError",
    "ExplainConfig",
    "FaceConfig",
    "FaceDetector",
    "FaceSearch",
    "FaceTracker",
    "Faces",
    "FervidError",
    "FilterConfig",
    "Frame",
    "FrameResult",
    "LabelConfig",
    "ModelCard",
    "ModelConfig",
    "ModelError",
    "ModelOutput",
    "Noise",
    "NoiseMeter",
    "OutputConfig",
    "Pipeline",
    "ReadConfig",
    "RunConfig",
    "SegmentConfig",
    "ServeConfig",
    "Sink",
    "SinkError",
    "Source",
    "SourceConfig",
    "SourceError",
    "SourceInfo",
    "ThreadConfig",
    "WatchConfig",
    "WindowConfig",
    "analyse",
    "annotate",
    "choose_filter",
    "corruptions",
    "crop_faces",
    "errors",
    "estimate_noise",
    "faces",
    "filters",
    "get_filter",
    "open_backend",
    "open_source",
    "read_results",
    "still",
]

if TYPE_CHECKING:  # the same for type checkers and editors; a test compares the two
    from fervid import corruptions, errors, faces, filters
    from fervid.backends import Backend, open_backend
    from fervid.capture import Source, open_source
    from fervid.card import ModelCard
    from fervid.config import (
        ExplainConfig,
        FaceConfig,
        FilterConfig,
        LabelConfig,
        ModelConfig,
        OutputConfig,
        ReadConfig,
        RunConfig,
        SegmentConfig,
        ServeConfig,
        SourceConfig,
        ThreadConfig,
        WatchConfig,
        WindowConfig,
    )
    from fervid.crops import crop_faces
    from fervid.draw import draw as annotate
    from fervid.errors import ConfigError, FervidError, ModelError, SinkError, SourceError
    from fervid.faces import FaceDetector
    from fervid.filters import choose_filter, get_filter
    from fervid.noise import NoiseMeter, estimate_noise
    from fervid.pipeline import Pipeline
    from fervid.records import Faces, Frame, FrameResult, ModelOutput, Noise, SourceInfo
    from fervid.results import read_results
    from fervid.run import analyse
    from fervid.search import FaceSearch
    from fervid.sinks import Sink
    from fervid.stills import still
    from fervid.tracks import FaceTracker
else:  # not for type checkers, to whom every misspelt name would be one that this returns

    def __getattr__(name):  # noqa: ANN001, ANN202
        """Load a public name when it is first used (PEP 562)."""
        if name in _MODULES:
            return import_module(f"fervid.{name}")
        if name not in _HOMES:
            raise AttributeError(f"module 'fervid' has no attribute {name!r}")
        home = import_module(f"fervid.{_HOMES[name]}")
        return home.draw if name == "annotate" else getattr(home, name)

    def __dir__():  # noqa: ANN202
        return sorted({*globals(), *__all__})
