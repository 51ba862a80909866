"""Where does a name on a page lead?

Owns the addresses of things that several pages link to, so that a page may come later than the links to it.
"""

from urllib.parse import quote

from flask import current_app, url_for


def customer_href(number: str) -> str:
    """The page of the customer with this number."""
    if "customers.show" in current_app.view_functions:
        return url_for("customers.show", external_id=number)
    return f"/customers/{quote(number, safe='')}"
