"""UPSTREAM on the command line: a URL, `host[:port]` or a port -> a URL as the file has it.

What is on this machine or on the local network speaks plain http, as a rule, and what is
anywhere else speaks https. Anything else needs the scheme.
"""

import re
from ipaddress import ip_address

_PORT = re.compile(r":?([0-9]+)(/.*)?", re.DOTALL)
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:/?#@\[\]\s\\]+)(:[0-9]+)?(/.*)?", re.DOTALL)


def full_upstream(text: str) -> str:
    """Return the URL that is meant; what is none of the short forms, as it is."""
    port = _PORT.fullmatch(text)
    if port is not None:
        return f"http://localhost:{port[1]}{port[2] or ''}"
    found = _HOST.fullmatch(text)
    if found is None or text.startswith("unix:"):
        return text
    return f"{'http' if _is_near(found[1]) else 'https'}://{text}"


def _is_near(host: str) -> bool:
    """Whether it is a name of this machine, or an address that is not public."""
    name = host.lower().removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ip_address(name.strip("[]"))
    except ValueError:
        return False
    return address.is_private or address.is_loopback or address.is_link_local
