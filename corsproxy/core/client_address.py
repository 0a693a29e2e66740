"""Who a client is: the peer, or, behind trusted proxies, the address that they report.

Clients can write anything into X-Forwarded-For, and each proxy appends its peer. So the list
is read from its end, for as long as the addresses belong to trusted proxies.
"""

from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_address

from corsproxy.core.fields import split_list
from corsproxy.core.messages import RequestHead
from corsproxy.core.policy import Policy


def client_address(policy: Policy, request: RequestHead) -> str:
    """Return the IP address of the client; empty where the peer has none.

    Behind `trusted_proxies` it is the last one in X-Forwarded-For that is not a trusted proxy
    itself, or the first one if all are.
    """
    address = request.client
    if not policy.trusted_proxies or not is_trusted(policy, address):
        return address
    values = [value for name, value in request.fields if name.lower() == b"x-forwarded-for"]
    for member in reversed(split_list(values)):
        reported = parse_address(_without_port(member.decode("ascii", "replace").strip('"')))
        if reported is None:
            break
        address = str(reported)
        if not is_trusted(policy, address):
            break
    return address


def _without_port(member: str) -> str:
    """Return the address of a member; some proxies write the client's port behind it."""
    if member.startswith("["):
        return member[1:].partition("]")[0]
    return member.partition(":")[0] if member.count(":") == 1 else member


def is_trusted(policy: Policy, client: str) -> bool:
    """Whether the peer with this address is a trusted proxy."""
    if not policy.trusted_proxies:
        return False
    address = parse_address(client)
    return address is not None and any(address in network for network in policy.trusted_proxies)


@lru_cache(maxsize=1024)
def parse_address(client: str) -> IPv4Address | IPv6Address | None:
    """Return an address, an IPv4-mapped one as IPv4; None for any other text."""
    try:
        address = ip_address(client)
    except (AddressValueError, ValueError):
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
