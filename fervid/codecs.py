"""Which codecs the installed FFmpeg libraries have."""

from collections.abc import Sequence
from typing import Literal

NEEDED_DECODERS = ("h264", "hevc", "mpeg4", "mjpeg", "vp9", "av1")
NEEDED_ENCODERS = ("libx264",)


def missing_decoders(names: Sequence[str] = NEEDED_DECODERS) -> list[str]:
    """The decoders of `names` that are not there.

    Raises:
        ImportError: PyAV is not installed.
    """
    return _missing(names, "r")


def missing_encoders(names: Sequence[str] = NEEDED_ENCODERS) -> list[str]:
    """The encoders of `names` that are not there; as `missing_decoders`."""
    return _missing(names, "w")


def _missing(names: Sequence[str], mode: Literal["r", "w"]) -> list[str]:
    import av
    from av.codec.codec import UnknownCodecError

    missing = []
    for name in names:
        try:
            av.codec.Codec(name, mode)
        except UnknownCodecError:
            missing.append(name)
    return missing
