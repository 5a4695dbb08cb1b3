"""URLs without their secrets: what may be shown, written and logged."""

import re

# "user:anything@" up to the last @ (an unquoted / in a password is no end), or "user@".
_USER = re.compile(
    r"(?i)([a-z][a-z0-9+.-]*://|(?:rtsps?|https?|rtmps?|srt):/?)(?:[^:/?#\[]*:(?!\d*(?:[/?#]|$)).*@|[^/?#]*@)"
)
# Parameters that hold a secret, as network cameras name them.
_SECRET = re.compile(
    r"(?i)([?&;](?:user(?:name)?|login|pass(?:word|wd)?|pwd|(?:access_)?token|auth|(?:api_?)?key"
    r"|secret|sig(?:nature)?)=)[^&;#]*"
)


def without_credentials(uri: str) -> str:
    """Return a source's URL without user, password and secret parameters; a file name as it is."""
    return _SECRET.sub(r"\1***", _USER.sub(r"\1", uri)) if ":" in uri else uri
