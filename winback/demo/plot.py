"""What is the story the demo plays, for each of its two data sets?

Owns the plot: the segment, the offers, the words sent, the journeys. Everything here is what a marketer would enter by
hand; the demo saves it through the same verbs as the pages do.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from winback.demo.generated import FURNITURE
from winback.demo.journeydata import AS_OF, HOME_GOODS
from winback.demo.truth import COMPLETE_JOURNEY, GENERATED, Truth

DAYS = 30


@dataclass(frozen=True)
class Plot:
    """One data set's story. Amounts in cents, rates 0..1."""

    data: str
    goods: str
    categories: list[str]
    currency: str
    starts_at: datetime
    segment: str
    segment_name: str
    campaign: str
    campaign_name: str
    fixed_offer: str
    fixed_cents: int
    truth: Truth

    @property
    def ends_at(self) -> datetime:
        """The last simulated instant."""
        return self.starts_at + timedelta(days=DAYS)

    @property
    def rule(self) -> dict[str, Any]:
        """Bought the goods in the past year, not in the last quarter."""
        where = {"category": self.categories}
        return {"all": [
            {"orders": "count", "where": where, "window": {"last_days": 365}, "at_least": 1},
            {"orders": "count", "where": where, "window": {"last_days": 90}, "equals": 0},
        ]}

    @property
    def second_rule(self) -> dict[str, Any]:
        """The same people, less those who used a code in the meantime."""
        return {"all": [
            {"segment": self.segment},
            {"coupons": "redeemed", "where": {"campaign": self.campaign}, "equals": 0},
        ]}


def complete_journey() -> Plot:
    """The plot on the Complete Journey data, in January 2018."""
    return Plot("completejourney", "home goods", HOME_GOODS, "USD", AS_OF, "lapsed-home-goods",
                "Bought home goods, then stopped", "home-goods-win-back", "Home goods win-back, January 2018",
                "five-dollars", 500, COMPLETE_JOURNEY)


def furniture_shop(ends_at: datetime) -> Plot:
    """The plot on generated data, ending at `ends_at` so that its codes are valid while the builder is served."""
    return Plot("generated", "furniture", FURNITURE, "EUR", ends_at - timedelta(days=DAYS), "lapsed-furniture",
                "Lapsed furniture buyers", "furniture-win-back", "Furniture win-back", "fifteen-euros", 1500, GENERATED)


def contents(plot: Plot) -> dict[str, dict[str, str]]:
    """The words, by content key: name, subject, mjml, letter, call_script."""
    goods = plot.goods
    return {
        f"{plot.goods.replace(' ', '-')}-offer": _content(
            f"{goods.capitalize()}: we kept your place",
            f"Something off {goods} for you, {{{{ customer.first_name }}}}",
            f"It has been a while since you last bought {goods} from us.",
            "Your personal code takes {{ offer.text }}. It is valid until {{ code_valid_until }}.",
        ),
        f"{plot.goods.replace(' ', '-')}-reminder": _content(
            f"{goods.capitalize()}: your code is still waiting", "Your code is still waiting",
            "You still have the code we sent you, and it is still good.",
            "It takes {{ offer.text }}, until {{ code_valid_until }}. After that we leave you in peace.",
        ),
        f"{plot.goods.replace(' ', '-')}-second-try": _content(
            f"{goods.capitalize()}: one more idea", f"One more idea for your {goods}",
            "We have a last idea for this season, then we leave you in peace.",
            "This code takes {{ offer.text }} and is valid until {{ code_valid_until }}.",
        ),
    }


