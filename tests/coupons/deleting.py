"""An offer that is deleted by one while another, in a transaction still open, begins to name it."""

import threading
from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session

from core.database import Database
from coupons.offers.deleting import delete_offer


def deleting_meanwhile(database: Database, key: str, work: Callable[[Session], object], **options: Any) -> object:
    """Do `work`, ask for the offer's deletion before it is committed, and return what that came to: None, or its
    error."""
    told: list[object] = []
    begun = threading.Event()

    def delete() -> None:
        try:
            with database.writing() as session:
                session.connection()
                begun.set()
                told.append(delete_offer(session, key, **options))
        except Exception as error:
            told.append(error)

    other = threading.Thread(target=delete)
    with database.writing() as session:
        work(session)
        other.start()
        begun.wait()
        other.join(1.5)  # whoever needs no more than that does not wait; the lock is asked for during five seconds
    other.join()
    return told[0]
