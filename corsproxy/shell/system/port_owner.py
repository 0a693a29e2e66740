"""Which process already listens on a port, as far as this machine can tell.

Works only on Linux (proc(5)) and for processes of the same user. Otherwise the answer is
None, and the message leaves it out.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_LISTEN = "0A"


def port_owner(port: int) -> str | None:
    """Return "name, pid 123" of a process that listens on the TCP port, or None."""
    sockets = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    if not sockets:
        return None
    for process in Path("/proc").glob("[0-9]*"):
        # Processes may end while we look, and those of other users cannot be read.
        with suppress(OSError):
            for descriptor in (process / "fd").iterdir():
                if str(descriptor.readlink()) in sockets:
                    name = (process / "comm").read_text(errors="replace").strip()
                    return f"{name}, pid {process.name}"
    return None


def _listening_inodes(port: int) -> Iterator[str]:
    suffix = f":{port:04X}"
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            columns = line.split()
            if columns[1].endswith(suffix) and columns[3] == _LISTEN:
                yield columns[9]
