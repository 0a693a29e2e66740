"""Every failure that users and peers can cause, by name.

    CorsproxyError
      ConfigError       the allowlist file is refused; holds every problem in it
      StartError        the server could not start (a port is taken)
        TlsFileError    a file that `tls` names is missing or unusable
      UpstreamError     the upstream could not be asked, or its response could not be used

Each has its counterpart in an exit code or an HTTP response. A bug raises something else.
"""

from enum import StrEnum


class CorsproxyError(Exception):
    """The base class."""


class ConfigError(CorsproxyError):
    """A configuration is refused; its text says why, as `corsproxy check` does.

    The exception raised is `config.problems.ConfigError`, which lists the problems.
    """


class StartError(CorsproxyError):
    """The server could not start. The message is one clear sentence; exit code 3."""


class TlsFileError(StartError):
    """A file that `tls` names is missing or unusable.

    `key` is the key that names it, `path` where it was looked for, `reason` says why.
    """

    def __init__(self, key: str, path: str, reason: str) -> None:
        super().__init__(f"tls.{key} {path} cannot be used: {reason}")
        self.key = key
        self.path = path
        self.reason = reason


class UpstreamFault(StrEnum):
    """What went wrong with an upstream; also a `code` of the answer and of the log."""

    UNREACHABLE = "upstream-unreachable"  # refused, no route, socket file missing
    DNS = "upstream-name-not-found"
    TLS = "upstream-tls-failed"
    CLOSED = "upstream-closed"  # the connection ended before a whole head
    MALFORMED = "upstream-malformed"  # not HTTP/1.1, bad framing, forbidden bytes
    HEAD_TOO_LARGE = "upstream-head-too-large"
    CONNECT_TIMEOUT = "upstream-connect-timeout"
    RESPONSE_TIMEOUT = "upstream-response-timeout"  # no head in time
    IDLE_TIMEOUT = "upstream-idle-timeout"  # the body stalled
    TRUNCATED = "upstream-truncated"  # the body ended early
    PROXY_AUTH = "upstream-proxy-authentication"  # a 407
    CONNECTION_AUTH = "connection-authentication"  # bound to one client on a shared connection
    NO_DESCRIPTOR = "no-descriptor"  # this process may open no more connections
    BUSY = "upstream-busy"  # too many requests in flight, and the queue timed out


class UpstreamCause(StrEnum):
    """The cause of a failure, if it decides the advice and the fault does not."""

    NOT_TLS = "not-tls"  # the upstream answers TLS with something else
    WANTS_TLS = "wants-tls"  # the upstream answers plain text with TLS
    UNTRUSTED = "certificate-untrusted"  # self-signed, or from an untrusted authority
    WRONG_NAME = "certificate-name"
    EXPIRED = "certificate-expired"  # or not valid yet
    CLIENT_CERTIFICATE = "client-certificate"  # the upstream wants one
    HTTP2 = "http2"  # the upstream speaks nothing older
    NOT_HTTP = "not-http"
    BAD_HTTP = "bad-http"  # HTTP, with a fault
    CUT_HEAD = "cut-head"  # HTTP, but the connection ended before the head did


class UpstreamError(CorsproxyError):
    """The upstream could not be asked, or its response could not be used.

    `fault` says what happened and decides the status; `detail` is one sentence for people: no
    secrets, no addresses that the file does not already name. `cause` selects the hint.
    """

    def __init__(
        self, fault: UpstreamFault, detail: str, cause: UpstreamCause | None = None
    ) -> None:
        super().__init__(f"{fault}: {detail}")
        self.fault = fault
        self.detail = detail
        self.cause = cause
