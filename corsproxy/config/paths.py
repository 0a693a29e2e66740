"""A route's `path`."""

import re

from corsproxy.config.mistakes import BadValueError

# RFC 3986, 3.3: the characters of a segment that need no percent-encoding.
_PATH = re.compile(r"(?:/[A-Za-z0-9\-._~!$&'()+,;=:@]+)+|/")
_PATTERN = re.compile(r"[\^$\\{}]|\(\.|\)[?+]|/:")
_LONGEST_PATH = 1024
_BAD_PATH = "bad-path"


def parse_path(text: str) -> bytes:
    """Return a route's path: a prefix of whole segments, without a trailing slash.

    Requests are matched byte by byte and never decoded, so a path holds only characters
    that every client sends as they are. Raises BadValueError.
    """
    if len(text) > _LONGEST_PATH:
        raise BadValueError(_BAD_PATH, f"the path is longer than {_LONGEST_PATH} characters")
    _refuse_other_forms(text)
    if not text.startswith("/"):
        likely = _accepted(f"/{text}")
        raise BadValueError(_BAD_PATH, "a path starts with a slash", "write it first", likely)
    if text != "/" and text.endswith("/"):
        help = "a path takes everything below it: remove the trailing slash"
        likely = _accepted(text.rstrip("/") or "/")
        raise BadValueError(_BAD_PATH, "a path ends with a segment", help, likely)
    if "%" in text:
        help = "requests are matched as they come: name a path without percent-encoding"
        raise BadValueError(_BAD_PATH, "percent-encoded paths are not matched", help)
    segments = text.split("/")
    if "." in segments or ".." in segments:
        help = "write the path that they lead to"
        raise BadValueError(_BAD_PATH, "a path has no dot segments", help)
    if "" in segments[1:-1]:
        likely = _accepted(re.sub("/+", "/", text))
        raise BadValueError(
            _BAD_PATH, "the path has an empty segment", "write single slashes", likely
        )
    if _PATH.fullmatch(text) is None:
        help = "write letters, digits and `-._~!$&'()+,;=:@`"
        message = "the path has a character that no client sends as it is"
        raise BadValueError(_BAD_PATH, message, help)
    return text.encode("ascii")


def _refuse_other_forms(text: str) -> None:
    """Refuse URLs, queries and the patterns of other products."""
    url = re.match(r"[A-Za-z][A-Za-z0-9+.-]*://[^/]*", text)
    if url is not None:
        help = "write the path alone; the host belongs to `upstream`"
        likely = _accepted(text[url.end() :] or "/")
        raise BadValueError(_BAD_PATH, "a path is meant, not a URL", help, likely)
    if "*" in text:
        help = "a path takes everything below it: write it without the wildcard"
        likely = _accepted(text.rstrip("*").rstrip("/") or "/")
        raise BadValueError(_BAD_PATH, "paths have no wildcards", help, likely)
    if _PATTERN.search(text) is not None:
        help = "a path is a prefix, and takes everything below it"
        raise BadValueError(_BAD_PATH, "paths are not patterns", help)
    path = re.split(r"[?#]", text)[0]
    if path != text:
        message = "a path has no query and no fragment"
        raise BadValueError(_BAD_PATH, message, "end it before that", _accepted(path))


def _accepted(text: str) -> str | None:
    """Return the text if it is a path."""
    try:
        parse_path(text)
    except BadValueError:
        return None
    return text
