"""What a client can do wrong in the middle of an exchange."""

from corsproxy.core.verdicts import Code
from corsproxy.shell.client.faults import BodyRefusedError, ClientLeftError


def test_a_client_that_left_is_a_connection_that_ended() -> None:
    assert issubclass(ClientLeftError, ConnectionError)


def test_a_refused_body_says_why() -> None:
    refused = BodyRefusedError(Code.BODY_TIMEOUT)
    assert (refused.code, str(refused)) == (Code.BODY_TIMEOUT, "body-timeout")
