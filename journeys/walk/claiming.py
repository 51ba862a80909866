"""Which columns does the runner read of the people who are due?

Owns the one statement that claims them: oldest first, locked, and passing over those another worker holds. The order is
that of the index, to its last column: with a million people due at one instant no chunk sorts them all.
"""

from sqlalchemy import BigInteger, select, type_coerce

from customers.models import Customer
from journeys.models import Enrolment

CLAIM = (
    select(
        Enrolment.id, Enrolment.customer_id, Enrolment.version_id, Enrolment.step, Enrolment.visit, Enrolment.held_out,
        Enrolment.arm, Enrolment.channel, type_coerce(Enrolment.step_entered_at, BigInteger),
        type_coerce(Enrolment.entered_at, BigInteger), type_coerce(Enrolment.until_at, BigInteger),
        Customer.external_id, Customer.timezone, Customer.language, Customer.household,
    )
    .join(Customer, Customer.id == Enrolment.customer_id)
    .where(Enrolment.state == "active")
    .order_by(Enrolment.due_at, Enrolment.journey_id, Enrolment.step, Enrolment.id)
    .with_for_update(of=Enrolment, skip_locked=True)
)
