"""Whether a campaign would be worth it, as a fragment of its page."""

from flask import current_app, render_template
from flask.typing import ResponseReturnValue

from core.errors import NotFound, NotReady, TooSlow
from journeys.editing.audience import audience
from reporting.break_even import break_even
from web.frame.fragments import part_of
from web.pages.campaigns import CHANNEL_WORDS, blueprint
from web.requests.questions import questions
from web.requests.transactions import request_now


@blueprint.get("/campaigns/<key>/worth")
@part_of("campaigns.show")
def worth(key: str) -> ResponseReturnValue:
    """What it costs, how many orders on top pay for it, and what earlier ones caused."""
    now = request_now()
    secret = str(current_app.extensions["winback.settings"].secret_key)
    try:
        found = break_even(questions(), key, audience(questions(), key, now=now, secret_key=secret), now=now)
    except (NotFound, NotReady, TooSlow) as error:
        return render_template("pages/campaigns/worth.html", found=None, problem=error.message)
    past = [each.estimate for each in found.past]
    return render_template("pages/campaigns/worth.html", found=found, problem=None, channels=CHANNEL_WORDS,
                           lowest=min(past, default=None), highest=max(past, default=None))
