"""What can be asked about somebody's orders, and how is it said?

Owns the measures of `{"orders": ...}` with their English and German words. What each means exactly stands with its SQL
in segments/compiling/measures.py and segments/compiling/amounts.py; here stands what a reader of the sentence has to
know.
"""

from segments.language.wordings import Measure, Wording

_ORDERED = {
    "en": Wording("placed {amount} {where} {when}", "placed no order {where} {when}", "never ordered {where}",
                  ("an order", "order", "orders")),
    "de": Wording("{when} {amount} {where} aufgegeben haben", "{when} keine Bestellung {where} aufgegeben haben",
                  "nie {where} bestellt haben", ("mindestens eine Bestellung", "Bestellung", "Bestellungen")),
}
_BOUGHT = {
    "en": Wording("bought {what} {amount} {where} {when}", "did not buy {what} {where} {when}",
                  "never bought {what} {where}"),
    "de": Wording("{when} {amount} {what} {where} gekauft haben", "{when} nicht {what} {where} gekauft haben",
                  "nie {what} {where} gekauft haben"),
}
_DAYS, _TAGE, _TAGEN = ("", "day", "days"), ("", "Tag", "Tage"), ("", "Tag", "Tagen")

_COUNTED = (
    Measure("count", "number", _ORDERED, _BOUGHT),
    Measure("quantity", "number", {
        "en": Wording("bought {amount} {what} {where} {when}", units=("", "item", "items"), goods="of {}"),
        "de": Wording("{when} {amount} {what} {where} gekauft haben", units=("", "Stück", "Stück"))}, lines=True),
    Measure("distinct_products", "number", {
        "en": Wording("bought {amount} {what} {where} {when}", "bought no product {what} {where} {when}",
                      units=("a product", "different product", "different products"), goods="of {}"),
        "de": Wording("{when} {amount} {what} {where} gekauft haben",
                      "{when} keinen Artikel {what} {where} gekauft haben",
                      units=("mindestens einen Artikel", "verschiedenen Artikel", "verschiedene Artikel"),
                      goods="aus {}")}, lines=True),
    Measure("open", "number", {
        "en": Wording("have {amount} {what} {where} {when}", "have no undelivered order {what} {where} {when}",
                      units=("an undelivered order", "undelivered order", "undelivered orders"), goods="with {}"),
        "de": Wording("{amount} {what} {where} {when} haben", "keine offene Bestellung {what} {where} {when} haben",
                      units=("mindestens eine offene Bestellung", "offene Bestellung", "offene Bestellungen"),
                      goods="mit {}")}, lines=True),
    Measure("per_year", "number", {
        "en": Wording("placed {amount} a year {where} {when}", units=("", "order", "orders")),
        "de": Wording("{when} im Jahr {amount} {where} aufgegeben haben", units=("", "Bestellung", "Bestellungen"))}, {
        "en": Wording("bought {what} {amount} a year {where} {when}"),
        "de": Wording("{when} {what} {where} {amount} im Jahr gekauft haben")}, single=False),
)
_AMOUNTS = (
    Measure("revenue", "cents", {
        "en": Wording("spent {amount} {what} {where} {when}", goods="on {}"),
        "de": Wording("{when} {amount} {what} {where} ausgegeben haben", goods="für {}")}, money=True),
    Measure("net_revenue", "cents", {
        "en": Wording("spent {amount} after returns {what} {where} {when}", goods="on {}"),
        "de": Wording("{when} nach Retouren {amount} {what} {where} ausgegeben haben", goods="für {}")},
        lines=True, money=True),
    Measure("margin", "cents", {
        "en": Wording("brought a margin of {amount} {what} {where} {when}",
                      "did not bring a margin of {amount} {what} {where} {when}", goods="with {}",
                      known="have a known margin {what} {where} {when}",
                      unknown="have no known margin {what} {where} {when}"),
        "de": Wording("{when} {amount} Marge {what} {where} gebracht haben",
                      "{when} nicht {amount} Marge {what} {where} gebracht haben", goods="mit {}",
                      known="{when} eine bekannte Marge {what} {where} haben",
                      unknown="{when} keine bekannte Marge {what} {where} haben")},
        lines=True, money=True, missing=True),
    Measure("average_value", "cents", {
        "en": Wording("spent {amount} per order on average {what} {where} {when}", goods="on {}"),
        "de": Wording("{when} im Schnitt {amount} je Bestellung {what} {where} ausgegeben haben", goods="für {}")},
        money=True),
)
_SHARES = (
    Measure("returned_share", "share", {
        "en": Wording("sent back {amount} of what they bought {where} {when}"),
        "de": Wording("{amount} des {where} {when} Gekauften zurückgeschickt haben")}, {
        "en": Wording("sent back {amount} {what} {where} {when}", goods="of what they bought of {}"),
        "de": Wording("{amount} {what} {where} {when} zurückgeschickt haben", goods="des Gekauften aus {}")},
        lines=True),
    Measure("discount_share", "share", {
        "en": Wording("saved {amount} by discounts {what} {where} {when}", goods="on {}"),
        "de": Wording("{when} {amount} durch Rabatte {what} {where} gespart haben", goods="bei {}")},
        lines=True, money=True),
    Measure("revenue_share", "share", {
        "en": Wording("spent {amount} of their money {what} {where} {when}", goods="on {}"),
        "de": Wording("{when} {amount} ihres Geldes {what} {where} ausgegeben haben", goods="für {}")},
        money=True, needs_where=True),
)
_DATES = (
    Measure("first_at", "instant", {
        "en": Wording("first ordered {where} {amount} {when}", "did not place their first order {where} {amount} "
                      "{when}"),
        "de": Wording("{where} zum ersten Mal {amount} {when} bestellt haben",
                      "ihre erste Bestellung {where} nicht {amount} {when} aufgegeben haben")}, {
        "en": Wording("first bought {what} {where} {amount} {when}", "did not first buy {what} {where} {amount} "
                      "{when}"),
        "de": Wording("{what} {where} zum ersten Mal {amount} {when} gekauft haben",
                      "{what} {where} nicht zum ersten Mal {amount} {when} gekauft haben")}, missing=True),
    Measure("last_at", "instant", {
        "en": Wording("last ordered {where} {amount} {when}", "did not place their last order {where} {amount} "
                      "{when}"),
        "de": Wording("{where} zum letzten Mal {amount} {when} bestellt haben",
                      "ihre letzte Bestellung {where} nicht {amount} {when} aufgegeben haben")}, {
        "en": Wording("last bought {what} {where} {amount} {when}", "did not last buy {what} {where} {amount} "
                      "{when}"),
        "de": Wording("{what} {where} zum letzten Mal {amount} {when} gekauft haben",
                      "{what} {where} nicht zum letzten Mal {amount} {when} gekauft haben")}, missing=True),
    Measure("days_since_first", "number", {
        "en": Wording("first ordered {where} {amount} ago {when}",
                      "did not place their first order {where} {amount} ago {when}", units=_DAYS),
        "de": Wording("{where} zum ersten Mal vor {amount} {when} bestellt haben",
                      "ihre erste Bestellung {where} nicht vor {amount} {when} aufgegeben haben", units=_TAGEN)}, {
        "en": Wording("first bought {what} {where} {amount} ago {when}",
                      "did not first buy {what} {where} {amount} ago {when}", units=_DAYS),
        "de": Wording("{what} {where} zum ersten Mal vor {amount} {when} gekauft haben",
                      "{what} {where} nicht zum ersten Mal vor {amount} {when} gekauft haben", units=_TAGEN)},
        missing=True),
    Measure("days_since_last", "number", {
        "en": Wording("last ordered {where} {amount} ago {when}",
                      "did not place their last order {where} {amount} ago {when}", units=_DAYS),
        "de": Wording("{where} zum letzten Mal vor {amount} {when} bestellt haben",
                      "ihre letzte Bestellung {where} nicht vor {amount} {when} aufgegeben haben", units=_TAGEN)}, {
        "en": Wording("last bought {what} {where} {amount} ago {when}",
                      "did not last buy {what} {where} {amount} ago {when}", units=_DAYS),
        "de": Wording("{what} {where} zum letzten Mal vor {amount} {when} gekauft haben",
                      "{what} {where} nicht zum letzten Mal vor {amount} {when} gekauft haben", units=_TAGEN)},
        missing=True),
    Measure("days_since_delivery", "number", {
        "en": Wording("got their last delivery {what} {where} {amount} ago {when}",
                      "did not get their last delivery {what} {where} {amount} ago {when}", units=_DAYS,
                      goods="of {}", known="have had a delivery {what} {where} {when}",
                      unknown="have had no delivery {what} {where} {when}"),
        "de": Wording("ihre letzte Lieferung {what} {where} vor {amount} {when} bekommen haben",
                      "ihre letzte Lieferung {what} {where} nicht vor {amount} {when} bekommen haben", units=_TAGEN,
                      goods="mit {}", known="eine Lieferung {what} {where} {when} bekommen haben",
                      unknown="keine Lieferung {what} {where} {when} bekommen haben")}, lines=True, missing=True),
)
_RHYTHM = (
    Measure("days_between", "number", {
        "en": Wording("let {amount} pass between orders {where} on average {when}",
                      "do not let {amount} pass between orders {where} on average {when}", units=_DAYS,
                      known="have a usual time between orders {where} {when}",
                      unknown="have no usual time between orders {where} {when}"),
        "de": Wording("zwischen Bestellungen {where} im Schnitt {amount} vergehen lassen {when}",
                      "zwischen Bestellungen {where} im Schnitt nicht {amount} vergehen lassen {when}", units=_TAGE,
                      known="einen üblichen Abstand zwischen Bestellungen {where} {when} haben",
                      unknown="keinen üblichen Abstand zwischen Bestellungen {where} {when} haben")}, {
        "en": Wording("let {amount} pass between purchases {what} {where} on average {when}",
                      "do not let {amount} pass between purchases {what} {where} on average {when}", units=_DAYS,
                      goods="of {}", known="have a usual time between purchases {what} {where} {when}",
                      unknown="have no usual time between purchases {what} {where} {when}"),
        "de": Wording("zwischen Käufen {what} {where} im Schnitt {amount} vergehen lassen {when}",
                      "zwischen Käufen {what} {where} im Schnitt nicht {amount} vergehen lassen {when}", units=_TAGE,
                      goods="von {}", known="einen üblichen Abstand zwischen Käufen {what} {where} {when} haben",
                      unknown="keinen üblichen Abstand zwischen Käufen {what} {where} {when} haben")},
        missing=True, single=False),
    Measure("overdue", "number", {
        "en": Wording("have let {amount} of their usual time between orders {where} go by {when}",
                      "have not let {amount} of their usual time between orders {where} go by {when}", percent=True,
                      known="have a rhythm to be late for with orders {where} {when}",
                      unknown="have no rhythm to be late for with orders {where} {when}"),
        "de": Wording("{amount} ihrer üblichen Zeit zwischen Bestellungen {where} verstreichen ließen {when}",
                      "nicht {amount} ihrer üblichen Zeit zwischen Bestellungen {where} verstreichen ließen {when}",
                      percent=True, known="bei Bestellungen {where} einen Rhythmus haben {when}",
                      unknown="bei Bestellungen {where} keinen Rhythmus haben {when}")}, {
        "en": Wording("have let {amount} of their usual time between purchases {what} {where} go by {when}",
                      "have not let {amount} of their usual time between purchases {what} {where} go by {when}",
                      percent=True, goods="of {}",
                      known="have a rhythm to be late for with purchases {what} {where} {when}",
                      unknown="have no rhythm to be late for with purchases {what} {where} {when}"),
        "de": Wording("{amount} ihrer üblichen Zeit zwischen Käufen {what} {where} verstreichen ließen {when}",
                      "nicht {amount} ihrer üblichen Zeit zwischen Käufen {what} {where} verstreichen ließen {when}",
                      percent=True, goods="von {}", known="bei Käufen {what} {where} einen Rhythmus haben {when}",
                      unknown="bei Käufen {what} {where} keinen Rhythmus haben {when}")},
        missing=True, single=False),
)

ORDER_MEASURES = {measure.name: measure for measure in (*_COUNTED, *_AMOUNTS, *_SHARES, *_DATES, *_RHYTHM)}
"""Name -> measure of orders."""
