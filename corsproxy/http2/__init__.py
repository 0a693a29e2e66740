"""HTTP/2 (RFC 9113) of a server, without I/O: bytes in, events out, and bytes to send.

The states of streams and the windows of flow control are the `h2` library's. Around it is what a
proxy to HTTP/1.1 needs and that library leaves to others: which requests are well-formed, what
each peer may cost, and a coding of fields that costs little.
"""
