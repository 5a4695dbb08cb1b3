"""URLs without their secrets: what may be shown, written and logged."""

import re

from fervid.config.addresses import WITHOUT_USER, is_fetched, links, scheme_of

# "user:anything@" up to the last @ (an unquoted / in a password is no end), or "user@".
_USER = re.compile(
    r"(?i)([a-z][a-z0-9+.-]*://|(?:rtsps?|https?|rtmps?|srt):/?)(?:[^:/?#\[]*:(?!\d*(?:[/?#]|$)).*@|[^/?#]*@)"
)
# Parameters that hold a secret, as network cameras name them.
_SECRET = re.compile(
    r"(?i)([?&;](?:user(?:name)?|login|pass(?:word|wd)?|pwd|(?:access_)?token|auth|(?:api_?)?key"
    r"|secret|sig(?:nature)?|awsaccesskeyid|x-(?:amz|goog)-(?:signature|credential"
    r"|security-token))=)[^&;#]*"
)


def without_credentials(uri: str) -> str:
    """Return a source's URL without user, password and secret parameters; a file name as it is."""
    if ":" not in uri:
        return uri
    parts = links(uri) if is_fetched(uri) else [uri]
    shown = "::".join(p if _is_userless(p) else _USER.sub(r"\1", p) for p in parts)
    return _SECRET.sub(r"\1***", shown)


def _is_userless(link: str) -> bool:
    """Whether nothing in a part of an address can be a user; a second :// may be a mistake."""
    return scheme_of(link) in WITHOUT_USER and link.count("://") == 1
