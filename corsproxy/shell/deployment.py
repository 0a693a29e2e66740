"""Ask a running deployment, ours or any other, over HTTP.

Sends the requests that `core.explain.live` plans, with aiohttp's client, and reads only the
heads of the responses. Redirects are not followed and cookies are not kept.
"""

import asyncio
import re
import ssl
from collections.abc import Sequence
from types import TracebackType

import aiohttp
from yarl import URL

from corsproxy.core.explain.live import Asking, Judgement, call_live
from corsproxy.core.messages import ResponseHead
from corsproxy.core.page_call import PageCall
from corsproxy.errors import StartError
from corsproxy.shell.upstream.connect import reason_of
from corsproxy.shell.upstream.handshake import NOT_TLS

_AT_ONCE = 16
_TIMEOUT_S = 30.0


class Deployment:
    """The deployment at a URL."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> "Deployment":
        self._session = aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S),
            connector=aiohttp.TCPConnector(limit=_AT_ONCE),
            auto_decompress=False,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def judge(self, calls: Sequence[PageCall]) -> list[Judgement]:
        """Make the calls, many at once. Raises StartError if the deployment cannot be asked."""
        return list(await asyncio.gather(*map(self._judge, calls)))

    async def _judge(self, call: PageCall) -> Judgement:
        dialogue = call_live(call)
        async with self._room:
            try:
                asking = next(dialogue)
                while True:
                    asking = dialogue.send(await self._ask(asking))
            except StopIteration as end:
                judgement: Judgement = end.value
                return judgement

    async def _ask(self, asking: Asking) -> ResponseHead:
        headers = [(name.decode("ascii"), value.decode("utf-8")) for name, value in asking.fields]
        try:
            url = URL(self._url + asking.target, encoded=True)
            async with self._session.request(
                asking.method, url, headers=headers, allow_redirects=False
            ) as answer:
                fields = [(name, value) for name, value in answer.raw_headers]
                return ResponseHead(answer.status, (answer.reason or "").encode("latin-1"), fields)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            # A password in the URL is not for a log.
            shown = re.sub("//[^/]*@", "//", self._url)
            reason = _reason(error, is_tls=self._url.startswith("https:"))
            raise StartError(f"cannot ask {shown}: {reason}") from None


def _reason(error: Exception, *, is_tls: bool) -> str:
    """Say why there is no response, as `explain --ask-upstream` does."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return f"the name {error.host} was not found: {reason_of(error.os_error)}"
        case aiohttp.ClientConnectorCertificateError(certificate_error=fault):
            why = fault.verify_message if isinstance(fault, ssl.CertificateError) else str(fault)
            return f"its certificate was not accepted: {why}"
        case aiohttp.ClientConnectorError(os_error=ssl.SSLError() as fault):
            if fault.reason in NOT_TLS:
                return "it does not speak TLS (does the URL need http://?)"
            return f"the TLS handshake failed: {(fault.reason or str(fault)).lower()}"
        case aiohttp.ClientConnectorError(
            os_error=ConnectionResetError() | ConnectionAbortedError() | BrokenPipeError()
        ):
            during = " during the TLS handshake" if is_tls else ""
            return f"it closed the connection{during}"
        case aiohttp.ClientConnectorError():
            return f"the connection failed: {reason_of(error.os_error)}"
        case aiohttp.ServerDisconnectedError():
            return "it closed the connection without answering"
        case aiohttp.ClientResponseError():
            return f"its response is not valid HTTP/1.1: {_fault_of_head(error.message)}"
        case TimeoutError():
            return f"it did not answer within {_TIMEOUT_S:g} s"
        case aiohttp.ClientOSError():
            return reason_of(error)
        case aiohttp.ClientError():
            return str(error) or type(error).__name__
        case _:
            return "this is not a valid URL"


def _fault_of_head(message: str) -> str:
    """Shorten aiohttp's drawing of the head, which points at the fault, to its first line."""
    first = message.partition("\n")[0].rstrip(":")
    return "it begins with something else" if first == "Bad status line" else first


def judge_deployment(url: str, calls: Sequence[PageCall]) -> list[Judgement]:
    """Return what a browser would make of each call to the deployment at `url`.

    Runs its own event loop. Raises StartError if the deployment cannot be asked.
    """

    async def judge() -> list[Judgement]:
        async with Deployment(url) as deployment:
            return await deployment.judge(calls)

    return asyncio.run(judge())
