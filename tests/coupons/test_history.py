"""Past redemptions from a file: history that touches no limit."""

from datetime import datetime
from pathlib import Path

from core.database import Database
from coupons.codes.importing import KIND
from tests.customers.files import Desk, reasons

HEAD = "redemption_id,code,offer,campaign_id,customer_id,order_id,redeemed_at,discount,currency\n"


def test_a_past_redemption_is_history_and_touches_no_limit(database: Database, tmp_path: Path, now: datetime) -> None:
    desk = Desk(database, tmp_path, now)
    result = desk.load(KIND, HEAD + "R1,SAVE10,ten,18,C1,O1,2017-05-01,2.50,USD\nR2,,,,,,2017-05-02,,\n")
    assert (result.imported, result.created) == (2, 2)
    assert desk.rows("SELECT external_id, code_id, code_text, offer_name, campaign, order_ref, discount_cents,"
                     " currency, state, history, rolled_back_cents FROM redemptions ORDER BY external_id") == [
        ("R1", None, "SAVE10", "ten", "18", "O1", 250, "USD", "redeemed", True, 0),
        ("R2", None, "", None, None, None, 0, "EUR", "redeemed", True, 0)]
    assert desk.rows("SELECT count(*) FROM limit_uses") == [(0,)]
    assert desk.rows("SELECT c.external_id FROM redemptions r JOIN customers c ON c.id = r.customer_id") == [("C1",)]


def test_importing_past_redemptions_again_changes_nothing_but_what_changed(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    desk = Desk(database, tmp_path, now)
    desk.load(KIND, HEAD + "R1,A,ten,18,C1,O1,2017-05-01,2.50,USD\n")
    public = desk.rows("SELECT public_id FROM redemptions")
    result = desk.load(KIND, "redemption_id,redeemed_at,discount\nR1,2017-05-01,3\nR2,someday,1\n")
    assert (result.updated, result.created) == (1, 0) and "redeemed_at" in reasons(result)[3]
    assert desk.rows("SELECT discount_cents, code_text, currency FROM redemptions") == [(300, "A", "USD")]
    assert desk.rows("SELECT public_id FROM redemptions") == public
