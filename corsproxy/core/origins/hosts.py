"""Hosts as origins carry them (URL, "host serializing"), and who may register under them.

The grammar is stricter than the URL standard's where that is safe: a host that browsers
would accept and this module does not is never allowed by a pattern.
"""

import re
import unicodedata
from ipaddress import AddressValueError, IPv4Address, IPv6Address

MAX_HOST_LENGTH = 253
MAX_LABEL_LENGTH = 63

LABEL = r"[a-z0-9_-]{1,63}"
"""One label. Underscores are outside the host name grammar of RFC 952 but occur in
practice, and browsers send them; leading and trailing hyphens likewise."""

DOMAIN = rf"(?:{LABEL}\.)*{LABEL}"

ACE = "xn--"
"""What a label in punycode begins with (RFC 5890, 2.3.2.5)."""

# UTS 46: these two are valid although they fold to other letters, and control characters,
# surrogates, private and white space are not.
_KEPT_UNFOLDED = "ßς"
_NEVER_IN_NAMES = frozenset({"Cc", "Cs", "Co", "Zl", "Zp", "Zs"})

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")
_DIGITS = frozenset("0123456789")
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")

# IDNA's other full stops (UTS 46, mapped to U+002E).
_FULL_STOPS = str.maketrans({"\u3002": ".", "\uff0e": ".", "\uff61": "."})

# fmt: off
# RFC 6761, RFC 6762 (3 and appendix G) and ICANN's reservation of "internal": top-level
# names under which strangers cannot register.
_PRIVATE_TOP_LEVELS = frozenset(
    {
        "localhost", "local", "test", "example", "invalid", "internal", "intranet", "private",
        "corp", "home", "lan",
    }
)

# An excerpt of the Public Suffix List. Registries sell names under these ...
_REGISTRY_SUFFIXES = frozenset(
    {
        "ac.uk", "co.uk", "gov.uk", "ltd.uk", "me.uk", "net.uk", "org.uk", "plc.uk", "asn.au",
        "com.au", "edu.au", "id.au", "net.au", "org.au", "ac.nz", "co.nz", "net.nz", "org.nz",
        "ac.jp", "ad.jp", "co.jp", "go.jp", "ne.jp", "or.jp", "ac.kr", "co.kr", "go.kr",
        "ne.kr", "or.kr", "com.br", "net.br", "org.br", "com.ar", "com.mx", "com.co", "com.pe",
        "com.tr", "com.ua", "com.pl", "net.pl", "org.pl", "ac.in", "co.in", "firm.in", "gen.in",
        "ind.in", "net.in", "org.in", "com.cn", "net.cn", "org.cn", "com.hk", "com.tw",
        "com.sg", "com.my", "com.ph", "com.vn", "co.id", "co.th", "co.il", "org.il", "co.za",
        "org.za", "com.ng", "co.ke", "com.eg", "com.sa",
    }
)

# ... and platforms give them to everyone who signs up.
_PLATFORM_SUFFIXES = frozenset(
    {
        "github.io", "gitlab.io", "bitbucket.io", "vercel.app", "now.sh", "netlify.app",
        "pages.dev", "workers.dev", "web.app", "firebaseapp.com", "run.app", "appspot.com",
        "cloudfunctions.net", "herokuapp.com", "onrender.com", "fly.dev", "railway.app",
        "up.railway.app", "deno.dev", "surge.sh", "glitch.me", "repl.co", "replit.app",
        "replit.dev", "csb.app", "stackblitz.io", "webcontainer.io", "gitpod.io",
        "app.github.dev", "githubpreview.dev", "azurewebsites.net", "azurestaticapps.net",
        "cloudapp.net", "cloudfront.net", "amplifyapp.com", "elasticbeanstalk.com",
        "s3.amazonaws.com", "ngrok.io", "ngrok.app", "ngrok-free.app", "ngrok.dev",
        "trycloudflare.com", "loca.lt", "myshopify.com", "wixsite.com", "webflow.io",
        "blogspot.com", "wordpress.com", "tumblr.com", "neocities.org", "lovable.app",
        "bolt.host",
    }
)
# fmt: on


def is_web_host(host: str) -> bool:
    """Whether `host`, which has the form of a DOMAIN or of an address in brackets, is
    what a URL parser would leave as it is."""
    if host[0] == "[":
        return canonical_ipv6(host[1:-1]) == host[1:-1]
    if ends_in_number(host):
        return is_ipv4(host)
    return len(host) <= MAX_HOST_LENGTH and (ACE not in host or has_true_names(host))


