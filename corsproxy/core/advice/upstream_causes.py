"""What to do about a failing upstream, where the cause is known more precisely than its code."""

from typing import Final, NamedTuple

from corsproxy.errors import UpstreamCause


class Advice(NamedTuple):
    """What to do: where a file names the upstream, and where the command line does.

    `{upstream}` is what names it.
    """

    file: str
    flags: str


def _both(text: str) -> Advice:
    return Advice(text, text)


ADVICE: Final[dict[UpstreamCause, Advice]] = {
    UpstreamCause.NOT_TLS: _both(
        "That port does not seem to speak TLS: {upstream} should begin with http://, or name the"
        " port that is https."
    ),
    UpstreamCause.WANTS_TLS: _both("That port wants TLS: {upstream} should begin with https://."),
    UpstreamCause.UNTRUSTED: Advice(
        "For a self-signed certificate, or one of a private authority, set `tls: {{ca_file:"
        " cert.pem}}` on its route under `routes`, or the environment variable SSL_CERT_FILE."
        " `tls: {{verify: false}}` accepts any certificate; use it in development only.",
        "For a self-signed certificate, or one of a private authority, add --ca-file FILE, or set"
        " the environment variable SSL_CERT_FILE. To accept any certificate, in development only,"
        " {insecure}",
    ),
    UpstreamCause.WRONG_NAME: Advice(
        "The certificate is for another host: check the name in {upstream}, or set `tls:"
        " {{server_name: ...}}` on its route under `routes` to a name that the certificate has.",
        "The certificate is for another host: check the name in {upstream}. To accept any"
        " certificate, in development only, {insecure}",
    ),
    UpstreamCause.EXPIRED: Advice(
        "Renew the upstream's certificate, and check this machine's clock. `tls: {{verify: false}}`"
        " accepts any certificate; use it in development only.",
        "Renew the upstream's certificate, and check this machine's clock. To accept any"
        " certificate, in development only, {insecure}",
    ),
    UpstreamCause.CLIENT_CERTIFICATE: Advice(
        "The upstream asks for a client certificate that it accepts: set `tls: {{cert_file:"
        " client.pem, key_file: client-key.pem}}` on its route under `routes`.",
        "The upstream asks for a client certificate that it accepts: {set}tls: {{cert_file:"
        " client.pem, key_file: client-key.pem}}{end}",
    ),
    UpstreamCause.HTTP2: _both(
        "corsproxy speaks HTTP/1.1 to upstreams: let the server accept it too (`http/1.1` in"
        " ALPN), or put a proxy that speaks both in between."
    ),
    UpstreamCause.NOT_HTTP: _both("Check the port in {upstream}: what answers there is not HTTP."),
    UpstreamCause.BAD_HTTP: _both(
        "This is a fault of the upstream's server, or of the code there that writes the response."
        " Clients may disagree about what such a response means, so it is not passed on."
    ),
    UpstreamCause.CUT_HEAD: _both(
        "The upstream's server stopped before the empty line that ends a response's head: its own"
        " log may say why. Fields may be missing, so the response is not passed on."
    ),
}
