"""The places of keys."""

from corsproxy.config.places import read_places

FILE = """\
upstream: http://127.0.0.1:9
limits:
  body: 1MiB
routes:
  - path: /a
    tls: {verify: false}
"""


def test_keys_of_the_file_and_of_its_routes() -> None:
    found = {path: source.line for path, source in read_places(FILE, "a.yaml").items()}
    assert found == {
        "upstream": 1,
        "limits": 3,
        "limits.body": 3,
        "routes": 5,
        "routes[0]": 5,
        "routes[0].path": 5,
        "routes[0].tls": 6,
    }
