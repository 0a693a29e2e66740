"""Requests to the admin listener of a running proxy: finding it, and reading its response.

Container runtimes start `health` and `drain` often, so this uses only the standard library. The
file is read only if it has to tell where the admin listener is.
"""

import http.client
import os
from collections.abc import Collection
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

import click

from corsproxy.cli.failures import Exit, Failure, reason_of
from corsproxy.cli.options import PREFIX
from corsproxy.core.source import DEFAULT_FILE

DEFAULT_ADMIN = "localhost:8011"
TIMEOUT_SECONDS = 2.0

# Wildcard addresses cannot be connected to; use loopback instead.
_CONNECTABLE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - connected to, not bound


class Place(NamedTuple):
    """Where to send a request, and its path."""

    url: str
    """As the user gave it."""
    host: str
    port: int
    path: str


class Answer(NamedTuple):
    """A response of corsproxy's own admin listener."""

    status: int
    line: str
    """The first line of the content."""


def default_address(config: str | None) -> str:
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
    # Imported here: takes as long as all the other imports.
    from corsproxy.cli.files import read_bytes
    from corsproxy.config.problems import ConfigError
    from corsproxy.config.reader import read_admin_address

    try:
        admin = read_admin_address(read_bytes(file), file, os.environ)
    except ConfigError:
        # The running proxy ignores a broken edit, and health checks must not end it.
        return DEFAULT_ADMIN
    return _unless_off("off" if admin is None else str(admin), f"`admin: off` in {file}")


def _unless_off(admin: str, why: str) -> str:
    if admin == "off":
        raise Failure(f"{why}: this proxy has no admin listener to ask", Exit.FINDINGS)
    return admin


def place(url: str, paths: Collection[str]) -> Place:
    """Parse an address as users write it: host:port, a port, or a URL. A URL without a path
    gets the first of `paths`.

    Raises click.BadParameter.
    """
    default_path = next(iter(paths))
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
        path = parts.path.rstrip("/") or default_path
        if parts.scheme == "http" and host and port and not parts.username:
            if path in paths:
                return Place(url, host, port, path)
            known = "the path is" if len(paths) == 1 else "the paths are"
            message = f"{url!r}: {known} {', '.join(paths)}"
            raise click.BadParameter(message, param_hint="URL")
    raise click.BadParameter(f"{url!r}: {_form(default_path)}", param_hint="URL")


def ask(where: Place, method: Literal["GET", "POST"] = "GET") -> Answer:
    """Send the request. Raises Failure if nothing answers, or if it is not corsproxy."""
    host = _CONNECTABLE.get(where.host, where.host)
    connection = http.client.HTTPConnection(host, where.port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request(method, where.path)
        answer = connection.getresponse()
        line = answer.read(1024).decode("ascii", "backslashreplace").partition("\n")[0]
    except (OSError, http.client.HTTPException, ValueError) as error:
        message = f"nothing answers at {where.url}: {reason_of(error)}"
        raise Failure(message, Exit.FINDINGS) from None
    finally:
        connection.close()
    if answer.getheader("Server") != "corsproxy":
        message = f"what answers at {where.url} is not corsproxy's admin listener"
        help = f"{_form(where.path)}; serve names it when it is ready"
        raise Failure(message, Exit.FINDINGS, help)
    return Answer(answer.status, line)


def _form(path: str) -> str:
    return (
        f"write host:port, such as {DEFAULT_ADMIN} (the default), or http://{DEFAULT_ADMIN}{path}"
    )
