"""What a client can do in the middle of an exchange, as exceptions.

They cross the seam to the upstream unchanged: a body that fails while it is being sent
makes `Upstream.send` raise what `RequestBody.read` raised.
"""

from corsproxy.core.verdicts import Code


class ClientLeftError(ConnectionError):
    """The client's connection is gone."""


class BodyRefusedError(Exception):
    """The request's content stalls, is malformed, or is more than it may be."""

    def __init__(self, code: Code) -> None:
        super().__init__(str(code))
        self.code = code
