"""`corsproxy health`: asks the admin listener, for container health checks.

Standard library only, because it is started every few seconds.
"""

import http.client
import os
from urllib.parse import urlsplit

import click

from corsproxy.cli.failures import Exit, Failure
from corsproxy.cli.options import PREFIX

DEFAULT_ADMIN = "localhost:8011"
TIMEOUT_SECONDS = 2.0

# An address that means "every interface" is none to connect to.
_CONNECTABLE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - connected to, not bound


@click.command()
@click.argument("url", required=False)
def command(url: str | None) -> None:
    """Ask a running proxy whether it is ready: exit code 0 if it is, 1 if not.

    URL is that of the admin listener; by default CORSPROXY_ADMIN, or localhost:8011. A
    URL without a path asks for /readyz.
    """
    status, reason = _ask(url or _default_url())
    if not 200 <= status < 300:
        raise Failure(f"not ready: {status} {reason}", Exit.FINDINGS)
    click.echo(reason)


def _default_url() -> str:
    admin = os.environ.get(PREFIX + "ADMIN") or DEFAULT_ADMIN
    if admin == "off":
        message = f"{PREFIX}ADMIN=off: this proxy has no admin listener to ask"
        raise Failure(message, Exit.FINDINGS)
    return f"http://{admin}"


def _ask(url: str) -> tuple[int, str]:
    """Return the status and the first line of the answer."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname, parts.port or 80
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="URL") from None
    if parts.scheme != "http" or not host:
        raise click.BadParameter("an admin listener's URL is http://host:port", param_hint="URL")
    connection = http.client.HTTPConnection(
        _CONNECTABLE.get(host, host), port, timeout=TIMEOUT_SECONDS
    )
    try:
        connection.request("GET", parts.path or "/readyz")
        answer = connection.getresponse()
        line = answer.read(1024).decode("ascii", "backslashreplace").partition("\n")[0]
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Failure(f"nobody answers at {url}: {error}", Exit.FINDINGS) from None
    finally:
        connection.close()
    return answer.status, line
