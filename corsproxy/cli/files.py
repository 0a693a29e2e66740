"""Reads the allowlist file: its location, its bytes, its policy."""

import os
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from select import select
from typing import TYPE_CHECKING, BinaryIO

from corsproxy.cli.failures import Exit, Failure, reason_of
from corsproxy.cli.options import environment_variable
from corsproxy.config.https import CertificateFault
from corsproxy.config.problems import Problem
from corsproxy.config.reader import Reading, read_policy
from corsproxy.config.yaml.document import Document
from corsproxy.config.yaml.source_text import MAX_BYTES
from corsproxy.core.policy import ListenerTls, Tls
from corsproxy.core.source import DEFAULT_FILE, Source
from corsproxy.errors import TlsFileError
from corsproxy.shell.feed.clock import utc_day

if TYPE_CHECKING:
    from corsproxy.config.editing.edits import File


_PATIENCE = 10.0


def default_file(what_to_do: str) -> str:
    """Return the file that CORSPROXY_CONFIG names, or else ./corsproxy.yaml.

    Raises Failure if it is missing; `what_to_do` is the help for the command at hand.
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
    """Return the file's content. Raises Failure with the reason if it cannot be read."""
    with opened(file) as source:
        # One byte over the limit, so that the reader sees that the file is too large.
        return source.read(MAX_BYTES + 1)


@contextmanager
def opened(file: str, patience: float = _PATIENCE) -> Iterator[BinaryIO]:
    """Open a file to be read. Raises Failure with the reason if it cannot be opened or read.

    A pipe is fine, such as a shell's <(...), but one that nothing is written to would block for
    ever: its first byte must come within `patience` seconds.
    """
    try:
        with open(file, "rb", opener=_without_waiting) as source:
            descriptor = source.fileno()
            if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
                if not select([descriptor], [], [], patience)[0]:
                    raise TimeoutError(f"nothing was written to this pipe for {patience:g} s")
                os.set_blocking(descriptor, True)
            yield source
    except (OSError, ValueError) as error:
        message = f"cannot read {file or repr(file)}: {reason_of(error)}"
        raise Failure(message, Exit.USAGE) from None


def _without_waiting(path: str, flags: int) -> int:
    """Open a pipe at once, though nothing writes to it."""
    is_pipe = stat.S_ISFIFO(os.stat(path).st_mode)
    return os.open(path, flags | os.O_NONBLOCK if is_pipe else flags)


def read_source(name: str) -> tuple[bytes, str]:
    """Return the content of a file, or of standard input if `name` is -, and its name for
    messages. Raises Failure if it cannot be read."""
    if name != "-":
        return read_bytes(name), name
    if sys.stdin is None:
        raise Failure("cannot read standard input: it is closed", Exit.USAGE)
    return sys.stdin.buffer.read(MAX_BYTES + 1), "<stdin>"


def rewrite(file: "File", after: bytes) -> None:
    """Write the file's new content. Raises Failure if it cannot be written, or is not as it was
    read."""
    # Imported here: most commands only read.
    from corsproxy.shell.system.saving import SaveError, save

    try:
        save(file.name, after, known=file.content)
    except SaveError as error:
        message = f"{file.name} was left as it is: {error}"
        raise Failure(message, Exit.FINDINGS, error.help) from None


def editable(file: str, day: str | None = None) -> "File":
    """Return the file with what is needed to read it, for `day` or today. Raises Failure if it
    cannot be read."""
    directory = os.path.dirname(os.path.abspath(file))
    # Imported here: serving the file does not need the editor.
    from corsproxy.config.editing.edits import File

    return File(read_bytes(file), file, os.environ, directory, day or utc_day())


def read(
    content: bytes, file: str, environ: Mapping[str, str] | None = None, day: str | None = None
) -> Reading:
    """Return the policy in `content`, the text of `file`, for `day` or today.

    Raises ConfigError. Relative paths in it are resolved against the directory of the
    path as given: that of a mounted ConfigMap, not that of its link targets.
    """
    directory = os.path.dirname(os.path.abspath(file))
    environ = os.environ if environ is None else environ
    return read_policy(content, file, environ, directory, day=day or utc_day())


def read_to_serve(content: bytes | Document, file: str) -> Reading:
    """Like `read`, but also check the files that `tls` names. Raises ConfigError."""
    directory = os.path.dirname(os.path.abspath(file))
    # Routes share settings, and checking the files of each takes tens of milliseconds.
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
    """Return why the files that `tls` names cannot be used; None if they can."""
    if tls.ca_file is None and tls.cert_file is None:
        return None
    # Imported here: OpenSSL takes longer to import than most files take to read.
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
    """Warn about a file that is itself a mount point, as with a volume's `subPath`.

    Such a mount keeps showing the old file when an edit replaces it.
    """
    if not os.path.ismount(os.path.abspath(file)):
        return ()
    message = "the file is mounted by itself, so an edit that replaces it will never arrive here"
    help = "mount the directory that holds it, without `subPath`"
    return (Problem("warning", "mounted-file", message, Source(file), help=help),)
