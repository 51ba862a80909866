"""How does the demo let a marketer redeem by hand?

Owns starting the example shop beside the builder: its connection, its key (kept in the home, so that a second run makes
no other) and the surroundings of its process. Without the examples folder there is no shop and the demo goes on.
"""

import json
import os
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import select

from core.clock import wall_now
from coupons.models import Code
from customers.models import Customer
from web.security.keys import issue_key, key_of
from web.shops.connections import create_connection, current_secret, list_connections
from winback.context import Context
from winback.demo.plot import Plot
from winback.demo.story import free_port

LABEL = "example"
PROGRAM = Path(__file__).parent.parent.parent / "examples" / "shop" / "app.py"


@dataclass(frozen=True)
class Beside:
    """A process beside Winback's own: its name, its command and what its environment holds on top."""

    name: str
    command: list[str]
    environment: dict[str, str]


def example_shop(
    context: Context, plot: Plot, *, winback_url: str, port: int | None = None
) -> tuple[Beside, str] | None:
    """The shop's process and the address it will have; None where the examples are not installed."""
    if not PROGRAM.is_file():
        return None
    now = context.now()
    chosen = port or free_port()
    address = f"http://127.0.0.1:{chosen}"
    public_id, secret = _connection(context, plot, address, now)
    environment = {
        "SHOP_WINBACK": winback_url, "SHOP_KEY": _key(context, now), "SHOP_LABEL": LABEL, "SHOP_SECRET": secret,
        "SHOP_HOOK": f"{winback_url}/hooks/standard/{public_id}", "SHOP_CURRENCY": plot.currency,
        "SHOP_CATEGORY": plot.categories[0],
        # Orders have to lie in the demo's own time, which has left wall time behind.
        "SHOP_CLOCK_OFFSET_SECONDS": str((now - wall_now()).total_seconds()),
    }
    return Beside("shop", [sys.executable, str(PROGRAM), "--port", str(chosen)], environment), address


def code_to_try(context: Context) -> tuple[str, str] | None:
    """A live code and its holder's number; None when all are used or over."""
    now = context.now()
    with context.database.reading() as session:
        row = session.execute(
            select(Code.code, Customer.external_id).join(Customer, Customer.id == Code.customer_id)
            .where(Code.state == "issued", Code.valid_from <= now, Code.valid_until > now)
            .order_by(Code.id.desc()).limit(1)).one_or_none()
    return None if row is None else (row[0], row[1])


def _connection(context: Context, plot: Plot, address: str, now: datetime) -> tuple[str, str]:
    """The shop's connection and secret; its address moves with the port, and with it where codes lead."""
    secret_key = context.settings.secret_key
    with context.database.writing() as session:
        for found in list_connections(session):
            if found.shop == LABEL:
                found.shop_url = address
                return found.public_id, current_secret(found, secret_key=secret_key)
        made, secret = create_connection(session, "standard", name="Example shop", shop=LABEL, zone="UTC",
                                         currency=plot.currency, shop_url=address, secret_key=secret_key, now=now)
        return made.public_id, secret


def _key(context: Context, now: datetime) -> str:
    path = context.settings.home / "example-shop.json"
    if path.is_file():
        kept = str(json.loads(path.read_text(encoding="ascii"))["key"])
        if key_of(context.database, kept) is not None:
            return kept
    with context.database.writing() as session:
        key = issue_key(session, "example shop", scopes=["redemptions"], now=now)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        json.dump({"key": key}, file)
    return key
