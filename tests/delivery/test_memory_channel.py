"""The outside sink keeps what it got, doubles included, whatever becomes of us."""

import sqlite3
from datetime import datetime
from pathlib import Path

import pytest

from delivery.channels import Channel, Envelope
from delivery.channels.memory import MemoryChannel, doubles, received


def _envelope(number: int) -> Envelope:
    return Envelope(number, f"<m{number}@x>", "email", f"p{number}@example.com", b"body", "n@x.example", "Hi", "CODE")


def test_what_was_sent_can_be_read_back(tmp_path: Path, now: datetime) -> None:
    channel: Channel = MemoryChannel(tmp_path / "new" / "outside.db")
    outcomes = channel.send_many([_envelope(1), _envelope(2)], now=now)
    assert [outcome.kind for outcome in outcomes] == ["accepted", "accepted"]
    first, second = received(tmp_path / "new" / "outside.db")
    assert (first.message_id, first.address, first.code, first.body) == ("<m1@x>", "p1@example.com", "CODE", b"body")
    assert second.ledger_id == 2 and second.received_at == now


def test_doubles_are_kept_and_counted(tmp_path: Path, now: datetime) -> None:
    channel = MemoryChannel(tmp_path / "o.db")
    channel.send_many([_envelope(1), _envelope(2)], now=now)
    channel.send_many([_envelope(1)], now=now)
    assert doubles(tmp_path / "o.db") == {"<m1@x>": 2} and len(received(tmp_path / "o.db")) == 3


def test_every_message_is_its_own_commit(tmp_path: Path, now: datetime) -> None:
    """What arrived before a crash in the middle of a batch stays arrived."""
    broken = Envelope(2, "<m2@x>", "email", None, b"")  # type: ignore[arg-type]
    with pytest.raises(sqlite3.IntegrityError):
        MemoryChannel(tmp_path / "o.db").send_many([_envelope(1), broken, _envelope(3)], now=now)
    assert [one.message_id for one in received(tmp_path / "o.db")] == ["<m1@x>"]


def test_large_runs_may_leave_the_bodies_out(tmp_path: Path, now: datetime) -> None:
    MemoryChannel(tmp_path / "o.db", keeps_bodies=False).send_many([_envelope(1)], now=now)
    assert received(tmp_path / "o.db")[0].body == b""
