"""Who enters a journey, according to its JSON?

Owns reading `entry`: a segment and when its people enter, an event, a schedule, the API, a colleague by hand.
"""

from typing import Any

from core.errors import Invalid
from journeys.graphs.cron import read_cron
from journeys.graphs.graph import MOVES, Entry
from journeys.graphs.reading_parts import PartReader

ENTRY_KEYS = ("segment", "on", "event", "where", "key", "schedule", "api", "manual", "top")
MOST_BEST = 10_000_000


class EntryReader:
    """Reads an entry; the problems are the reader's."""

    def __init__(self, reader: PartReader) -> None:
        self.reader = reader

    def entry(self, value: object) -> tuple[str, str | None, Entry]:
        """The segment (empty: none), the move that lets its people in, and what else does."""
        reader = self.reader
        if not isinstance(value, dict) or not value:
            reader.add("entry", "Nobody can enter.", 'Write {"segment": "key-of-a-segment"}.')
            return "", None, Entry()
        reader.known_keys(value, ENTRY_KEYS, "entry")
        segment = value.get("segment")
        if "segment" in value and (not isinstance(segment, str) or not segment):
            reader.add("entry.segment", "This is not the key of a segment.",
                       "Use a short name such as lapsed-furniture.")
        event, where = self._event(value)
        entry = Entry(event, where, self._key(value, event), self._schedule(value), self._flag(value, "api"),
                      self._flag(value, "manual"), self._top(value))
        if not any(name in value for name in ("segment", "event", "schedule", "api", "manual", "on")):
            reader.add("entry", "Nobody can enter.", 'Write {"segment": "key-of-a-segment"}.')
        if "event" in value and "schedule" in value:
            reader.add("entry.schedule", "People enter by an event or by a schedule.", "Keep one of the two.")
        return segment if isinstance(segment, str) else "", self._on(value), entry

    def _top(self, value: dict[str, Any]) -> int | None:
        reader, top = self.reader, value.get("top")
        if "top" not in value:
            return None
        if set(value) - {"segment", "top", "api", "manual"} or "segment" not in value:
            reader.add("entry.top", "The best are chosen once, of a segment's members at the start.",
                       'Name the segment, without "on", "event" and "schedule".')
        count = top.get("count") if isinstance(top, dict) else None
        if not isinstance(top, dict) or set(top) - {"count", "by"} or top.get("by") != "expected_contribution" or (
                not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MOST_BEST):
            reader.add("entry.top", "This does not say how many, and by what.",
                       'Write {"count": 5000, "by": "expected_contribution"}.')
            return None
        return count

    def _on(self, value: dict[str, Any]) -> str | None:
        reader, on = self.reader, value.get("on")
        if "on" in value and "segment" not in value:
            reader.add("entry.on", "This does not say whose coming and leaving is meant.",
                       "Name the segment beside it.")
        if on is None:
            return None
        if on not in MOVES:
            reader.add("entry.on", "This is not something that people start on.",
                       'Use "entering" or "leaving"; left out, who is in the segment at the start enters.')
            return None
        for name in ("event", "schedule"):
            if name in value:
                reader.add("entry.on", f'This cannot stand beside "{name}".', "Keep one of the two.")
        return str(on)

    def _event(self, value: dict[str, Any]) -> tuple[str | None, tuple[tuple[str, tuple[str, ...]], ...]]:
        if "event" not in value:
            if "where" in value:
                self.reader.add("entry.where", "This belongs to an event.", 'Name the "event" beside it.')
            return None, ()
        found = self.reader.happening(value, "entry")
        return (None, ()) if found is None else found

    def _key(self, value: dict[str, Any], event: str | None) -> str | None:
        key = value.get("key")
        if "key" not in value:
            return None
        if not isinstance(key, str) or not 0 < len(key) <= 100:
            self.reader.add("entry.key", "This is not the name of a property.", 'Use one such as "cart_id".')
            return None
        if "event" not in value:
            self.reader.add("entry.key", "This belongs to an event.", 'Name the "event" beside it.')
        return key

    def _schedule(self, value: dict[str, Any]) -> str | None:
        schedule = value.get("schedule")
        if "schedule" not in value:
            return None
        if "segment" not in value:
            self.reader.add("entry.segment", "The schedule does not say whom it lets in.", "Name a segment beside it.")
        if not isinstance(schedule, str):
            self.reader.add("entry.schedule", "This is not a schedule.", 'Write "0 9 * * 1" for Mondays at nine.')
            return None
        try:
            read_cron(schedule)
        except Invalid as error:
            self.reader.add("entry.schedule", error.message, "")
            return None
        return " ".join(schedule.split())

    def _flag(self, value: dict[str, Any], name: str) -> bool:
        if name in value and not isinstance(value[name], bool):
            self.reader.add(f"entry.{name}", "This is neither true nor false.", "Use true or false.")
        return value.get(name) is True
