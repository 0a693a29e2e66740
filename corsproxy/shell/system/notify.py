"""Tell the service manager the state of the process (sd_notify(3))."""

import os
import socket


def notify(state: str) -> None:
    """Send `state` ("READY=1", "STOPPING=1") to the socket in NOTIFY_SOCKET, if set.

    Errors are ignored: a service manager that does not listen is no reason to fail.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")) or not hasattr(socket, "AF_UNIX"):
        return
    if address.startswith("@"):
        address = "\0" + address[1:]  # the abstract namespace
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.setblocking(False)
            channel.connect(address)
            channel.send(state.encode("ascii"))
    except OSError:
        return
