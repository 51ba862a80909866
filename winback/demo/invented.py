"""Who are the people behind the household numbers? Nobody: all contact data here is invented.

Owns names, addresses, consents, wishes and past contacts, drawn from the customer number alone, so that every run
invents the same. E-mail addresses end in @example.com, phone numbers come from ranges set aside for fiction, streets
and people do not exist. Shares: 62 % granted e-mail, 24 % granted phone, 3 % objected to letters, 12 % said which
channel they prefer, 35 % wrote or called before.
"""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd

FIRST = np.array(
    ["Ada", "Ben", "Clara", "David", "Elif", "Franz", "Greta", "Hannah", "Ivan", "Julia", "Karl", "Lena", "Mehmet",
     "Nora", "Oskar", "Paula", "Quentin", "Rosa", "Selim", "Tilda", "Uwe", "Vera", "Willi", "Yara", "Zoe", "Jürgen"]
)
LAST = np.array(
    ["Abel", "Brandt", "Çelik", "Dietrich", "Engel", "Fuchs", "Groß", "Hansen", "Ibsen", "Jansen", "Köhler", "Lindner",
     "Maurer", "Nowak", "Oltmanns", "Petersen", "Quast", "Rehder", "Schäfer", "Thomsen", "Ulrich", "Voß", "Weiß",
     "Yilmaz", "Zimmer", "Bergström"]
)
STREETS = np.array(["Lindenweg", "Hafenstraße", "Am Markt", "Birkenallee", "Mühlenweg", "Gartenstraße", "Schulstraße"])
CITIES = [("Lübeck", "23552"), ("Oldenburg", "26121"), ("Kassel", "34117"), ("Bremen", "28195"), ("Flensburg", "24937"),
          ("Hamburg", "20095"), ("Köln", "50667"), ("Essen", "45127"), ("München", "80331"), ("Leipzig", "04109")]


def invent_people(customers: pd.DataFrame, *, before: datetime) -> dict[str, pd.DataFrame]:
    """Customers, consents and contacts as import tables for these `customer_id`s; nothing later than `before`."""
    ids = customers["customer_id"].astype(str)
    draw = _Draw(ids)
    return {
        "customers": _customers(customers, ids, draw),
        "consents": _consents(ids, draw, before),
        "contacts": _contacts(ids, draw, before),
    }


class _Draw:
    """Uniform numbers that depend on the customer number and a purpose only."""

    def __init__(self, ids: "pd.Series[str]") -> None:
        self._ids = ids

    def uniform(self, purpose: str) -> np.ndarray:
        hashed = pd.util.hash_array((self._ids + "/" + purpose).to_numpy(dtype=object))
        draws: np.ndarray = (hashed >> np.uint64(11)).astype(np.float64) / float(1 << 53)
        return draws

    def integer(self, purpose: str, below: int) -> np.ndarray:
        numbers: np.ndarray = np.floor(self.uniform(purpose) * below).astype(np.int64)
        return numbers


def _customers(customers: pd.DataFrame, ids: "pd.Series[str]", draw: _Draw) -> pd.DataFrame:
    first, last = FIRST[draw.integer("first", len(FIRST))], LAST[draw.integer("last", len(LAST))]
    city = draw.integer("city", len(CITIES))
    wish = np.select(
        [draw.uniform("wish") < share for share in (0.05, 0.09, 0.12)], ["email", "letter", "phone"], default=""
    )
    frame = pd.DataFrame(
        {"customer_id": ids, "salutation": "", "first_name": first, "last_name": last,
         "email": "customer" + ids + "@example.com",
         "phone": [f"+49 30 23125{number:03d}" for number in draw.integer("phone", 1000)],
         "street": [f"{STREETS[s]} {n + 1}" for s, n in zip(draw.integer("street", len(STREETS)),
                                                             draw.integer("house", 120), strict=True)],
         "postal_code": [CITIES[c][1] for c in city], "city": [CITIES[c][0] for c in city], "country": "DE",
         "language": "en", "preferred_channel": wish}
    )
    further = [name for name in customers.columns if name not in frame.columns]
    return pd.concat([frame, customers[further].reset_index(drop=True)], axis=1).replace({"": None})


def _consents(ids: "pd.Series[str]", draw: _Draw, before: datetime) -> pd.DataFrame:
    def said(channel: str, share_yes: float, share_no: float) -> pd.DataFrame:
        drawn = draw.uniform(f"consent {channel}")
        state = np.select([drawn < share_yes, drawn < share_yes + share_no], ["granted", "denied"], default="")
        days = draw.integer(f"consent day {channel}", 300) + 30
        frame = pd.DataFrame(
            {"customer_id": ids, "channel": channel, "state": state,
             "basis": np.where(state == "granted", "consent", "objection"),
             "at": [(before - timedelta(days=int(day))).isoformat() for day in days],
             "source": "order form (invented)", "proof": "invented for the demo, form version 3"}
        )
        return frame[frame["state"] != ""]

    return pd.concat([said("email", 0.62, 0.08), said("phone", 0.24, 0.12), said("letter", 0.0, 0.03)],
                     ignore_index=True)


def _contacts(ids: "pd.Series[str]", draw: _Draw, before: datetime) -> pd.DataFrame:
    parts = []
    for number in range(3):
        drawn = draw.uniform(f"contact {number}")
        kind = np.select(
            [drawn < share for share in (0.05, 0.10, 0.13, 0.15)], ["email", "letter", "call", "complaint"], default=""
        )
        days = draw.integer(f"contact day {number}", 340) + 5
        parts.append(
            pd.DataFrame(
                {"contact_id": "c" + ids + f"-{number}", "customer_id": ids,
                 "at": [(before - timedelta(days=int(day))).isoformat() for day in days], "kind": kind,
                 "direction": "in",
                 "channel": np.select([kind == "email", kind == "letter"], ["email", "letter"], default="phone"),
                 "subject": np.where(kind == "complaint", "Late delivery (invented)", "Question (invented)"),
                 "status": "closed"}
            )[kind != ""]
        )
    frame: pd.DataFrame = pd.concat(parts, ignore_index=True)
    return frame
