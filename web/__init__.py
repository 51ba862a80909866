"""The web door: parse, open a transaction, call a verb, answer. No SQL and no rule lives here.

Routes are in `pages/`, `api/`, `public/` and `hooks/`; what several of them share is in rooms by subject: `security/`,
`requests/`, `frame/`, `wording/` for all, `people/`, `journeys/`, `coupons/`, `campaigns/`, `builder/` (segments) and
`shops/` for their own pages.

How to add a page (nothing else needs to be edited; `web/registry.py` finds the file):
1. `web/pages/things.py` with `blueprint = Blueprint("things", __name__)` and routes like `@blueprint.get("/things")`.
   Name the list page's function `index`: the side bar links to `things.index` (see `web/frame/navigation.py`).
2. `now = request_now()` first, then `with reading() as session:` or `with writing() as session:` around the verbs of
   the rooms below (web/requests/transactions.py), then `render_template("pages/things/index.html", ...)`.
3. The template: `{% extends "base.html" %}`, blocks `title`, `crumbs`, `heading`, `sub`, `actions`, `content`;
   macros by `{% from "macros/cards.html" import head, pill %}`. /style-guide shows all of them.
4. Everybody signed in may GET; POST is for admin and marketer. Change that with `@needs_role("agent", ...)` under the
   route. Forms carry `{{ csrf_field() }}`, htmx sends the token by itself; `toast("Saved.")` before a redirect;
   `record(session, "thing.saved", "thing:7", now=now)` in the writing block.
5. Optional in the module: `nav_count(session, now)` for the number in the side bar, `find(session, words)` for Ctrl-K.
No `style=`, `<script>` text or `on...=` attributes: the content policy refuses them. Charts: `web/frame/plots.py`.

API resources (`web/api/things.py`, a flask-smorest `Blueprint` with `url_prefix="/api/v1/things"`) need the scope
`read` or, for other methods than GET, `write`; `@needs_scope("redemptions")` changes that. `web/public/` and
`web/hooks/` are open to everybody: each route there checks its own token or signature.
"""
