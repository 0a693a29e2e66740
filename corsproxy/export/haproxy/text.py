"""HAProxy's syntax: words and formats."""


def quoted(text: str) -> str:
    """Return one word that means `text`; in single quotes nothing else has a meaning."""
    return "'" + text.replace("'", "'\\''") + "'"


def formatted(text: str) -> str:
    """Return a word for `text` where HAProxy expects a log format."""
    return quoted(text.replace("%", "%%"))


def anchored(expression: str) -> str:
    """Return a word for a regular expression that has to match the whole."""
    return quoted(f"^(?:{expression})$")


def milliseconds(seconds: float | None, never: str = "24d") -> str:
    """Return a time; HAProxy knows none longer than 24 days."""
    return never if seconds is None else f"{round(seconds * 1000)}ms"
