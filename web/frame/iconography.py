"""Which small drawings may stand beside a word?

Owns the outline icons under `web/icons/` (licence beside them) and turns a name into inline SVG. The promise: an
unknown name fails when the page is built, so no page ships with a hole, and no icon is ever fetched.
"""

import re
from functools import cache
from pathlib import Path

from markupsafe import Markup, escape

_FOLDER = Path(__file__).parent.parent / "icons"
_NAME = re.compile(r"[a-z0-9-]+")


@cache
def _drawing(name: str) -> str:
    path = _FOLDER / f"{name}.svg"
    if not _NAME.fullmatch(name) or not path.is_file():
        raise LookupError(f"There is no icon {name!r} in web/icons; static/vendor/README.md says where from.")
    body = re.search(r"<svg[^>]*>(.*)</svg>", path.read_text(encoding="utf-8"), re.S)
    assert body is not None
    shapes = re.sub(r'<path stroke="none" d="M0 0h24v24H0z" fill="none" />', "", body[1])
    return " ".join(shapes.split())


def icon(name: str, *, large: bool = False, label: str | None = None) -> Markup:
    """Return the icon as inline SVG, 16 px (18 if `large`); hidden from readers unless it carries a `label`."""
    classes = "i l" if large else "i"
    spoken = f'role="img" aria-label="{escape(label)}"' if label else 'aria-hidden="true"'
    return Markup(
        f'<svg class="{classes}" {spoken} viewBox="0 0 24 24" fill="none" stroke="currentColor" '
        f'stroke-linecap="round" stroke-linejoin="round">{_drawing(name)}</svg>'
    )
