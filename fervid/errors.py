"""Errors that fervid raises on purpose; anything else that escapes is a bug.

    FervidError
    ├── ConfigError            an option or a key of the configuration is wrong       (.key)
    ├── SourceError            a file, camera or stream                                (.uri)
    │   ├── SourceOpenError    it cannot be opened
    │   └── SourceReadError    it was open and cannot be read on
    ├── ModelError             a model file
    │   ├── ModelLoadError     it cannot be loaded
    │   ├── CardError          its card is missing or wrong
    │   └── BackendMissing     the library or device that would run it is not here         (.extra)
    ├── SinkError              an output cannot be written, or a written one not read  (.path)
    ├── DisplayError           a window was asked for and none can be opened
    ├── LibraryMissing         a library that is optional is not installed             (.extra)
    ├── DataError              a data set for training or evaluation
    └── ExportError            a conversion failed or its result differs from the original

Every message is one sentence that names the thing and the way out: it is what a person reads.
"""


class FervidError(Exception):
    """The base of every error that fervid raises on purpose."""


class ConfigError(FervidError):
    """An option or a configuration key has a wrong value."""

    def __init__(self, message: str, key: str = "") -> None:
        super().__init__(message)
        self.key = key


class SourceError(FervidError):
    """A source of frames failed."""

    def __init__(self, message: str, uri: str = "") -> None:
        super().__init__(message)
        self.uri = uri


class SourceOpenError(SourceError):
    """A source could not be opened."""


class SourceReadError(SourceError):
    """A source was open and could not be read on."""


class ModelError(FervidError):
    """A model file failed."""


class ModelLoadError(ModelError):
    """A model file could not be loaded."""


class CardError(ModelError):
    """A model's card is missing, incomplete or contradicts the model."""


class BackendMissing(ModelError):  # noqa: N818  a state, not a fault
    """The library or the device that would run a model is not here."""

    def __init__(self, message: str, extra: str = "") -> None:
        super().__init__(message)
        self.extra = extra


class SinkError(FervidError):
    """An output could not be written."""

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(message)
        self.path = path


class ReaderGone(SinkError):  # noqa: N818  a state, not a fault
    """Who read standard output has closed it."""


class LibraryMissing(FervidError):  # noqa: N818  a state, not a fault
    """A library that is optional is not installed."""

    def __init__(self, message: str, extra: str = "") -> None:
        super().__init__(message)
        self.extra = extra


class DisplayError(FervidError):
    """A window was asked for and none can be opened."""


class DataError(FervidError):
    """A data set could not be read."""


class ExportError(FervidError):
    """A model could not be converted, or its conversion differs from the original."""
