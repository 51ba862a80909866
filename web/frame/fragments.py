"""What happens when somebody opens a part of a page by its own address?

Owns the way back to the whole page: a part comes without its frame and its looks, so a browser that opens one as a
document (a bookmark, "open in a new tab") is led to the page that holds it.
"""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue

P = ParamSpec("P")


def part_of(page: str) -> Callable[[Callable[P, ResponseReturnValue]], Callable[P, ResponseReturnValue]]:
    """Decorates a view that answers a part of `page`, an endpoint with the same arguments in its address."""
    def decorate(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
        @wraps(view)
        def answer(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
            if request.headers.get("Sec-Fetch-Dest") == "document":
                return redirect(url_for(page, **(request.view_args or {})))
            return view(*args, **kwargs)
        return answer
    return decorate
