"""Reading the allowlist file: where it is, its bytes, its policy."""

import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

from corsproxy.cli.failures import Exit, Failure
from corsproxy.cli.options import environment_variable
from corsproxy.config.https import CertificateFault
from corsproxy.config.problems import Problem
from corsproxy.config.reader import Reading, read_policy
from corsproxy.config.yaml.source_text import MAX_BYTES
from corsproxy.core.policy import ListenerTls, Tls
from corsproxy.core.source import DEFAULT_FILE, Source
from corsproxy.errors import TlsFileError
from corsproxy.shell.feed.clock import utc_day

if TYPE_CHECKING:
    from corsproxy.config.editing.edits import File


def default_file(what_to_do: str) -> str:
    """Return the file that CORSPROXY_CONFIG names, or else ./corsproxy.yaml.

    Raises Failure where that is missing; `what_to_do` is what helps the command then.
    """
    named = os.environ.get(environment_variable("--config"))
    if named:
        return named
    if not os.path.lexists(DEFAULT_FILE):
        raise Failure(
            f"there is no {DEFAULT_FILE} in this directory",
            Exit.USAGE,
            what_to_do,
        )
    return DEFAULT_FILE


def read_bytes(file: str) -> bytes:
    """Return the file's content; raises Failure with the reason where it cannot be read."""
    try:
        with open(file, "rb") as source:
            # One byte more than the reader takes tells it that the file is too large.
            return source.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        message = f"cannot read {file or repr(file)}: {reason[:1].lower()}{reason[1:]}"
        raise Failure(message, Exit.USAGE) from None


def read_source(name: str) -> tuple[bytes, str]:
    """Return the content of a file, or of standard input where `name` is -, and what messages
    call it; raises Failure where it cannot be read."""
    if name != "-":
        return read_bytes(name), name
    if sys.stdin is None:
        raise Failure("cannot read standard input: it is closed", Exit.USAGE)
    return sys.stdin.buffer.read(MAX_BYTES + 1), "<stdin>"


def editable(file: str, day: str | None = None) -> "File":
    """Return the file with what reading it needs, for `day` or today; raises Failure where it
    cannot be read."""
    directory = os.path.dirname(os.path.abspath(file))
    # Serving the file does not need the editor.
    from corsproxy.config.editing.edits import File

    return File(read_bytes(file), file, os.environ, directory, day or utc_day())


def read(content: bytes, file: str, environ: Mapping[str, str] | None = None) -> Reading:
    """Return the policy in `content`, which is what `file` holds.

    Raises ConfigError. Relative paths in it are resolved against the directory of the
    path as given: that of a mounted ConfigMap, not of what its links point to.
    """
    directory = os.path.dirname(os.path.abspath(file))
    environ = os.environ if environ is None else environ
    return read_policy(content, file, environ, directory, day=utc_day())


def read_to_serve(content: bytes, file: str) -> Reading:
    """Like `read`, and the files that `tls` names are of use too. Raises ConfigError."""
    directory = os.path.dirname(os.path.abspath(file))
    # Routes share settings, and looking at the files of each takes tens of milliseconds.
    return read_policy(
        content,
        file,
        os.environ,
        directory,
        cache(tls_fault),
        check_certificate=_certificate_faults,
        day=utc_day(),
    )


def tls_fault(tls: Tls) -> TlsFileError | None:
    """Return why the files that `tls` names cannot be used; None where they can."""
    if tls.ca_file is None and tls.cert_file is None:
        return None
    # OpenSSL takes longer to import than most files to be read.
    from corsproxy.shell.upstream.upstream_tls import check_tls

    try:
        check_tls(tls)
    except TlsFileError as error:
        return error
    return None


def _certificate_faults(tls: ListenerTls) -> Sequence[CertificateFault]:
    from corsproxy.shell.certificates.files import faults

    return faults(tls, datetime.now(UTC))


def mount_warnings(file: str) -> tuple[Problem, ...]:
    """Warn of a file that is a mount of its own, as with a volume's `subPath`.

    Such a mount goes on showing the old file when an edit replaces it.
    """
    if not os.path.ismount(os.path.abspath(file)):
        return ()
    message = "the file is mounted by itself, so an edit that replaces it will never arrive here"
    help = "mount the directory that holds it, without `subPath`"
    return (Problem("warning", "mounted-file", message, Source(file), help=help),)
