"""Missing: how much of a recording from elsewhere, or in pieces, did not come."""

from fervid.errors import SourceReadError

# What may be missing: FFmpeg passes over pieces that do not come.
MOST_S = 2.0
PIECE_S = 0.4  # shorter than any piece; one begins with a key frame, which tells it from a still


class Missing:
    """Adds up what is missing of a recording between its pictures and at its end.

    Args:
        uri: where it comes from, without credentials.
        remote: from a server.
        in_pieces: as HLS is, which may lack some in its middle. Of a whole file FFmpeg tells
            itself that its server broke off.
    """

    def __init__(self, uri: str, *, remote: bool, in_pieces: bool) -> None:
        self._uri, self._remote, self.in_pieces = uri, remote, in_pieces
        self._gaps_s = 0.0

    def see_gap(self, seconds: float, *, key_frame: bool) -> None:
        """Count the time between two pictures, if that of a piece.

        Args:
            seconds: from the end of the one to the start of the next.
            key_frame: whether the next is one.
        """
        if self.in_pieces and seconds > (PIECE_S if key_frame else MOST_S):
            self._gaps_s += seconds

    def check(self, end_s: float, promised_s: float, *, of_pictures: bool) -> None:
        """Refuse a recording of which too much is missing.

        Args:
            end_s: when its last picture ended.
            promised_s: how long it states to be.
            of_pictures: whether that is the pictures' length, and not that of a longer sound.

        Raises:
            SourceReadError: so it is.
        """
        at_end_s = max(0.0, promised_s - end_s) if self.in_pieces or of_pictures else 0.0
        missing_s = self._gaps_s + at_end_s
        if not (self._remote or self.in_pieces) or missing_s <= MOST_S:
            return
        who, way = f"The server of {self._uri} failed to deliver", "start again"
        if not self._remote:
            who, way = f"The files that {self._uri} lists lack", "copy them again"
        raise SourceReadError(f"{who} {missing_s:.1f} of {promised_s:.1f} s; {way}.", self._uri)
