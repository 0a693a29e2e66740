"""`corsproxy drain`: tells a running proxy that its end is near, for preStop hooks."""

import click

from corsproxy.cli.admin_requests import ask, default_address, place
from corsproxy.cli.failures import Exit, Failure
from corsproxy.cli.options import config_option

_ACCEPTED = 202


@click.command()
@config_option
@click.argument("url", required=False)
def command(config: str | None, url: str | None) -> None:
    """Ask a running proxy to begin draining: exit code 0 once it has begun, 1 otherwise.

    /readyz turns 503 and each response ends its connection, but requests are answered until
    SIGTERM, which then skips drain_delay. Asking again changes nothing. It does not wait.

    URL is the admin listener's host:port, its port, or a URL of it. Without one, CORSPROXY_ADMIN
    says where it is, or else `admin` in the file that the proxy was started with (-c,
    CORSPROXY_CONFIG or ./corsproxy.yaml); by default it is localhost:8011.
    """
    status, line = ask(place(url or default_address(config), ["/drain"]), "POST")
    if status != _ACCEPTED:
        raise Failure(f"it does not drain: {status} {line}", Exit.FINDINGS)
    click.echo(line)
