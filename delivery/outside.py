"""How is a request made to an address that somebody typed, without reaching into our own house?

Owns the one POST to the outside. The promises: the name is looked up once and the connection goes to that very
address, so a second answer of the name server cannot lead elsewhere; addresses that are not public (loopback, private,
link-local and the like) are refused unless a setting names their network; plain http goes to such networks only; no
redirect is followed; an answer is read up to a bound, and nothing takes longer than the patience.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from core.settings import Network

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

PATIENCE_SECONDS = 5.0
LONGEST_ANSWER = 2_000


class Refused(Exception):
    """We do not call this address, and say why; nothing has left the house."""


@dataclass(frozen=True)
class Reply:
    """What came back: a status and the beginning of its text; None: nobody can tell whether it arrived."""

    status: int | None
    text: str


def post(
    url: str, body: bytes, headers: Mapping[str, str], *, allowed: Sequence[Network] = (),
    patience_seconds: float = PATIENCE_SECONDS,
) -> Reply:
    """Send the body once. Raises Refused when the address may not be called, or nobody listens there."""
    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    address = _looked_up(host, port, allowed, secure=secure)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        link = socket.create_connection((str(address), port), timeout=patience_seconds)
    except OSError as error:
        raise Refused(f"nobody listens there ({error.strerror or type(error).__name__})") from error
    try:
        if secure:
            link = ssl.create_default_context().wrap_socket(link, server_hostname=host)
    except (OSError, ValueError) as error:
        link.close()
        raise Refused(f"its certificate cannot be trusted, or it speaks no TLS ({type(error).__name__})") from error
    wire = http.client.HTTPConnection(host, port, timeout=patience_seconds)
    wire.sock = link
    # The patience is for each piece of an answer; who sends it letter by letter is cut off in the end.
    end = threading.Timer(2 * patience_seconds, link.close)
    end.start()
    try:
        wire.request("POST", path, body=body, headers={**headers, "Connection": "close"})
        answer = wire.getresponse()
        return Reply(answer.status, answer.read(LONGEST_ANSWER).decode("utf-8", "replace"))
    except (OSError, ValueError, http.client.HTTPException) as error:
        return Reply(None, f"no answer ({type(error).__name__})")
    finally:
        end.cancel()
        wire.close()


def _looked_up(host: str, port: int, allowed: Sequence[Network], *, secure: bool) -> Address:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Refused("there is no such host") from error
    addresses = [ipaddress.ip_address(str(each[4][0]).partition("%")[0]) for each in found]
    # All of them must be fit: a name that also leads into the house is not to be trusted at all.
    for address in addresses:
        plain = _unwrapped(address)
        if any(plain.version == network.version and plain in network for network in allowed):
            continue
        if not plain.is_global or plain.is_multicast or plain.is_reserved:
            raise Refused("its address is not public; WINBACK_PRIVATE_RECEIVERS names networks that may be called")
        if not secure:
            raise Refused("a public address is called by https only")
    return addresses[0]


def _unwrapped(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one (mapped, 6to4, NAT64), because that is where the packet goes."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return inner or address
    return address
