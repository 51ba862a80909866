"""How does a file of customers become people with addresses and attributes?

Owns the `customers` columns. The later of two lines with one number counts, merged over the earlier. A column that the
file lacks keeps what is stored; an empty cell means unknown and clears it. A changed address is deliverable again.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, delete, select

from core.arrays import in_ids, in_texts
from core.bulk import bulk_insert, bulk_update, reserve_ids
from core.errors import Invalid
from core.types import Base, to_us
from customers.identity import (
    email_lookup,
    letter_lookup,
    normal_country,
    normal_email,
    normal_language,
    normal_phone,
    normal_timezone,
)
from customers.importing.amounts import real, whole
from customers.importing.attributes import fix_types, json_value, typed
from customers.importing.cells import choice, parsed, text
from customers.importing.customer_numbers import forgotten_among
from customers.importing.kinds import Batch, Field, Kind, Run, in_chunks
from customers.importing.moments import day, instant
from customers.models import CHANNELS
from customers.people import search_text

CHUNK = 2000
CUSTOMERS_TABLE = Base.metadata.tables["customers"]
ADDRESSES = Base.metadata.tables["addresses"]

_COLUMNS = {
    "salutation": "salutation", "first_name": "first_name", "last_name": "last_name", "company": "company",
    "birthday": "birthday_on", "language": "language", "timezone": "timezone",
    "preferred_channel": "preferred_channel", "household_id": "household", "dunning_level": "dunning_level",
    "created_at": "created_at",
}
_PLACE = {"street": "value", "postal_code": "postal_code", "city": "city", "country": "country",
          "latitude": "latitude", "longitude": "longitude"}
_STORED = [*_COLUMNS.values(), "attributes", "search"]
_ADDRESS = ["value", "lookup", "postal_code", "city", "country", "latitude", "longitude", "undeliverable_at"]
_PEOPLE_OF_ADDRESSES = ("email", "phone", "letter")


def _load(run: Run, batches: Iterator[Batch]) -> None:
    for batch in in_chunks(batches, CHUNK):
        with run.transaction() as connection:
            _store(connection, run, _Chunk(connection, run, batch))


class _Chunk:
    """The people of one chunk as they will be: stored values with the file's merged over them, line by line."""

    def __init__(self, connection: Connection, run: Run, batch: Batch) -> None:
        self.run = run
        numbers = batch.columns["customer_id"].to_pylist()
        self.people: dict[str, dict[str, Any]] = {}
        self.addresses: dict[str, dict[str, dict[str, Any]]] = {}
        self.before: dict[str, tuple[dict[str, Any], dict[str, dict[str, Any]]]] = {}
        self.forgotten = forgotten_among(connection, run, numbers)
        self._read_stored(connection, numbers)
        self._merge(batch, numbers)

    def _read_stored(self, connection: Connection, numbers: list[str]) -> None:
        columns = [CUSTOMERS_TABLE.c[name] for name in ("id", "external_id", *_STORED)]
        by_id: dict[int, str] = {}
        for row in connection.execute(
            select(*columns).where(in_texts(CUSTOMERS_TABLE.c.external_id, sorted(set(numbers))))
        ).mappings():
            person = {**row, "created_at": _us(row["created_at"]),
                      "birthday_on": row["birthday_on"].isoformat() if row["birthday_on"] else None}
            self.people[row["external_id"]] = person
            self.addresses[row["external_id"]] = {}
            by_id[row["id"]] = row["external_id"]
        for row in connection.execute(select(ADDRESSES).where(in_ids(ADDRESSES.c.customer_id, by_id))).mappings():
            self.addresses[by_id[row["customer_id"]]][row["channel"]] = {
                **row, "undeliverable_at": _us(row["undeliverable_at"])}
        for number, person in self.people.items():
            self.before[number] = ({**person, "attributes": dict(person["attributes"])},
                                   {channel: dict(a) for channel, a in self.addresses[number].items()})

    def _merge(self, batch: Batch, numbers: list[str]) -> None:
        cells = batch.lists()
        types: dict[str, str] = self.run.memory["attribute_types"]
        extras = {name: typed(values, types[name]) for name, values in batch.extras.items() if name in types}
        further = {name: converted.values.to_pylist() for name, converted in extras.items()}
        for row, number in enumerate(numbers):
            line = {name: values[row] for name, values in cells.items()}
            reason = self._fault(number, row, extras)
            if reason is None:
                try:
                    phone = self._phone(number, line)
                except Invalid as error:
                    reason = f"phone: {error.message}"
            if reason is not None:
                self.run.rejects.add(batch.lines[row], batch.last_lines[row], reason)
                continue
            attributes = {name: json_value(values[row], types[name]) for name, values in further.items()}
            self._apply(number, line, phone, attributes)

    def _fault(self, number: str, row: int, extras: Mapping[str, Any]) -> str | None:
        if number in self.forgotten:
            return f"Customer {number} asked to be forgotten and is not imported again."
        for name, converted in extras.items():
            if row in converted.faults:
                kind = self.run.memory["attribute_types"][name]
                return f"{name}: {converted.faults[row]} The column is a {kind} since its first import."
        return None

    def _phone(self, number: str, line: Mapping[str, Any]) -> str | None:
        if line.get("phone") is None:
            return None
        stored = self.addresses.get(number, {}).get("letter", {}).get("country")
        return normal_phone(line["phone"], line.get("country", stored))

    def _apply(self, number: str, line: Mapping[str, Any], phone: str | None, attributes: Mapping[str, Any]) -> None:
        person = self.people.setdefault(number, {"external_id": number, "attributes": {}})
        addresses = self.addresses.setdefault(number, {})
        for name, column in _COLUMNS.items():
            if name in line:
                value = line[name]
                person[column] = value.isoformat() if column == "birthday_on" and value is not None else value
        for name, value in attributes.items():
            if value is None:
                person["attributes"].pop(name, None)
            else:
                person["attributes"][name] = value
        if "email" in line:
            _set_address(addresses, "email", {"value": line["email"]} if line["email"] else None)
        if "phone" in line:
            _set_address(addresses, "phone", {"value": phone} if phone else None)
        given = {column: line[name] for name, column in _PLACE.items() if name in line}
        if given:
            letter = {**addresses.get("letter", {}), **given}
            known = any(letter.get(column) not in (None, "") for column in _PLACE.values())
            _set_address(addresses, "letter", {**given, "value": letter.get("value") or ""} if known else None)
        _complete(person, addresses)


