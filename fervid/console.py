"""What is said to a person outside the dashboard, on standard error."""

from rich.console import Console


def say(console: Console, message: object) -> None:
    """Print one line for a person; what a terminal would obey, as in a file's name, is shown."""
    console.print(f"fervid: {printable(message)}", markup=False, emoji=False, soft_wrap=True)


def printable(message: object) -> str:
    """A text in one line, in which what a terminal would obey is shown."""
    line = " ".join(str(message).split())
    return "".join(c if c.isprintable() else _shown(c) for c in line)


def _shown(sign: str) -> str:
    """A sign that is not printed, as Python writes it; a byte that is no text as that byte."""
    byte = ord(sign) - 0xDC00  # where `os.fsdecode` puts such bytes
    return f"\\x{byte:02x}" if 0x80 <= byte <= 0xFF else sign.encode("unicode_escape").decode()
