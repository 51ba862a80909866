"""How is it said what people did and what they are to the shop?

Owns the measures of events and of relations. Events are counted under whatever name the shop gives them, so every name
has the same entry; how often it happened to somebody is all that can be asked.
"""

from segments.language.wordings import Measure, Wording

_HAPPENED = Measure("count", "number", {
    "en": Wording("had the event {event} {amount} {where} {when}", "did not have the event {event} {where} {when}",
                  "never had the event {event} {where}"),
    "de": Wording("{when} {amount} das Ereignis {event} {where} hatten", "{when} nicht das Ereignis {event} {where}"
                  " hatten", "nie das Ereignis {event} {where} hatten"),
})


class EveryName(dict[str, Measure]):
    """The measures of events: any name has the one entry."""

    def __missing__(self, name: str) -> Measure:
        return _HAPPENED


EVENT_MEASURES = EveryName()
RELATION_MEASURES = {"count": Measure("count", "number", {
    "en": Wording("have {amount} to us {where}", "have no relation to us {where}",
                  units=("a relation", "relation", "relations")),
    "de": Wording("{amount} zu uns {where} haben", "keine Beziehung zu uns {where} haben",
                  units=("mindestens eine Beziehung", "Beziehung", "Beziehungen")),
})}
SCORE_LABELS = {
    "rfm": "RFM score", "recency": "recency score", "frequency": "frequency score", "monetary": "monetary score",
    "clv_12m": "expected value of the next 12 months", "p_alive": "probability of still being a customer",
    "churn_risk": "risk of leaving",
}
"""Score -> its name in English; the other languages have theirs among the labels (segments/telling/phrases.py)."""
