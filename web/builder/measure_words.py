"""How is each measure called in the builder, and how does its line read?

Owns one entry per measure of orders, contacts, messages, coupons, events and relations: its name in the list, the verb
before the chip, the unit on the chip, and what joins it to the goods. The promise: a measure of the rule language
without an entry here fails a test (tests/web/test_builder_language.py).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """`label` in the list of measures; a line reads: `verb` [comparison `one` or `several`] `joint` [goods]."""

    label: str
    verb: str = ""
    one: str = ""
    several: str = ""
    joint: str = "of"

    def unit(self, value: object) -> str:
        """The unit after a number."""
        return self.one if value == 1 and not isinstance(value, bool) else self.several or self.one


MEASURE_WORDS: dict[str, dict[str, Words]] = {
    "orders": {
        "count": Words("how often they ordered", "placed", "order", "orders"),
        "per_year": Words("orders a year", "placed", "order a year", "orders a year"),
        "quantity": Words("number of items", "bought", "item", "items"),
        "distinct_products": Words("number of different products", "bought", "different product",
                                   "different products"),
        "open": Words("orders not yet delivered", "have", "open order", "open orders"),
        "revenue": Words("how much they spent", "spent", joint="on"),
        "net_revenue": Words("how much they spent after returns", "spent", "after returns", joint="on"),
        "average_value": Words("average value of an order", "spent", "per order", joint="on"),
        "margin": Words("margin they brought", "brought a margin of", joint="with"),
        "revenue_share": Words("share of their money", "spent", "of their money", joint="on"),
        "discount_share": Words("share saved by discounts", "saved", "by discounts", joint="on"),
        "returned_share": Words("share sent back", "sent back", joint="of what they bought of"),
        "first_at": Words("date of the first order", "ordered first", joint="among"),
        "last_at": Words("date of the last order", "ordered last", joint="among"),
        "days_since_first": Words("days since the first order", "ordered first", "day ago", "days ago", "among"),
        "days_since_last": Words("days since the last order", "ordered last", "day ago", "days ago", "among"),
        "days_since_delivery": Words("days since the last delivery", "got their last delivery", "day ago", "days ago",
                                     "of"),
        "days_between": Words("usual days between orders", "let", "day", "days", "pass between orders of"),
        "overdue": Words("lateness against their usual rhythm", "have let", "of their usual time",
                         joint="go by since their last order of"),
    },
    "contacts": {"count": Words("how often", "had")},
    "messages": {"sent": Words("were sent"), "opened": Words("opened"), "clicked": Words("clicked"),
                 "bounced": Words("came back")},
    "coupons": {"issued": Words("were given"), "redeemed": Words("redeemed")},
    "relations": {"count": Words("how many", "have", "relation", "relations")},
}
"""Source -> measure -> its words."""

RATIOS = frozenset({"overdue"})
"""Numbers that read best as a percentage, but may be above 100 %."""

WHERE_WORDS = {
    "category": "Category", "brand": "Brand", "sku": "Article", "shop": "Shop", "coupon": "Coupon code on the order",
    "status": "Status", "via": "Ordered by", "currency": "Currency", "kind": "Kind", "direction": "Direction",
    "channel": "Channel", "campaign": "Campaign", "arm": "Arm", "step": "Step", "offer": "Offer",
    "organisation": "Organisation", "role": "Role", "min_unit_price": "Price of one item at least",
}
"""Word of `where` -> its label."""

NOTHING = {
    "orders": "anything", "contacts": "contacts of any kind", "messages": "of any campaign",
    "coupons": "of any offer", "events": "of any kind", "relations": "of any kind",
}
"""Source -> what the chip of an empty `where` says."""


def words_of(source: str, measure: str) -> Words:
    """The words of a measure; of one that is not known, its own name."""
    plain = measure.replace("_", " ") or "…"
    return MEASURE_WORDS.get(source, {}).get(measure) or Words(plain, "have", plain)
