"""H.264 as a fault of pictures: coded as a short clip by x264, and decoded."""

import io
from collections.abc import Sequence

import av
import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]


def last_coded(pictures: Sequence[U8], crf: int) -> U8:
    """The last picture of a clip after H.264; it is predicted from those before it.

    Args:
        pictures: uint8 (H, W, 3) each, BGR, H and W even.
        crf: x264's constant rate factor; 23 is its default, higher is worse.
    """
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=25, options={"crf": str(crf), "preset": "veryfast"})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "bgr24")
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    file.seek(0)
    with av.open(file, "r") as source:
        last = list(source.decode(video=0))[-1]
    return np.asarray(last.to_ndarray(format="bgr24"), np.uint8)
