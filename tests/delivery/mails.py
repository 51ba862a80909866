"""Contents and people for the delivery tests."""

from __future__ import annotations

from datetime import date
from typing import Any

from delivery.content import CompiledContent, ContentSource, compile_content

MJML = """<mjml>
  <mj-head><mj-preview>Soon & gone</mj-preview><mj-style>.x > a { color: red }</mj-style></mj-head>
  <mj-body>
    <mj-section><mj-column>
<mj-text>{{ greeting }},<br>10&nbsp;% off & free delivery{% if customer.city == "Köln" %} in Köln{% endif %}.</mj-text>
      <mj-image src="https://img.example/a.png?a=1&b=2" alt="A &quot;good&quot; chair" />
      <mj-button href="{{ links.shop }}">Your code {{ code }}</mj-button>
      <mj-text>Valid until {{ code_valid_until }}. <a href="{{ unsubscribe_url }}">Unsubscribe</a></mj-text>
    </mj-column></mj-section>
  </mj-body>
</mjml>"""

PERSON: dict[str, Any] = {
    "customer": {"first_name": "Anna", "last_name": "Müller", "salutation": "Ms", "city": "Köln", "language": "en"},
    "code": "ABCD-EFGH-JKMN-X",
    "code_valid_until": date(2026, 12, 6),
    "unsubscribe_url": "https://shop.example/u/token",
    "links": {"shop": "https://shop.example/?a=1&b=2"},
}


def mail(body: str = "", **parts: Any) -> CompiledContent:
    """Compile a mail whose only text is `body`, or the standing one."""
    mjml = in_text(body) if body else MJML
    return compile_content(ContentSource(**{"subject": "For {{ customer.first_name }}", "mjml": mjml, **parts}))


def in_text(body: str) -> str:
    """Put HTML into the smallest MJML around it."""
    return f"<mjml><mj-body><mj-section><mj-column><mj-text>{body}</mj-text></mj-column></mj-section></mj-body></mjml>"
