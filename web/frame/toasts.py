"""What does the next page tell the person about what they just did?

Owns the one-line notes at the bottom left: done (with a way back) or refused (with the reason and the fix).
"""

from typing import Any, Literal

from flask import flash, get_flashed_messages


def toast(
    text: str, *, kind: Literal["done", "refused"] = "done", action: str | None = None, href: str | None = None,
    post: bool = False,
) -> None:
    """Show one line on the next page; `action` and `href` add a link ("Undo"), sent as a form when `post`."""
    flash({"text": text, "action": action, "href": href, "post": post}, kind)  # type: ignore[arg-type]


def waiting_toasts() -> list[dict[str, Any]]:
    """Take the notes that wait for this page."""
    taken: list[dict[str, Any]] = []
    waiting: list[Any] = get_flashed_messages(with_categories=True)
    for kind, note in waiting:
        fields: dict[str, Any] = note if isinstance(note, dict) else {"text": note}
        taken.append({**fields, "kind": kind if kind in ("done", "refused") else "done"})
    return taken
