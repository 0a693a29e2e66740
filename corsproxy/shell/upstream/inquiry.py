"""Asks an upstream outside of any exchange, for `corsproxy explain --ask-upstream`."""

import asyncio
import os
from collections.abc import Callable

from corsproxy.core.explain.without_proxy import Asking, Dialogue, WithoutProxy
from corsproxy.core.messages import ResponseHead
from corsproxy.core.policy import Limits
from corsproxy.errors import UpstreamError
from corsproxy.shell.upstream.connect import Dialer
from corsproxy.shell.upstream.forward_proxy import ForwardProxies
from corsproxy.shell.upstream.pool import UpstreamPools


def inquire(
    dialogue: Dialogue, limits: Limits, tell: Callable[[Asking], None] = lambda _: None
) -> WithoutProxy:
    """Send the dialogue's requests over the proxy's own connections, and return its conclusion.
    Contents are not read. `tell` is called with each request before it is sent.

    Runs its own event loop. Raises StartError if the upstream needs a forward proxy that cannot
    be used.
    """
    return asyncio.run(_inquire(dialogue, limits, tell))


async def _inquire(
    dialogue: Dialogue, limits: Limits, tell: Callable[[Asking], None]
) -> WithoutProxy:
    proxies = ForwardProxies.of_environment(os.environ)
    pools = UpstreamPools(Dialer(proxies))
    try:
        asking = next(dialogue)
        while True:
            proxies.check([asking.route.upstream])
            tell(asking)
            try:
                answer = await _ask(pools, asking, limits)
            except UpstreamError as error:
                asking = dialogue.throw(error)
            else:
                asking = dialogue.send(answer)
    except StopIteration as end:
        judgement: WithoutProxy = end.value
        return judgement
    finally:
        await pools.close()


async def _ask(pools: UpstreamPools, asking: Asking, limits: Limits) -> ResponseHead:
    response = await pools.send(asking.route, asking.request, None, limits)
    head = response.head
    response.abort()
    return ResponseHead(head.status, head.reason, head.fields)
