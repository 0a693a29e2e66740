"""The short way to read a head: it repeats an earlier one, all but the target.

What the parser has accepted once, it would accept again: so the same bytes around another
target need no parser, where the target has none but the usual characters.
"""

import re
from typing import Final

from corsproxy.core.messages import RequestHead
from corsproxy.core.precedent import Precedent
from corsproxy.shell.client.message import RequestMessage

HEAD_END: Final = b"\r\n\r\n"
_VERSION: Final = b" HTTP/1.1\r\n"
# What an idle connection costs for it, twice over.
_LONGEST: Final = 4 * 1024
# An absolute path with its query (RFC 3986, 3.3 and 3.4): no parser reads anything else in it.
_PATH: Final = re.compile(rb"/[A-Za-z0-9\-._~!$&'()*+,;=:@%/?]*")


class HeadPattern:
    """What a head has before its target, and behind it."""

    __slots__ = ("_before", "_behind", "_first", "_precedent")

    def __init__(self, before: bytes, behind: bytes, first: RequestHead) -> None:
        self._before: Final = before
        self._behind: Final = behind
        self._first: Final = first
        self._precedent: Final = Precedent()

    def read(self, head: bytes) -> RequestMessage | None:
        """Return the request whose head these bytes are, if they are such a head."""
        before, behind, first = self._before, self._behind, self._first
        end = len(head) - len(behind)
        if end <= len(before) or not head.endswith(behind) or not head.startswith(before):
            return None
        target = head[len(before) : end]
        if target != first.target and (len(head) > _LONGEST or _PATH.fullmatch(target) is None):
            return None
        request = RequestHead(first.method, target, first.fields, 1, first.client, first.secure)
        return RequestMessage(request, precedent=self._precedent)


def pattern_of(head: bytes, message: RequestMessage) -> HeadPattern | None:
    """Return the pattern of a request without content that was read from these bytes; None
    where others cannot be like it."""
    first = message.head
    before = first.method.encode("ascii") + b" "
    end = len(before) + len(first.target)
    if (
        len(head) > _LONGEST
        or message.upgrade
        or message.should_close
        or not head.startswith(before + first.target + _VERSION)
        # Behind the end of another, they would be two requests.
        or head.find(HEAD_END) != len(head) - len(HEAD_END)
    ):
        return None
    return HeadPattern(before, head[end:], first)


def end_of_head(data: bytes, begin: int) -> int:
    """Return where the head that begins there ends, or all of `data` where it does not.

    The parser forgets the requests that it got together with bytes that are none, so a head
    is the last thing that it gets at once.
    """
    end = data.find(HEAD_END, begin)
    return len(data) if end < 0 else end + len(HEAD_END)
