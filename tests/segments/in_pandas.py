"""The rule language a third time, over data frames: what each measure comes to is grouped and summed by pandas.

Nothing clever: everybody's rows are filtered, grouped by person and counted. How a value is compared, which days a
window holds and how far a place is are told by the plain loops of tests/segments/naive.py.
"""

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pandas as pd

from tests.segments import naive
from tests.segments.told import ORGANISATIONS, is_near

Json = dict[str, Any]
Frame = pd.DataFrame
START = datetime(1970, 1, 1, tzinfo=UTC)
DAY_US = 86_400_000_000
NEVER = ("cancelled", "canceled", "voided")


def in_pandas(people: Sequence[naive.Person]) -> Callable[[Json, datetime], list[int]]:
    """The frames of these people, as something that can be asked for the ids a rule holds for, rising."""
    frames = _Frames(people)
    return lambda rule, as_of: [int(person) for person in frames.everybody[frames.holds(rule, as_of)]]


def _us(at: datetime | None) -> float:
    return float("nan") if at is None else float((at - START) // timedelta(microseconds=1))


def _frame(rows: list[Json], *columns: str) -> Frame:
    return pd.DataFrame(rows, columns=None if rows else ["person", *columns])


class _Frames:
    """One frame per kind of fact. Instants are microseconds since 1970 as floats, so that a missing one is NaN."""

    def __init__(self, people: Sequence[naive.Person]) -> None:
        self.people = {person.id: person for person in people}
        self.everybody = pd.Series(list(self.people), dtype="int64")
        orders = [(person.id, place, order) for person in people for place, order in enumerate(person.orders)]
        self.orders = _frame([
            {"person": who, "order": place, "at": _us(order.at), "shop": order.shop, "status": order.status,
             "currency": order.currency, "coupon": order.coupon, "via": order.via} for who, place, order in orders],
            "order", "at", "shop", "status", "currency", "coupon", "via")
        self.lines = _frame([
            {"person": who, "order": place, **vars(line), "delivered_at": _us(line.delivered_at),
             "returned_at": _us(line.returned_at)} for who, place, order in orders for line in order.lines],
            "order", *naive.Line.__dataclass_fields__)
        self.contacts = _frame([
            {"person": one.id, **dict(zip(("at", "kind", "direction", "channel", "status"),
                                          (_us(contact[0]), *contact[1:], None), strict=False))}
            for one in people for contact in one.contacts], "at", "kind", "direction", "channel", "status")
        self.sent = {name: _frame([
            {"person": one.id, **{key: _us(item) if key.endswith("_at") else item for key, item in vars(row).items()}}
            for one in people for row in getattr(one, name)], *columns.split()) for name, columns in (
                ("messages", "campaign channel arm step sent_at opened_at clicked_at bounced_at"),
                ("codes", "campaign offer issued_at"), ("redemptions", "campaign offer redeemed_at rolled_back_at"))}
        self.consents = _frame([{"person": one.id, "channel": channel, "at": _us(at), "state": state}
                                for one in people for channel, at, state in one.consents], "channel", "at", "state")
        self.events = _frame([{"person": one.id, "at": _us(at), "name": name, "properties": properties}
                              for one in people for at, name, properties in one.told.events],
                             "at", "name", "properties")
        self.relations = _frame([
            {"person": one.id, "kind": kind, "organisation": firm, "role": role, "since": _us(since),
             "until": _us(until)} for one in people for kind, firm, role, since, until in one.told.relations],
            "kind", "organisation", "role", "since", "until")

    def holds(self, rule: Json, as_of: datetime) -> "pd.Series[bool]":
        """For each of `everybody` whether the rule holds."""
        for word, together in (("all", pd.DataFrame.all), ("any", pd.DataFrame.any)):
            if word in rule:
                parts = {place: self.holds(child, as_of) for place, child in enumerate(rule[word])}
                return together(pd.DataFrame(parts, index=self.everybody.index, dtype=bool), axis=1)
        if "not" in rule:
            return ~self.holds(rule["not"], as_of)
        if "bought" in rule:
            return self.everybody.isin(self._followed(rule, as_of))
        if "near" in rule:
            return self._each(lambda one: is_near(rule["near"], (one.latitude, one.longitude)))
        if "sample" in rule:
            salt, percent = rule["sample"]["salt"], Fraction(str(rule["sample"]["percent"]))
            return self._each(lambda one: Fraction(int(hashlib.md5(
                f"{salt}:{one.number}".encode()).hexdigest()[:8], 16), 2**32) * 100 < percent)
        values, otherwise = self._values(rule, as_of)
        test = {key: item for key, item in rule.items() if key not in ("customer", "consent", "preferred_channel")}
        if "preferred_channel" in rule:
            test = {"is": rule["preferred_channel"]}
        return self._each(lambda one: naive._passes(test, values.get(one.id, otherwise), as_of))

    def _each(self, ask: Callable[[naive.Person], bool]) -> "pd.Series[bool]":
        return self.everybody.map(lambda who: bool(ask(self.people[who]))).astype(bool)

    def _values(self, rule: Json, as_of: datetime) -> tuple[Json | dict[int, Any], Any]:
        """The value that the rule compares, by person, and that of everybody else."""
        now = _us(as_of)
        start, end = map(_us, naive._bounds(rule.get("window"), as_of))
        where = {word: [item] if isinstance(item, str) else item for word, item in rule.get("where", {}).items()}
        if "customer" in rule:
            return {who: naive._fact(rule["customer"], one, as_of) for who, one in self.people.items()}, None
        if "orders" in rule:
            return self._measured(rule["orders"], where, rule, as_of)
        if "score" in rule:
            return {who: one.told.scores.get(rule["score"]) for who, one in self.people.items()}, None
        if "consent" in rule:
            said = self.consents[(self.consents["channel"] == rule["consent"]) & (self.consents["at"] <= now)]
            said = said.assign(mild=said["state"] != "granted").sort_values(["at", "mild"], kind="stable")
            return said.groupby("person")["state"].last().to_dict(), None
        if "preferred_channel" in rule:
            return self._preferred(as_of), None
        if "relations" in rule:
            found = self.relations
            found = found[~(found["since"] > now) & ~(found["until"] <= now)]
            if "organisation" in where:
                wanted = [number for number, name in ORGANISATIONS if {number, name} & set(where["organisation"])]
                where = {**where, "organisation": wanted}
            return _rows(found, where).groupby("person").size().to_dict(), 0
        if "events" in rule:
            found = self.events[(self.events["name"] == rule["events"]) & self.events["at"].between(
                start, end, inclusive="left")]
            kept = [all(key in held and (str(held[key]).lower() if isinstance(held[key], bool) else str(held[key]))
                        in items for key, items in where.items()) for held in found["properties"]]
            return found[pd.Series(kept, index=found.index, dtype=bool)].groupby("person").size().to_dict(), 0
        found, at = self.contacts, "at"
        if "messages" in rule:
            found, at = self.sent["messages"], f"{rule['messages']}_at"
        elif "coupons" in rule:
            found, at = ((self.sent["codes"], "issued_at") if rule["coupons"] == "issued" else
                         (self.sent["redemptions"], "redeemed_at"))
            if at == "redeemed_at":
                found = found[~(found["rolled_back_at"] < now)]
        found = found[found[at].between(start, end, inclusive="left")]
        return _rows(found, where).groupby("person").size().to_dict(), 0

    def _matching(self, where: Json, window: Json | None, nth: int | None, as_of: datetime) -> Frame:
        """The lines that match, of orders that count, each with its order's instant."""
        orders = self.orders[~self.orders["status"].isin(NEVER) & (self.orders["at"] < _us(as_of))]
        if nth is not None:
            orders = orders.sort_values(["at", "order"])
            places = orders.groupby("person").cumcount(ascending=nth > 0)
            orders = orders[places == abs(nth) - 1]
        start, end = map(_us, naive._bounds(window, as_of))
        orders = orders[orders["at"].between(start, end, inclusive="left")]
        where = {word: [item] if isinstance(item, str) else item for word, item in where.items()}
        ours = ("shop", "status", "currency", "coupon", "via")
        orders = _rows(orders, {word: item for word, item in where.items() if word in ours})
        lines = _rows(self.lines, {word: where[word] for word in ("category", "sku", "brand") if word in where})
        if "min_unit_price" in where:
            lines = lines[lines["unit_price_cents"] >= where["min_unit_price"]]
        return lines.merge(orders[["person", "order", "at"]], on=["person", "order"])

    def _measured(self, name: str, where: Json, rule: Json, as_of: datetime) -> tuple[dict[int, Any], Any]:
        window, nth, now = rule.get("window"), rule.get("nth"), _us(as_of)
        lines = self._matching(where, window, nth, as_of)
        mine = lines.groupby("person")
        money = {who: int(cents) for who, cents in mine["total_cents"].sum().items()}
        if name == "revenue":
            return money, 0
        if name == "revenue_share":
            whole = self._matching({word: item for word, item in where.items() if word == "currency"}, window, nth,
                                   as_of).groupby("person")["total_cents"].sum()
            return {who: _part(money.get(who, 0), int(cents)) for who, cents in whole.items()}, Fraction(0)
        if name == "quantity":
            return {who: Fraction(int(milli), 1000) for who, milli in mine["quantity_milli"].sum().items()}, 0
        if name == "distinct_products":
            return mine["sku"].nunique().to_dict(), 0
        if name == "open":
            waiting = lines[~(lines["delivered_at"] < now)]
            return waiting.groupby("person")["order"].nunique().to_dict(), 0
        if name == "days_since_delivery":
            came = lines[lines["delivered_at"] < now].groupby("person")["delivered_at"].max()
            return {who: (now - at) // DAY_US for who, at in came.items()}, None
        if name in ("net_revenue", "margin", "returned_share", "discount_share"):
            return _of_lines(name, lines, now)
        return _of_orders(name, mine, money, now)

    def _followed(self, rule: Json, as_of: datetime) -> list[int]:
        """Who bought one thing and then, within days, the other; or did not."""
        span = rule["within_days"] * DAY_US
        first = self._matching(rule["bought"], rule.get("window"), None, as_of)[["person", "at"]].drop_duplicates()
        then = self._matching(rule.get("then", rule.get("then_not")), None, None, as_of)[["person", "at"]]
        pairs = first.merge(then.rename(columns={"at": "later"}), on="person", how="left")
        pairs["after"] = (pairs["later"] > pairs["at"]) & (pairs["later"] <= pairs["at"] + span)
        after = pairs.groupby(["person", "at"])["after"].any().reset_index()
        if "then" in rule:
            return list(after[after["after"]]["person"])
        return list(after[~after["after"] & (after["at"] + span < _us(as_of))]["person"])

    def _preferred(self, as_of: datetime) -> dict[int, str | None]:
        """What people said, else the channel on which they came to us most, the older the less."""
        used = {"email": "email", "mail": "email", "letter": "letter", "call": "phone", "phone": "phone"}
        came = self.contacts[(self.contacts["direction"] == "in") & (self.contacts["at"] <= _us(as_of))
                             & ~self.contacts["kind"].isin(["complaint", "service_request"])]
        came = came.assign(by=came["channel"].map(used).fillna(came["kind"].map(used))).dropna(subset="by")
        weights = came.assign(weight=2.0 ** ((came["at"] - _us(as_of)) / (180 * DAY_US))).groupby(
            ["person", "by"])["weight"].sum().reset_index()
        rank = {"email": 0, "letter": 1, "phone": 2}
        best = weights.assign(rank=weights["by"].map(rank)).sort_values(["weight", "rank"], ascending=[False, True])
        inferred = best.drop_duplicates("person").set_index("person")["by"].to_dict()
        return {who: one.preferred_channel or inferred.get(who) for who, one in self.people.items()}


def _rows(found: Frame, where: Json) -> Frame:
    for word, items in where.items():
        found = found[found[word].isin(items)]
    return found


def _part(part: int, whole: int) -> Fraction:
    return Fraction(part, whole) if whole > 0 else Fraction(0)


def _whole(column: "pd.Series[Any]") -> "pd.Series[int]":
    return pd.to_numeric(column).fillna(0).astype("int64")


def _rounded(amount: "pd.Series[int]", parts: "pd.Series[int]") -> "pd.Series[int]":
    """Half a cent goes up."""
    return (2 * amount + parts) // (2 * parts)


def _of_lines(name: str, lines: Frame, now: float) -> tuple[dict[int, Any], Any]:
    """What came back, was taken off or stayed, added up per person."""
    bought, discount, total = (_whole(lines[column]) for column in ("quantity_milli", "discount_cents", "total_cents"))
    gone = _whole(lines["returned_milli"]).clip(lower=0)
    gone = gone.where(gone < bought.clip(lower=0), bought.clip(lower=0)).mask(lines["returned_at"] >= now, 0)
    kept, worth = bought - gone, total - discount
    worth = worth.where(gone == 0, _rounded(worth * kept, bought.where(gone != 0, 1)))
    tax, cost = pd.to_numeric(lines["tax_rate"]), pd.to_numeric(lines["unit_cost_cents"])
    share = (tax.fillna(0) * 10**6).round().astype("int64") + 10**6
    unknown = (tax.isna() & (worth != 0)) | (cost.isna() & (kept != 0))
    margin = _rounded(worth * 10**6, share) - _rounded(_whole(cost) * kept, pd.Series(1000, index=lines.index))
    sums = pd.DataFrame({
        "person": lines["person"], "net_revenue": worth, "margin": margin, "unknown": unknown.astype("int64"),
        "gone": gone, "bought": bought.clip(lower=0), "discount": discount, "total": total,
    }).groupby("person").sum()
    if name == "returned_share":
        return {who: _part(int(row.gone), int(row.bought)) for who, row in sums.iterrows()}, 0
    if name == "discount_share":
        return {who: _part(int(row.discount), int(row.total)) for who, row in sums.iterrows()}, 0
    return {who: None if name == "margin" and row.unknown else int(row[name]) for who, row in sums.iterrows()}, 0


def _of_orders(name: str, mine: Any, money: dict[int, int], now: float) -> tuple[dict[int, Any], Any]:
    """How many orders, when, and how far apart."""
    times = mine.agg(count=("order", "nunique"), first=("at", "min"), last=("at", "max"))
    year = Fraction(DAY_US) * Fraction("365.25")
    told: dict[str, Callable[[Any, int], Any]] = {
        "count": lambda one, _who: int(one["count"]),
        "average_value": lambda one, who: Fraction(money[who], int(one["count"])),
        "first_at": lambda one, _who: START + timedelta(microseconds=int(one["first"])),
        "last_at": lambda one, _who: START + timedelta(microseconds=int(one["last"])),
        "days_since_first": lambda one, _who: (now - one["first"]) // DAY_US,
        "days_since_last": lambda one, _who: (now - one["last"]) // DAY_US,
        "per_year": lambda one, _who: int(one["count"]) / (Fraction(int(now - one["first"])) / year),
        "days_between": lambda one, _who: None if (usual := _usual(one)) is None else usual / DAY_US,
        "overdue": lambda one, _who: int(now - one["last"]) / usual if (usual := _usual(one)) else None,
    }
    otherwise = 0 if name in ("count", "average_value", "per_year") else None
    return {who: told[name](one, who) for who, one in times.iterrows()}, otherwise


def _usual(one: Any) -> Fraction | None:
    """The average microseconds between orders; None for a single one."""
    orders = int(one["count"])
    return None if orders < 2 else Fraction(int(one["last"] - one["first"]), orders - 1)
