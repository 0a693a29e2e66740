"""Which process listens on a port."""

import os
import socket
import sys

from corsproxy.shell.system.port_owner import port_owner


def test_a_process_that_listens_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = port_owner(server.getsockname()[1])
    if sys.platform == "linux":
        assert found is not None
        assert found.endswith(f", pid {os.getpid()}")
    else:
        assert found is None


def test_a_free_port_has_no_owner() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert port_owner(port) is None
