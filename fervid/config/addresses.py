"""Which addresses name files, and which name streams.

rtsp://, http://, udp://, ...    a stream: FFmpeg opens it (also http:// of a recording)
file:///archive/a.mp4            a file on this machine: its path
s3://bucket/a.mp4                a file elsewhere: fsspec fetches it (fervid/remote.py)
zip://a.mp4::s3://bucket/a.zip   a file in an archive, wherever that is
simplecache::https://host/a.mp4  what would be a stream, or a protocol that is not known here
"""

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

from fervid import probe

# Protocols of files that fsspec opens, and the package that each needs beside it.
FETCHED: dict[str, str] = {
    **dict.fromkeys(("s3", "s3a"), "s3fs"),
    **dict.fromkeys(("gs", "gcs"), "gcsfs"),
    **dict.fromkeys(("abfs", "abfss", "az"), "adlfs"),
    **dict.fromkeys(("sftp", "ssh"), "paramiko"),
    **dict.fromkeys(("hdfs", "arrow_hdfs"), "pyarrow and Java's HDFS library"),
    **dict.fromkeys(("github", "webhdfs", "dbfs"), "requests"),
    "smb": "smbprotocol",
    "oss": "ossfs",
    "oci": "ocifs",
    "tos": "tosfs",
    "hf": "huggingface_hub",
    "lakefs": "lakefs-spec",
    "box": "boxfs",
    "dropbox": "dropboxdrivefs",
    "gdrive": "gdrive_fsspec",
    "libarchive": "libarchive-c",
    **dict.fromkeys(("local", "memory", "tar", "zip"), ""),
}
ARCHIVES = ("libarchive", "tar", "zip")
CACHES = ("blockcache", "filecache", "simplecache")
# Protocols in which what stands before the @ is no user: a container, a name in an archive.
WITHOUT_USER = ("abfs", "abfss", "az", *ARCHIVES)
_BEGIN = re.compile(r"(?i)([a-z][a-z0-9+._-]*)(://|::)")
_LOCAL = re.compile(r"(?i)file://(?:localhost(?=/))?(.*)", re.DOTALL)
_DRIVE = re.compile(r"/[A-Za-z]:")


def scheme_of(source: str) -> str:
    """The protocol that an address begins with, in small letters; "" for what is no address."""
    found = _BEGIN.match(source)
    return found[1].lower() if found else ""


def is_fetched(source: str) -> bool:
    """Whether a source is a file that is fetched before it is read, or a pattern of such files."""
    found = _BEGIN.match(source)
    if found is None:
        return False
    return found[1].lower() in (CACHES if found[2] == "::" else FETCHED)


def local_name(source: str) -> str:
    """The path that a file:// address names; other sources as they are.

    Signs that stand as %20 are taken for what they mean where no file has them in its name.
    """
    found = _LOCAL.fullmatch(source)
    if found is None or not found[1]:
        return source
    name = found[1][1:] if _DRIVE.match(found[1]) else found[1]
    return name if probe.exists(Path(name)) else unquote(name)


def with_place(address: str, place: Callable[[str], str]) -> str:
    """An address of `is_fetched` whose archive, if it is a file of this machine, is named anew."""
    *before, last = links(address)
    if not before or scheme_of(last):
        return address
    return "::".join([*before, place(last)])


def links(address: str) -> list[str]:
    """The parts of an address of `is_fetched`: a path in an archive, then where that is, ...

    Only what stands before the address of a server is taken apart: :: may be in a password.
    """
    first, mark, rest = address.partition("::")
    if not mark or scheme_of(first + mark) not in (*ARCHIVES, *CACHES):
        return [address]
    return [first, *links(rest)]
