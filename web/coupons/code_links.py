"""Where does a code lead when somebody scans it?

Owns the link behind every QR code of our pages and posters: the basket link of a connected shop, which applies the
code; without one the shop's address with the code behind it, as letters print it; without that the code itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from sqlalchemy.orm import Session

from delivery.channels.letter import code_link
from delivery.profile import get_profile
from web.shops.connections import basket_link, list_connections
from web.shops.models import ShopConnection


@dataclass(frozen=True)
class CodeLink:
    """What a code's square holds. `shop` is the connection whose basket it opens, by its id; `shops` can be chosen."""

    text: str
    words: str
    shop: str | None
    shops: Sequence[tuple[str, str]]


def link_of(session: Session, code: str, *, only: Sequence[str] = (), shop: str | None = None) -> CodeLink:
    """The link of a code at the shop asked for, or else at the first that has an address.

    `only`: the labels of the shops that know the code; empty: all do.
    """
    connected = [each for each in list_connections(session)
                 if each.archived_at is None and each.shop_url and (not only or each.shop in only)]
    shops = [(each.public_id, each.name) for each in connected]
    chosen: ShopConnection | None = next((each for each in connected if each.public_id == shop),
                                         connected[0] if connected else None)
    if chosen is not None:
        return CodeLink(basket_link(chosen, quote(code, safe="")), f"opens {chosen.name} with the code applied",
                        chosen.public_id, shops)
    plain = code_link(get_profile(session).shop_url, code)
    if plain:
        return CodeLink(plain, "opens the shop’s address with the code behind it, as letters do", None, shops)
    return CodeLink(code, "holds the code itself: no shop with an address is connected", None, shops)
