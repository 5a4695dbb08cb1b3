"""What is said to a person outside the dashboard, on standard error."""

from rich.console import Console


def say(console: Console, message: object) -> None:
    """Print one line for a person; what a terminal would obey, as in a file's name, is shown."""
    line = " ".join(str(message).split())
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
    console.print(f"fervid: {text}", markup=False, emoji=False, soft_wrap=True)
