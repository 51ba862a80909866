"""The web door: parse, open a transaction, call a verb, answer. No SQL and no rule lives here.

How to add a page (nothing else needs to be edited; `web/registry.py` finds the file):
1. `web/pages/things.py` with `blueprint = Blueprint("things", __name__)` and routes such as `@blueprint.get("/things")`.
   Name the list page's function `index`: the side bar links to `things.index` (see `web/navigation.py`).
2. `with reading() as session:` or `with writing() as session:` (web/transactions.py), `request_now()`, call verbs of
   the rooms below, then `render_template("pages/things/index.html", ...)`. Verbs never commit; the block does.
3. The template: `{% extends "base.html" %}`, blocks `title`, `crumbs`, `heading`, `sub`, `actions`, `content`; macros by
   `{% from "macros/cards.html" import head, pill %}`. All of them are shown at /style-guide.
4. Everybody signed in may GET; POST is for admin and marketer. Change that with `@needs_role("agent", ...)`. Page forms
   carry `{{ csrf_field() }}`; htmx sends the token by itself. `toast("Saved.")`, `record(session, verb, thing, now=...)`.
5. Optional: `nav_count(session, now)` for the number in the side bar, `find(session, words)` for Ctrl-K.
No `style=`, `<script>` text or `on...=` attributes: the content policy refuses them. Charts come from `web/plots.py`.

API resources (`web/api/things.py`, a flask-smorest `Blueprint` with `url_prefix="/api/v1/things"`) need the scope `read`
or, for other methods than GET, `write`; `@needs_scope("redemptions")` changes that. `web/public/` and `web/hooks/` are
open to everybody: each route there checks its own token or signature.
"""
