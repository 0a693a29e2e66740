"""Origins, and bytes that are almost origins."""

from hypothesis import strategies as st

from corsproxy.core.origins import Origin

# Few and alike, so that sets of entries and origins often meet.
LABELS = st.sampled_from(["a", "b", "pr-1", "pr-22", "pr-", "x-app", "my_app", "www", "xn--p1ai"])
DOMAINS = st.sampled_from(["example.com", "test", "a.example.com", "example.org", "localhost"])
SCHEMES = st.sampled_from(["http", "https"])
PORTS = st.sampled_from([None, 1, 8080, 3000, 65535])


@st.composite
def origins(draw: st.DrawFn) -> Origin:
    labels = draw(st.lists(LABELS, max_size=3))
    host = ".".join([*labels, draw(DOMAINS)])
    host = draw(st.sampled_from([host, host, host, host, "127.0.0.1", "[::1]"]))
    return Origin(draw(SCHEMES), host, draw(PORTS))


@st.composite
def near_origins(draw: st.DrawFn) -> bytes:
    """An origin with some of its bytes changed, doubled or gone."""
    value = str(draw(origins())).encode()
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(value)))
        piece = draw(st.binary(max_size=2) | st.sampled_from([b".", b":", b"/", b"*", b"@", b"["]))
        value = value[:at] + piece + value[at + draw(st.integers(0, 1)) :]
    return value
