"""Telling the service manager what state the process is in (sd_notify(3))."""

import os
import socket


def notify(state: str) -> None:
    """Send `state` ("READY=1", "STOPPING=1") where NOTIFY_SOCKET names a socket.

    A service manager that does not listen is nothing to fail for.
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
