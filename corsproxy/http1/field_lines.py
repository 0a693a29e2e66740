"""Field sections as bytes."""

from collections.abc import Sequence

from corsproxy.core.messages import Field


def serialize_fields(fields: Sequence[Field]) -> bytes:
    """Return a field section as it goes on the wire, without the empty line that ends it.

    Raises ValueError where a line break is in what must be one line: it would be read as two.
    Nothing that a client or an upstream can send gets here in that shape.
    """
    lines = [name + b": " + value for name, value in fields]
    lines.append(b"")
    text = b"".join(lines)
    # Bytes are searched with `find`, because `in` first tries whether they are a number.
    if text.find(b"\n") >= 0 or text.find(b"\r") >= 0:
        raise ValueError("a line break inside a field line")
    return b"\r\n".join(lines)
