"""`corsproxy health`: asks the admin listener, for container health checks."""

import click

from corsproxy.cli.admin_requests import ask, default_address, place
from corsproxy.cli.failures import Exit, Failure
from corsproxy.cli.options import config_option

_HEALTHY = {"/readyz": "ready", "/healthz": "ready", "/livez": "ok"}
"""What each path of the admin listener answers if all is well."""


@click.command()
@config_option
@click.argument("url", required=False)
def command(config: str | None, url: str | None) -> None:
    """Ask a running proxy whether it is ready. Exit code 0 if it is, 1 if not.

    URL is the admin listener's host:port, its port, or a URL of it; without a path, /readyz is
    asked for. The default is CORSPROXY_ADMIN, then `admin` in the file that the proxy was
    started with (-c, CORSPROXY_CONFIG or ./corsproxy.yaml), then localhost:8011.
    """
    where = place(url or default_address(config), _HEALTHY)
    status, line = ask(where)
    if status != 200 or line != _HEALTHY[where.path]:
        raise Failure(f"not ready: {status} {line}", Exit.FINDINGS)
    click.echo(line)
