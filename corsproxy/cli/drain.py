"""`corsproxy drain`: tells a running proxy that it will be stopped soon, for preStop hooks."""

import click

from corsproxy.cli.admin_requests import ask, default_address, place
from corsproxy.cli.failures import Exit, Failure
from corsproxy.cli.options import config_option

_ACCEPTED = 202


@click.command()
@config_option
@click.argument("url", required=False)
def command(config: str | None, url: str | None) -> None:
    """Ask a running proxy to begin draining. Exit code 0 if it does, 1 otherwise.

    /readyz then answers 503 and each response ends its connection, but requests are answered until
    SIGTERM, which then skips drain_delay. Asking again changes nothing. It does not wait.

    URL is the admin listener's host:port, its port, or a URL of it. The default is
    CORSPROXY_ADMIN, then `admin` in the file that the proxy was started with (-c,
    CORSPROXY_CONFIG or ./corsproxy.yaml), then localhost:8011.
    """
    status, line = ask(place(url or default_address(config), ["/drain"]), "POST")
    if status != _ACCEPTED:
        raise Failure(f"the proxy did not begin draining: {status} {line}", Exit.FINDINGS)
    click.echo(line)
