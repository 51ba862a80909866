"""How many codes were redeemed, and how many requests refused?"""

from sqlalchemy import Connection, func, select

from coupons.models import Redemption, Refusal


def redemption_counts(connection: Connection) -> tuple[int, int]:
    """Redemptions decided here (imported history aside) and refusals."""
    accepted = connection.execute(select(func.count(Redemption.id)).where(Redemption.history.is_(False))).scalar_one()
    refused = connection.execute(select(func.count(Refusal.id))).scalar_one()
    return accepted, refused
