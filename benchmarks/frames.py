"""WebSocket frames of benchmark size (RFC 6455, 5.2): one text message, one frame.

Both ends of the benchmark know their messages, so only lengths must be read. The client masks
with the key 0, which is legal, and costs the ends nothing and a proxy the same.
"""

MASK_KEY = bytes(4)


def client_frame(payload: bytes) -> bytes:
    """Return `payload` as a masked text frame. It must be shorter than 126 bytes."""
    return bytes((0x81, 0x80 | len(payload))) + MASK_KEY + payload


def server_frame(payload: bytes) -> bytes:
    """Return `payload` as an unmasked text frame. It must be shorter than 126 bytes."""
    return bytes((0x81, len(payload))) + payload


def split_frames(received: bytes) -> tuple[list[bytes], bytes]:
    """Return the payloads of the complete client frames in `received`, and the rest.

    Raises ValueError for anything but a short masked text frame.
    """
    payloads = []
    at = 0
    while len(received) - at >= 6:
        end = at + 6 + (received[at + 1] & 0x7F)
        if received[at] != 0x81 or received[at + 1] < 0x80 or received[at + 1] > 0xFD:
            raise ValueError(f"not a short masked text frame: {received[at : at + 2].hex()}")
        if len(received) < end:
            break
        key, payload = received[at + 2 : at + 6], received[at + 6 : end]
        # A proxy that parses frames masks them again with its own key.
        payloads.append(payload if key == MASK_KEY else _unmask(key, payload))
        at = end
    return payloads, received[at:]


def _unmask(key: bytes, payload: bytes) -> bytes:
    return bytes(byte ^ key[index % 4] for index, byte in enumerate(payload))
