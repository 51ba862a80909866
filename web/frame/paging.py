"""Where does the next page of a list begin?

Owns reading the cursor of a page's address. Lists are walked by key, so a page is as fast as the first one.
"""

from core.errors import Invalid


def stored_number(text: str) -> int:
    """A number that a database can hold, for `request.args.get(type=)`. Raises ValueError for any other."""
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise ValueError("no number of ours")
    return int(text)


def cursor(text: str | None) -> int:
    """The number to begin after, 0 for the first page. Raises Invalid for what is no cursor of ours."""
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise Invalid("This page of the list does not exist. Go back to the first page.", place="after")
    return int(text)
