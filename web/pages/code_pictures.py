"""A code as a picture: its QR code to look at and to print, and the poster of a code that everybody may use."""

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from core.codes import canonical, grouped
from core.errors import Conflict, Invalid, NotFound
from core.qr import qr_png, qr_svg
from coupons.codes.showing import names_for
from coupons.codes.story import code_story
from coupons.offers.conditions import offer_terms
from coupons.offers.wording import moment, offer_words
from delivery.channels.poster import Poster, draw_poster
from delivery.profile import get_profile
from web.coupons.code_links import link_of
from web.requests.transactions import reading, request_now

blueprint = Blueprint("code_pictures", __name__)

LANGUAGES = ("en", "de")


@blueprint.get("/codes/<code>/qr.<any(svg, png):form>")
def qr(code: str, form: str) -> ResponseReturnValue:
    """The QR code; with `?save` as a file to keep."""
    now = request_now()
    with reading() as session:
        story = code_story(session, code.replace("\x00", ""), now=now)
        text = story.code.code
        link = link_of(session, story.code.written or text, only=story.offer.shops, shop=request.args.get("shop"))
    body, kind = (qr_svg(link.text), "image/svg+xml") if form == "svg" else (qr_png(link.text), "image/png")
    return _picture(body, kind, f"code-{text}.{form}", save="save" in request.args)


@blueprint.get("/codes/<code>/poster-<language>.pdf")
def poster(code: str, language: str) -> ResponseReturnValue:
    """The poster of a public code, in English or German; `?as=SUMMER-ULM` prints it as people read it."""
    if language not in LANGUAGES:
        raise NotFound("Posters are made in English (en) and German (de).")
    now = request_now()
    with reading() as session:
        story = code_story(session, code.replace("\x00", ""), now=now)
        if story.batch is None or story.batch.kind != "public":
            raise Conflict("A poster is made for public codes: this code belongs to one person or to a pool.")
        link = link_of(session, story.code.written or story.code.code, only=story.offer.shops,
                       shop=request.args.get("shop"))
        names = names_for(session, story.offer)
        terms = offer_terms(story.offer, language, names=names)
        if story.code.valid_until is not None and story.offer.valid_until is None:
            end = moment(story.code.valid_until, story.offer.zone, language)
            terms.append(f"Gültig bis {end}." if language == "de" else f"Valid until {end}.")
        wanted = Poster(get_profile(session).shop_name, offer_words(story.offer, language, names=names),
                        _written(story.code.code, story.code.written), link.text, tuple(terms),
                        story.code.region or "", language)
    drawn = draw_poster(wanted, now=now)
    if not drawn.valid:
        raise Invalid("The poster cannot be printed. " + " ".join(drawn.errors))
    return _picture(drawn.pdf, "application/pdf", f"poster-{story.code.code}-{language}.pdf", save=True)


def _written(code: str, opened: str | None) -> str:
    """The code as it is to be printed: as typed, if it is this code in another spelling."""
    typed = " ".join(request.args.get("as", "").split())[:64]
    if not typed:
        return opened or grouped(code)
    if canonical(typed) != code:
        raise Invalid(f"“{typed}” would be read as another code than {code}. Write it as you opened it.", place="as")
    return typed


def _picture(body: bytes, kind: str, name: str, *, save: bool) -> Response:
    answer = Response(body, mimetype=kind)
    answer.headers["Cache-Control"] = "no-store"  # a code is worth money
    if save:
        answer.headers.set("Content-Disposition", "attachment", filename=name)
    return answer
