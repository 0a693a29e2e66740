"""HAProxy's syntax: words and formats."""


def quoted(text: str) -> str:
    """Return `text` as one word; in single quotes nothing else is special."""
    return "'" + text.replace("'", "'\\''") + "'"


def formatted(text: str) -> str:
    """Return `text` as a word where HAProxy expects a log format."""
    return quoted(text.replace("%", "%%"))


def anchored(expression: str) -> str:
    """Return a regular expression that must match the whole, as a word."""
    return quoted(f"^(?:{expression})$")


def milliseconds(seconds: float | None) -> str:
    """Return a time; HAProxy supports none longer than 24 days."""
    return "24d" if seconds is None else f"{round(seconds * 1000)}ms"
