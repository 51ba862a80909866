"""What was sold, and what does Winback still have to hear of it? Orders are kept in memory.

An order never waits for Winback. What could not be told is told before the next order, in the order in which it
happened; a redemption without an answer is asked for again under its key and taken back.
"""

import copy
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from goods import Article
from winback_client import Winback

Order = dict[str, Any]
Customer = dict[str, str]
Basket = list[tuple[Article, int]]

OUT_OF_REACH = "Codes cannot be checked right now"
_OURS_ALONE = ("redemption", "note")


@dataclass
class Books:
    """The shop's orders by number, beside the client that tells them."""

    winback: Winback
    currency: str
    clock_offset_seconds: float = 0
    orders: dict[str, Order] = field(default_factory=dict)
    untold: list[tuple[str, Order, str]] = field(default_factory=list)
    unsure: list[tuple[str, Order, Customer | None]] = field(default_factory=list)

    def now(self) -> str:
        """The shop's time; a demo's lies in another one than the wall's."""
        return (datetime.now(UTC) + timedelta(seconds=self.clock_offset_seconds)).isoformat()

    def draft(self, number: str, basket: Basket) -> Order:
        """The order that this basket would be."""
        lines = [{"sku": each.sku, "product": each.name, "category": each.category, "brand": each.brand,
                  "quantity": count, "unit_price_cents": each.price_cents, "returned_quantity": 0}
                 for each, count in basket]
        total = sum(line["quantity"] * line["unit_price_cents"] for line in lines)
        return {"id": number, "ordered_at": self.now(), "modified_at": self.now(), "status": "paid",
                "currency": self.currency, "total_cents": total, "lines": lines, "coupons": []}

    def check(self, code: str, order: Order, customer: Customer | None) -> tuple[str, int]:
        """What a code would do, in words, and what it would take off; changes nothing."""
        if not code:
            return "Enter a code.", 0
        answer = self.winback.validate(code, order, customer)
        if answer is None:
            return f"{OUT_OF_REACH}.", 0
        status, said = answer
        if status == 200 and said.get("valid"):
            return "The code fits.", said["discount_cents"]
        return f"The code does not fit: {said.get('detail') or said.get('reason')}.", 0

    def sell(self, order: Order, code: str, customer: Customer | None, email: str | None) -> str | None:
        """Redeem the code, book the order and tell Winback; returns why not, and nothing is sold then."""
        if code:
            answer = self.winback.redeem(code, order, customer)
            if answer is None:
                order["note"] = f"{OUT_OF_REACH}; you paid the full price."
                self.unsure.append((code, copy.deepcopy(order), customer))
            elif answer[0] in (200, 201):
                order["redemption"] = answer[1]["id"]
                order["coupons"] = [{"code": code, "discount_cents": answer[1]["discount_cents"]}]
            else:
                return str(answer[1].get("detail", "The code was not accepted."))
        order["customer"] = {**(customer or {}), "email": email}
        self.orders[order["id"]] = order
        self._tell("order.created", order)
        return None

    def cancel(self, order: Order) -> None:
        """Call an order off: its code is free again."""
        if order["status"] == "cancelled":
            return
        order["status"] = "cancelled"
        if "redemption" in order:
            self.winback.roll_back(order["redemption"])
        self._tell("order.cancelled", order)

    def send_back(self, order: Order, sku: str) -> None:
        """One piece of a line comes back; Winback takes its part of the discount back."""
        for line in order["lines"]:
            if line["sku"] == sku and line["returned_quantity"] < line["quantity"]:
                line["returned_quantity"] += 1
                self._tell("order.refunded", order)
                return

    def _tell(self, topic: str, order: Order) -> None:
        """Tell the whole order as it now stands, after all that could not be told before."""
        self._settle()
        order["modified_at"] = self.now()
        told = copy.deepcopy({name: value for name, value in order.items() if name not in _OURS_ALONE})
        self.untold.append((topic, told, f"msg_{uuid.uuid4().hex}"))
        while self.untold and self.winback.tell(*self.untold[0]):
            self.untold.pop(0)

    def _settle(self) -> None:
        """A request without an answer may have redeemed: the same key asks again, and what was sold without it goes
        back."""
        while self.unsure:
            again = self.winback.redeem(*self.unsure[0])
            if again is None or (again[0] in (200, 201) and self.winback.roll_back(again[1]["id"]) is None):
                return
            self.unsure.pop(0)