def _set_address(addresses: dict[str, dict[str, Any]], channel: str, values: dict[str, Any] | None) -> None:
    if values is None:
        addresses.pop(channel, None)
        return
    address = addresses.setdefault(channel, {"channel": channel})
    if any(address.get(name) != value for name, value in values.items()):
        address["undeliverable_at"] = None
    address.update(values)


def _complete(person: dict[str, Any], addresses: dict[str, dict[str, Any]]) -> None:
    """Work out what follows from the facts: lookups and the search text."""
    name = (person.get("first_name"), person.get("last_name") or person.get("company"))
    for channel, address in addresses.items():
        if channel == "email":
            address["lookup"] = email_lookup(address["value"])
        elif channel == "letter":
            address["lookup"] = letter_lookup(*name, address["value"], address.get("postal_code"),
                                              address.get("country"))
        else:
            address["lookup"] = address["value"]
    ordered = [addresses[channel] for channel in _PEOPLE_OF_ADDRESSES if channel in addresses]
    person["search"] = search_text(person, ordered)


def _us(value: Any) -> int | None:
    return None if value is None else to_us(value)


def _store(connection: Connection, run: Run, chunk: _Chunk) -> None:
    new = [number for number in chunk.people if number not in chunk.before]
    known = [number for number in chunk.people if number in chunk.before]
    run.count_keys(new, known)
    if run.dry_run:
        return
    for number, key in zip(new, reserve_ids(connection, CUSTOMERS_TABLE, len(new)), strict=True):
        chunk.people[number]["id"] = key
    _insert_people(connection, run, [chunk.people[number] for number in new])
    changed = [chunk.people[number] for number in known if chunk.people[number] != chunk.before[number][0]]
    if changed:
        bulk_update(connection, CUSTOMERS_TABLE, "id", {"id": [person["id"] for person in changed],
                                                        **_person_columns(changed)})
    _store_addresses(connection, chunk)


def _person_columns(people: list[dict[str, Any]]) -> dict[str, list[Any]]:
    columns = {name: [person.get(name) for person in people] for name in _STORED}
    columns["attributes"] = [json.dumps(person["attributes"], ensure_ascii=False) for person in people]
    return columns


def _insert_people(connection: Connection, run: Run, people: list[dict[str, Any]]) -> None:
    if people:
        bulk_insert(connection, CUSTOMERS_TABLE, {
            "id": [person["id"] for person in people],
            "external_id": [person["external_id"] for person in people],
            "imported_at": [to_us(run.now)] * len(people), **_person_columns(people)})


def _store_addresses(connection: Connection, chunk: _Chunk) -> None:
    new: list[tuple[int, dict[str, Any]]] = []
    changed: list[dict[str, Any]] = []
    gone: list[int] = []
    for number, addresses in chunk.addresses.items():
        before = chunk.before.get(number, ({}, {}))[1]
        gone += [address["id"] for channel, address in before.items() if channel not in addresses]
        for channel, address in addresses.items():
            if channel not in before:
                new.append((chunk.people[number]["id"], address))
            elif address != before[channel]:
                changed.append({**address, "id": before[channel]["id"]})
    if gone:
        connection.execute(delete(ADDRESSES).where(in_ids(ADDRESSES.c.id, gone)))
    if changed:
        bulk_update(connection, ADDRESSES, "id", {
            "id": [address["id"] for address in changed],
            **{name: [address.get(name) for address in changed] for name in _ADDRESS}})
    if new:
        bulk_insert(connection, ADDRESSES, {
            "customer_id": [owner for owner, _ in new], "channel": [address["channel"] for _, address in new],
            **{name: [address.get(name) for _, address in new] for name in _ADDRESS}})


CUSTOMERS = Kind(
    name="customers",
    fields=(
        Field("customer_id", text(200), required=True, filled=True),
        Field("email", parsed(normal_email)), Field("phone", text(60)),
        Field("salutation", text(100)), Field("first_name", text(200)), Field("last_name", text(200)),
        Field("company", text(200)), Field("street", text(320)), Field("postal_code", text(20)),
        Field("city", text(200)), Field("country", parsed(normal_country)),
        Field("latitude", real(-90, 90)), Field("longitude", real(-180, 180)),
        Field("birthday", day), Field("language", parsed(normal_language)), Field("timezone", parsed(normal_timezone)),
        Field("preferred_channel", choice(CHANNELS)), Field("household_id", text(200)),
        Field("dunning_level", whole(0, 1000)), Field("created_at", instant),
    ),
    load=_load,
    takes_extras=True,
    prepare=fix_types,
)
