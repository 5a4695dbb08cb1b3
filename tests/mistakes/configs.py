"""Mistakes in configuration files and files of passwords."""

from collections.abc import Callable
from pathlib import Path

from tests.mistakes.record import Mistake

CLIP = ("clip.mp4",)


def written(content: str | bytes, name: str = "fervid.toml", mode: int = 0o644) -> Callable:
    """What writes a file."""

    def write(folder: Path) -> None:
        path = folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(mode)

    return write


def config(name: str, what: str, content: str | bytes, says: str, code: int = 2) -> Mistake:
    """A fervid.toml in the working directory with a mistake in it."""
    return Mistake(name, what, "fervid clip.mp4", code, says, CLIP, written(content))


def logins(name: str, what: str, content: str, says: str, mode: int = 0o600) -> Mistake:
    """A file with users and passwords that cannot be used."""
    command = "fervid rtsp://127.0.0.1:9/x --credentials logins"
    return Mistake(name, what, command, 2, says, (), written(content, "logins", mode))


CONFIGS = (
    Mistake(
        "config-missing",
        "a configuration that is not there",
        "fervid clip.mp4 --config fervd.toml",
        2,
        r"^There is no configuration file fervd\.toml; did you mean fervid\.toml\?$",
        CLIP,
        written("quiet = true\n"),
    ),
    Mistake(
        "config-folder",
        "a folder as configuration",
        "fervid clip.mp4 --config results",
        2,
        r"^The configuration file results cannot be read \(Is a directory\)",
        (*CLIP, "results/"),
    ),
    config(
        "config-syntax",
        "what is no TOML",
        "[labels\nsmooth_s = 1\n",
        r"^fervid\.toml is not valid TOML: .*line 1",
    ),
    config("config-latin", "what is no UTF-8", b"# \xe9\n", r"^fervid\.toml is not UTF-8 text"),
    config(
        "config-key",
        "a misspelt key",
        "[labels]\nsmoot_s = 0.8\n",
        r"^Unknown key smoot_s in \[labels\] of fervid\.toml; did you mean smooth_s\?$",
    ),
    config(
        "config-place",
        "a key outside its section",
        "smooth_s = 0.8\n",
        r"^Unknown key smooth_s in fervid\.toml; it belongs below \[labels\]",
    ),
    config(
        "config-section",
        "a misspelt section",
        "[labls]\nsmooth_s = 0.8\n",
        r"^Unknown section \[labls\] in fervid\.toml; did you mean \[labels\]\?$",
    ),
    config(
        "config-type",
        "text for a number",
        '[labels]\nsmooth_s = "much"\n',
        r"^smooth_s in \[labels\] of fervid\.toml must be a number, not \"much\"",
    ),
    config(
        "config-limit",
        "a number beyond its limits",
        "[faces]\nmin_score = 7\n",
        r"^min_score in \[faces\] of fervid\.toml must be from 0 to 1, not 7",
    ),
    config(
        "config-choice",
        "a misspelt value",
        '[filter]\nfilter = "medain"\n',
        r"not medain; did you mean median\?$",
    ),
    config(
        "config-path",
        "an empty name of a folder",
        '[output]\nout = ""\n',
        r"^out in \[output\] of fervid\.toml must be the name of a file or folder",
    ),
    config(
        "config-pair",
        "half of a pair",
        "[output]\nsubtitles = true\n",
        r"^--subtitles needs a folder; .*\(subtitles comes from fervid\.toml, line 2\)",
    ),
    config(
        "config-source-no-uri",
        "settings of no source",
        '[[source]]\nlabel = "door"\n',
        r"^A \[\[source\]\] in fervid\.toml has no uri",
    ),
    config(
        "config-source-twice",
        "settings of one source twice",
        '[[source]]\nuri = "a.mp4"\n[[source]]\nuri = "a.mp4"\n',
        r"^a\.mp4 has two \[\[source\]\] tables; make them one",
    ),
    config(
        "config-secret",
        "a password where a list belongs",
        'sources = "rtsp://me:s3cret@10.0.0.7/x"\n',
        r"^sources of fervid\.toml must be a list of texts in quotes, not \"rtsp://10\.0",
    ),
)

LOGINS = (
    logins(
        "logins-open",
        "passwords that others may read",
        "machine a login b password s3cret",
        r"^The credentials file logins is open to other users .*chmod 600 logins",
        0o644,
    ),
    logins(
        "logins-format",
        "passwords in another format",
        "password=s3cret\n",
        r"^The credentials file logins is not in netrc's format",
    ),
    Mistake(
        "logins-missing",
        "passwords that are not there",
        "fervid rtsp://127.0.0.1:9/x --credentials login",
        2,
        r"^There is no credentials file login; did you mean logins\?$",
        (),
        written("", "logins"),
    ),
    Mistake(
        "logins-folder",
        "a folder as file of passwords",
        "fervid rtsp://127.0.0.1:9/x --credentials results",
        2,
        r"^The credentials file results cannot be read \(Is a directory\)",
        ("results/",),
    ),
    Mistake(
        "user-alone",
        "a user without a password",
        "fervid rtsp://127.0.0.1:9/x",
        2,
        r"^FERVID_USER is set without FERVID_PASSWORD; set both or none",
        environment={"FERVID_USER": "me"},
    ),
)
