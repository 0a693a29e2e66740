"""`corsproxy health`: asks the admin listener, for container health checks.

It is started every few seconds, so it needs the standard library alone; only where a
file says where the admin listener is, that file has to be read.
"""

import http.client
import os
from typing import NamedTuple
from urllib.parse import urlsplit

import click

from corsproxy.cli.failures import Exit, Failure
from corsproxy.cli.options import PREFIX, config_option
from corsproxy.core.source import DEFAULT_FILE

DEFAULT_ADMIN = "localhost:8011"
TIMEOUT_SECONDS = 2.0

_FORM = f"write host:port, such as {DEFAULT_ADMIN} (the default), or http://{DEFAULT_ADMIN}/readyz"
_HEALTHY = {"/readyz": "ready", "/healthz": "ready", "/livez": "ok"}
"""What each path of the admin listener answers when all is well."""

# An address that means "every interface" is none to connect to.
_CONNECTABLE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - connected to, not bound


class Place(NamedTuple):
    """Whom to ask, and for what."""

    url: str
    """As people gave it."""
    host: str
    port: int
    path: str


@click.command()
@config_option
@click.argument("url", required=False)
def command(config: str | None, url: str | None) -> None:
    """Ask a running proxy whether it is ready: exit code 0 if it is, 1 if not.

    URL is the admin listener's host:port, its port, or a URL of it. Without one, CORSPROXY_ADMIN
    says where it is, or else `admin` in the file that the proxy was started with (-c,
    CORSPROXY_CONFIG or ./corsproxy.yaml); by default it is localhost:8011. A URL without
    a path asks for /readyz.
    """
    place = _place(url or _default(config))
    status, line, is_ours = _ask(place)
    if not is_ours:
        message = f"what answers at {place.url} is not corsproxy's admin listener"
        raise Failure(message, Exit.FINDINGS, f"{_FORM}; serve names it when it is ready")
    if status != 200 or line != _HEALTHY[place.path]:
        raise Failure(f"not ready: {status} {line}", Exit.FINDINGS)
    click.echo(line)


def _default(config: str | None) -> str:
    """Return the address that the running proxy most likely has."""
    named = os.environ.get(f"{PREFIX}ADMIN")
    if named:
        return _unless_off(named, f"{PREFIX}ADMIN=off")
    file = config or DEFAULT_FILE
    is_at_a_url = os.environ.get(f"{PREFIX}UPSTREAM") and config is None
    if is_at_a_url or (config is None and not os.path.lexists(file)):
        return DEFAULT_ADMIN
    return _in_file(file)


def _in_file(file: str) -> str:
    # Takes as long to import as all the rest.
    from corsproxy.cli.files import read_bytes
    from corsproxy.config.problems import ConfigError
    from corsproxy.config.reader import read_admin_address

    try:
        admin = read_admin_address(read_bytes(file), file, os.environ)
    except ConfigError:
        # A broken edit changes nothing in the proxy that runs, and must not end it.
        return DEFAULT_ADMIN
    return _unless_off("off" if admin is None else str(admin), f"`admin: off` in {file}")


def _unless_off(admin: str, why: str) -> str:
    if admin == "off":
        raise Failure(f"{why}: this proxy has no admin listener to ask", Exit.FINDINGS)
    return admin


def _place(url: str) -> Place:
    """Raises click.BadParameter."""
    if url.isdecimal():
        url = f"localhost:{url}"
    has_scheme = "://" in url
    try:
        parts = urlsplit(url if has_scheme else f"http://{url}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    else:
        port = port or (80 if has_scheme and port is None else None)
        path = parts.path.rstrip("/") or "/readyz"
        if parts.scheme == "http" and host and port and not parts.username:
            if path in _HEALTHY:
                return Place(url, host, port, path)
            paths = ", ".join(_HEALTHY)
            raise click.BadParameter(f"{url!r}: the paths are {paths}", param_hint="URL")
    raise click.BadParameter(f"{url!r}: {_FORM}", param_hint="URL")


def _ask(place: Place) -> tuple[int, str, bool]:
    """Return the status, the first line of the answer, and whether it is this product's."""
    host = _CONNECTABLE.get(place.host, place.host)
    connection = http.client.HTTPConnection(host, place.port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", place.path)
        answer = connection.getresponse()
        line = answer.read(1024).decode("ascii", "backslashreplace").partition("\n")[0]
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        message = f"nobody answers at {place.url}: {reason[:1].lower()}{reason[1:]}"
        raise Failure(message, Exit.FINDINGS) from None
    finally:
        connection.close()
    return answer.status, line, answer.getheader("Server") == "corsproxy"
