"""The list of changes is shortened by what everybody has read, and by nothing else."""

from datetime import datetime

from core.cursors import advance, head, length, position, prune_read, pruned, read_changes
from core.database import Database
from customers.models import Customer


def _arrive(database: Database, numbers: range, now: datetime) -> int:
    for number in numbers:
        with database.writing() as session:
            session.add(Customer(id=number, external_id=f"c{number}", imported_at=now, attributes={}))
    with database.reading() as session:
        return head(session.connection())


def _prune(database: Database, *, most: int = 100) -> int:
    total = 0
    while done := database.small(lambda connection: prune_read(
            connection, readers=("exits", "coupons"), may_begin_anew=("mirror",), most=most, limit=3)):
        total += done
    return total


def _stand(database: Database, **cursors: int) -> None:
    with database.writing() as session:
        for name, cursor in cursors.items():
            advance(session.connection(), name, cursor)


def test_nothing_is_deleted_that_a_reader_has_not_read(database: Database, now: datetime) -> None:
    middle = _arrive(database, range(1, 9), now)
    last = _arrive(database, range(9, 13), now)
    assert _prune(database) == 0  # nobody has read anything
    _stand(database, exits=last)
    assert _prune(database) == 0  # coupons has not
    _stand(database, coupons=middle)
    assert _prune(database) == 8
    with database.reading() as session:
        assert read_changes(session.connection(), after=middle).keys["customers"] == [9, 10, 11, 12]
        assert pruned(session.connection()) == middle == position(session.connection(), "coupons")


def test_a_mirror_is_waited_for_unless_it_is_so_far_behind_that_it_is_built_anew(
    database: Database, now: datetime
) -> None:
    first = _arrive(database, range(1, 3), now)
    last = _arrive(database, range(3, 13), now)
    _stand(database, exits=last, coupons=last, mirror=first)
    assert _prune(database, most=10) == 2
    assert _prune(database, most=9) == 10
    with database.reading() as session:
        assert length(session.connection()) == 0