def has_true_names(host: str) -> bool:
    """Whether every label in punycode stands for a name that it is the only form of. Browsers
    refuse a URL with any other (UTS 46, "validity criteria")."""
    return all(_is_true_name(label) for label in host.split(".") if label.startswith(ACE))


def _is_true_name(label: str) -> bool:
    try:
        name = label.removeprefix(ACE).encode("ascii").decode("punycode")
    except UnicodeError:
        return False
    if name.isascii() or unicodedata.normalize("NFKC", name) != name:
        return False
    kinds = [unicodedata.category(each) for each in name]
    if kinds[0][0] == "M" or not _NEVER_IN_NAMES.isdisjoint(kinds):
        return False
    is_folded = all(each in _KEPT_UNFOLDED or _folded(each) == each for each in name)
    return is_folded and ACE + name.encode("punycode").decode("ascii") == label


def _folded(character: str) -> str:
    # The case folding of U+0390, a letter of its own, is three characters until they are composed.
    return unicodedata.normalize("NFKC", character.casefold())


def ends_in_number(host: str) -> bool:
    """Whether a URL parser takes `host` for an IPv4 address (URL, "ends in a number")."""
    start = host.rfind(".") + 1
    return host[start : start + 1] in _DIGITS and _NUMBER.fullmatch(host, start) is not None


def is_ipv4(host: str) -> bool:
    """Whether `host` is a dotted IPv4 address as origins carry it: four plain decimals."""
    return _IPV4.fullmatch(host) is not None


def canonical_ipv4(host: str) -> str | None:
    """The address that a URL parser makes of `host` ("0x7f.1" is 127.0.0.1), or None."""
    parts = host.split(".")
    if len(parts) > 4 or not all(_NUMBER.fullmatch(part) for part in parts):
        return None
    try:
        *high, low = (
            int(part[2:] or "0", 16) if part[:2] == "0x" else int(part, 8 if part[0] == "0" else 10)
            for part in parts
        )
        number = low
        for index, octet in enumerate(high):
            if octet > 255:
                return None
            number += octet << (24 - 8 * index)
        if low >= 256 ** (5 - len(parts)):
            return None
        return str(IPv4Address(number))
    except ValueError:
        return None


def canonical_ipv6(address: str) -> str | None:
    """An IPv6 address (without brackets) as origins carry it, or None if it is none.

    Zones never are: an origin has no interface.
    """
    if "%" in address:
        return None
    try:
        parsed = IPv6Address(address)
    except AddressValueError:
        return None
    mapped = parsed.ipv4_mapped
    if mapped is None:
        return parsed.compressed
    # Browsers write the last 32 bits as two pieces; Python 3.13 and later do not.
    low = int(mapped)
    return f"::ffff:{low >> 16:x}:{low & 0xFFFF:x}"


def is_loopback(host: str) -> bool:
    """Whether `host` (IPv6 in brackets) is this machine by name or number.

    "localhost" and all names under it are (RFC 6761, 6.3); browsers hold them
    potentially trustworthy over plain http (Secure Contexts, 3.1).
    """
    return (
        host == "localhost"
        or host.endswith(".localhost")
        or host == "[::1]"
        or (host.startswith("127.") and is_ipv4(host))
    )


def is_registry_suffix(domain: str) -> bool:
    """Whether names directly under `domain` are sold: a top-level domain, or "co.uk"."""
    if "." in domain:
        return domain in _REGISTRY_SUFFIXES
    return domain not in _PRIVATE_TOP_LEVELS


def is_public_suffix(domain: str) -> bool:
    """Whether strangers get names directly under `domain`, bought or by signing up.

    From a short built-in excerpt of the Public Suffix List; every unknown top-level
    domain counts, as the list's own default rule says.
    """
    return is_registry_suffix(domain) or domain in _PLATFORM_SUFFIXES


def to_punycode(host: str) -> str:
    """`host` in the ASCII form that browsers send.

    Near enough to UTS 46 (non-transitional) to be a suggestion, never a decision.
    """
    mapped = unicodedata.normalize("NFKC", host.translate(_FULL_STOPS).lower()).lower()
    return ".".join(
        label if label.isascii() else ACE + label.encode("punycode").decode("ascii")
        for label in mapped.split(".")
    )
