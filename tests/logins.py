"""An upstream that logs users in on their connection, as NTLM and Negotiate do.

`TYPE1 alice` begins alice's handshake and `TYPE3 alice` completes it, on the same connection only;
from then on every request on it is alice's.
"""

from tests.fakes import Client, Reply
from tests.peers import PeerConnection, Script


def logs_in(scheme: bytes = b"NTLM", done: bytes = b"") -> Script:
    """A script that authenticates connections; `done` are fields of what logged-in users get."""

    async def script(peer: PeerConnection) -> None:
        begun = user = b""
        while True:
            message = _authorization(await peer.head())
            step, _, name = message.partition(b" ")
            if step == b"TYPE1":
                begun, user = name, b""
                await peer.send(_response(b"401 No", b"", _challenge(scheme + b" TYPE2")))
            elif step == b"TYPE3":
                user = name if begun == name else b""
                fields = done if user else _challenge(scheme)
                await peer.send(_response(b"200 OK" if user else b"401 No", user, fields))
            elif user:
                await peer.send(_response(b"200 OK", user, b""))
            else:
                await peer.send(_response(b"401 No", b"", _challenge(scheme)))

    return script


async def ask(client: Client, message: bytes = b"", scheme: bytes = b"NTLM") -> Reply:
    """Send a request, which carries `message` of the handshake."""
    field = b"Authorization: %b %b\r\n" % (scheme, message) if message else b""
    await client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n%b\r\n" % field)
    return await client.reply()


async def log_in(client: Client, user: bytes, scheme: bytes = b"NTLM") -> Reply:
    """Go through a whole handshake; returns the answer to its last request."""
    assert (await ask(client)).status == 401
    assert (await ask(client, b"TYPE1 " + user, scheme)).status == 401
    return await ask(client, b"TYPE3 " + user, scheme)


def _authorization(head: bytes) -> bytes:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b": ")
        if name.lower() == b"authorization":
            return value.partition(b" ")[2]
    return b""


def _challenge(value: bytes) -> bytes:
    return b"WWW-Authenticate: %b\r\n" % value


def _response(status: bytes, user: bytes, fields: bytes) -> bytes:
    return b"HTTP/1.1 %b\r\n%bContent-Length: %d\r\n\r\n%b" % (status, fields, len(user), user)