def _content(name: str, subject: str, opening: str, offer: str) -> dict[str, str]:
    greeting = "{{ greeting }},"
    return {
        "name": name,
        "subject": subject,
        "mjml": f"""<mjml>
  <mj-head>
    <mj-attributes>
      <mj-all font-family="Arial, sans-serif" />
      <mj-text font-size="16px" line-height="24px" />
    </mj-attributes>
    <mj-preview>{opening}</mj-preview>
  </mj-head>
  <mj-body background-color="#F6F7F7">
    <mj-section background-color="#FFFFFF" padding="32px 24px">
      <mj-column>
        <mj-text>{greeting}</mj-text>
        <mj-text>{opening}</mj-text>
        <mj-text>{offer}</mj-text>
        <mj-text align="center" font-size="24px" font-weight="600" color="#0B6670">{{{{ code }}}}</mj-text>
        <mj-text>Enter it at the checkout, or name it when you order by phone or letter.</mj-text>
      </mj-column>
    </mj-section>
    <mj-section padding="16px 24px">
      <mj-column>
        <mj-text font-size="12px" line-height="18px" color="#455159">
          You get this because you allowed us to write to you.
          <a href="{{{{ unsubscribe_url }}}}">Unsubscribe</a> or
          <a href="{{{{ preferences_url }}}}">choose how we reach you</a>.
        </mj-text>
      </mj-column>
    </mj-section>
  </mj-body>
</mjml>""",
        "letter": f"{greeting}\n\n{opening}\n\n{offer}\n\n"
                  "Enter the code below at the checkout, or name it when you order by phone or letter.\n\n"
                  "With kind regards",
        "call_script": f"Good day, {{{{ customer.first_name }}}} {{{{ customer.last_name }}}}. {opening} {offer}"
                       " The code is {{ code }}.",
    }


def main_graph(plot: Plot) -> dict[str, Any]:
    """Two offers against a hold-out, one reminder with the same code."""
    offer, reminder = (f"{plot.goods.replace(' ', '-')}-{kind}" for kind in ("offer", "reminder"))

    def send(content: str, code_offer: str, following: str) -> dict[str, Any]:
        return {"kind": "send", "content": content, "offer": code_offer, "channel": "preferred", "fallback": True,
                "next": following}

    return {
        "name": plot.campaign_name,
        "entry": {"segment": plot.segment},
        "reentry": "never",
        "window": {"from": plot.starts_at.isoformat(), "until": plot.ends_at.isoformat()},
        "holdout_percent": 10,
        "exit_when": [{"redeemed": True}, {"orders": "count", "where": {"category": plot.categories},
                                           "window": {"last_days": DAYS}, "at_least": 1}],
        "start": "morning",
        "steps": {
            "morning": {"kind": "wait", "days": 0, "at_local_time": "09:00", "next": "split"},
            "split": {"kind": "split", "arms": {"A": 50, "B": 50}, "next": {"A": "mail_a", "B": "mail_b"}},
            "mail_a": send(offer, "ten-percent", "pause_a"),
            "mail_b": send(offer, plot.fixed_offer, "pause_b"),
            "pause_a": {"kind": "wait", "days": 7, "at_local_time": "09:00", "next": "bought_a"},
            "pause_b": {"kind": "wait", "days": 7, "at_local_time": "09:00", "next": "bought_b"},
            "bought_a": _bought(plot, "remind_a"),
            "bought_b": _bought(plot, "remind_b"),
            "remind_a": send(reminder, "ten-percent", "end"),
            "remind_b": send(reminder, plot.fixed_offer, "end"),
            "end": {"kind": "leave"},
        },
    }


def _bought(plot: Plot, otherwise: str) -> dict[str, Any]:
    rule = {"orders": "count", "where": {"category": plot.categories}, "window": {"last_days": 14}, "at_least": 1}
    return {"kind": "branch", "if": rule, "next": {"yes": "end", "no": otherwise}}


def second_graph(plot: Plot) -> dict[str, Any]:
    """The follow-up wave at the last simulated instant: one offer, a hold-out, live codes to redeem by hand."""
    return {
        "name": f"{plot.campaign_name}, second try",
        "entry": {"segment": f"{plot.segment}-second"},
        "reentry": "never",
        "window": {"from": plot.ends_at.isoformat(), "until": (plot.ends_at + timedelta(days=DAYS)).isoformat()},
        "holdout_percent": 10,
        "start": "mail",
        "steps": {
            "mail": {"kind": "send", "content": f"{plot.goods.replace(' ', '-')}-second-try", "offer": "ten-percent",
                     "channel": "preferred", "fallback": True, "next": "wait"},
            "wait": {"kind": "wait", "days": 14, "next": "end"},
            "end": {"kind": "leave"},
        },
    }
