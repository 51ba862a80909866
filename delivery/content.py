"""What does a content say, in each channel, and may it be sent?

Owns the compiling of one revision: MJML to inlined HTML and its plain text, subject, letter and call script, all
checked together. Compiling happens once; filling per person is `personal.py`. A value goes in and a value comes out:
a content that is `valid`, or the list of everything to mend, with part, line and tag. No file, no network, no clock.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any

import lxml.html
from liquid.exceptions import LiquidError

from delivery.markup import LIQUID_TOKEN, PLACEHOLDER, CheckedMarkup, Protected, checked, protect, unescaped_tags
from delivery.plaintext import plain_text
from delivery.templating import ContentError, line_at, liquid_error, parsed, template_errors, variables_of

_FOOTER = (
    '<mj-section padding="10px 0"><mj-column><mj-text align="center" font-size="12px" color="#667382">'
    '<a href="{{ unsubscribe_url }}" style="color:#667382">%s</a></mj-text></mj-column></mj-section>'
)
_FOOTER_WORDS = {"de": "Newsletter abbestellen", "en": "Unsubscribe"}
_BODY_END = re.compile(r"</mj-body\s*>", re.IGNORECASE)
_EMPTY_BODY = re.compile(r"<mj-body[^>]*>\s*</mj-body", re.IGNORECASE)
_UNBALANCED = " A condition must begin and end in the same text, or stand around whole sections."
_IMPORT = re.compile(r"@import[^;<]*;", re.IGNORECASE)
_GOOGLE_FONTS = re.compile(
    r"<!--\[if !mso\]><!-->\s*(?:<link href=\"https://fonts\.googleapis\.com[^>]*>\s*)+"
    r"<style[^>]*>\s*(?:@import url\(https://fonts\.googleapis\.com[^;]*;\s*)+</style>\s*<!--<!\[endif\]-->"
)


@dataclass(frozen=True, slots=True)
class ContentSource:
    """One content as written: a part left empty means that the content does not speak in that channel.

    `subject` and `mjml` make the e-mail, `letter` and `call_script` are plain paragraphs; all may hold Liquid.
    `marketing` contents get a link to unsubscribe at the end if they have none.
    """

    subject: str = ""
    mjml: str = ""
    letter: str = ""
    call_script: str = ""
    language: str = "en"
    marketing: bool = True


@dataclass(frozen=True)
class CompiledContent:
    """One content ready to be filled, or what is to mend. Equal when compiled from the same source.

    `html`, `text`, `subject`, `letter` and `call_script` are Liquid. `variables` are the dotted names it uses, `links`
    the fixed web addresses it points to.
    """

    digest: str
    subject: str = field(default="", compare=False)
    html: str = field(default="", compare=False)
    text: str = field(default="", compare=False)
    letter: str = field(default="", compare=False)
    call_script: str = field(default="", compare=False)
    language: str = field(default="en", compare=False)
    variables: tuple[str, ...] = field(default=(), compare=False)
    links: tuple[str, ...] = field(default=(), compare=False)
    errors: tuple[ContentError, ...] = field(default=(), compare=False)
    warnings: tuple[ContentError, ...] = field(default=(), compare=False)

    @property
    def valid(self) -> bool:
        """Whether it may be sent."""
        return not self.errors

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels this content can speak in."""
        parts = (("email", self.html), ("letter", self.letter), ("phone", self.call_script))
        return tuple(channel for channel, part in parts if part)

    def stored(self) -> dict[str, Any]:
        """Return a JSON-ready form; `compiled_from` reads it back."""
        return asdict(self)


def compiled_from(stored: dict[str, Any]) -> CompiledContent:
    """Read back what `CompiledContent.stored` wrote."""
    findings = {key: tuple(ContentError(**found) for found in stored[key]) for key in ("errors", "warnings")}
    lists = {key: tuple(stored[key]) for key in ("variables", "links")}
    return CompiledContent(**{**stored, **findings, **lists})


def compile_content(source: ContentSource) -> CompiledContent:
    """Check and compile all parts of a content. Never raises on what a marketer can write: see `errors`."""
    parts = {"subject": source.subject, "letter": source.letter, "call_script": source.call_script}
    errors = [*_missing_parts(source)]
    for part, text in parts.items():
        errors += template_errors(part, text) or _run_once(part, text)
    mail = _compile_mail(source) if source.mjml.strip() else _Mail()
    errors += mail.errors
    digest = hashlib.sha256(json.dumps(asdict(source), sort_keys=True).encode()).hexdigest()
    if errors:
        return CompiledContent(digest, language=source.language, errors=tuple(errors), warnings=mail.warnings)
    used = set[str]().union(*(variables_of(part) for part in (*parts.values(), mail.html)))
    return CompiledContent(
        digest,
        subject=source.subject.strip(),
        html=mail.html,
        text=mail.text,
        letter=source.letter.strip(),
        call_script=source.call_script.strip(),
        language=source.language,
        variables=tuple(sorted(used)),
        links=mail.links,
        warnings=mail.warnings,
    )


def _missing_parts(source: ContentSource) -> list[ContentError]:
    if source.mjml.strip() and not source.subject.strip():
        return [ContentError("subject", None, None, "an e-mail needs a subject; write one.")]
    if not (source.mjml.strip() or source.letter.strip() or source.call_script.strip()):
        return [ContentError("mjml", None, None, "is empty; write an e-mail, a letter or a call script.")]
    return []


@dataclass(frozen=True, slots=True)
class _Mail:
    html: str = ""
    text: str = ""
    errors: tuple[ContentError, ...] = ()
    warnings: tuple[ContentError, ...] = ()
    links: tuple[str, ...] = ()


@lru_cache(maxsize=32)
def _compile_mail(source: ContentSource) -> _Mail:
    """Protect Liquid, check, compile, inline, restore; then look whether all Liquid came through.

    What was looked at is soon saved and copied: the same words are laid out once.
    """
    written, added = _with_way_out(source)
    written = unescaped_tags(written)
    problems = template_errors("mjml", written)
    protected = protect(written)
    found = checked(protected, language=source.language)
    warnings = (*found.warnings, *added)
    if problems or found.errors:
        return _Mail(errors=(*problems, *found.errors), warnings=warnings)
    laid_out = _laid_out(found, protected)
    if isinstance(laid_out, ContentError):
        return _Mail(errors=(laid_out,), warnings=warnings)
    inlined = _inlined(laid_out)
    lost = _lost_liquid(written, protected, inlined)
    html, text = protected.restored(inlined), protected.restored(plain_text(inlined))
    broken = (*lost, *_broken_liquid(html, text))
    return _Mail(html, text, broken, warnings, _fixed_links(inlined))


def _with_way_out(source: ContentSource) -> tuple[str, tuple[ContentError, ...]]:
    """Return the MJML with a link to unsubscribe: marketing never goes out without one."""
    ends = [] if _EMPTY_BODY.search(source.mjml) else list(_BODY_END.finditer(source.mjml))
    if not source.marketing or not ends or re.search(r"\{\{[^}]*\b(unsubscribe_url|preferences_url)\b", source.mjml):
        return source.mjml, ()
    words = _FOOTER_WORDS.get(source.language[:2].lower(), _FOOTER_WORDS["en"])
    at = ends[-1].start()
    message = "has no link to unsubscribe; one was added at the end. Place {{ unsubscribe_url }} yourself."
    return source.mjml[:at] + _FOOTER % words + source.mjml[at:], (ContentError("mjml", None, None, message),)


def _laid_out(found: CheckedMarkup, protected: Protected) -> str | ContentError:
    """Run MJML. What it cannot lay out (it answers with a trace) is traced back to the section."""
    if "<mj-include" in found.mjml.lower():
        return ContentError("mjml", None, "mj-include", "<mj-include> reads files and is not possible here.")
    html, reason = _mjml(found.mjml)
    if html is not None:
        return html if "fonts.googleapis.com" in found.mjml else _GOOGLE_FONTS.sub("", html)
    for start, end, line in found.sections:
        alone = f"<mjml><mj-body>{found.mjml[start:end]}</mj-body></mjml>"
        if _mjml(alone)[0] is None:
            tag = re.match(r"<([\w-]+)", found.mjml[start:end])
            name = tag[1] if tag else None
            hint = " A hero needs background-height and background-width in px." if "<mj-hero" in alone else ""
            message = f"the part beginning here cannot be laid out ({reason}); check widths, heights and borders."
            return ContentError("mjml", line, name, message + hint)
    message = f"cannot be laid out ({reason}); check <mj-head>: every tag may stand there once in <mj-attributes>."
    return ContentError("mjml", None, "mj-head", message)


def _mjml(mjml: str) -> tuple[str | None, str]:
    from mjml import mjml_to_html  # slow to load, and only who edits needs it

    try:
        return str(mjml_to_html(mjml).html), ""
    except Exception as error:  # the library answers bad measures with whatever broke first
        return None, str(error) or type(error).__name__


def _inlined(html: str) -> str:
    """Put styles onto the tags, with no way to the network; CSS imports are set aside: cssutils would fetch them."""
    from premailer import Premailer  # slow to load, and only who edits needs it

    imports: list[str] = []

    def aside(found: re.Match[str]) -> str:
        imports.append(found[0])
        return f"/*wbi{len(imports) - 1:04d}*/"

    inlined = Premailer(
        _IMPORT.sub(aside, html),
        allow_network=False,
        allow_loading_external_files=False,
        disable_link_rewrites=True,
        disable_validation=True,
        disable_basic_attributes=["width", "height"],
        cssutils_logging_level=logging.CRITICAL,
        keep_style_tags=True,
        remove_classes=False,
        strip_important=False,
        disable_leftover_css=True,
        cache_css_parsing=False,
        method="html",
    ).transform()
    back = re.sub(r"/\*wbi(\d{4})\*/", lambda found: imports[int(found[1])], str(inlined))
    return "<!doctype html>\n" + re.sub(r"\n\s*\n+", "\n", re.sub(r"(?m)^[ \t]+", "", back)).strip() + "\n"


def _lost_liquid(source: str, protected: Protected, html: str) -> tuple[ContentError, ...]:
    """Report Liquid that did not come through: a lost condition would show its text to everybody."""
    kept = {int(number) for number in PLACEHOLDER.findall(html)}
    errors, at = [], 0
    for number, token in enumerate(LIQUID_TOKEN.findall(source)):
        at = source.index(token, at)
        if number not in kept:
            message = f"{token[:60]} has no effect at this place; put it into a text, a link or around a section."
            errors.append(ContentError("mjml", line_at(source, at), None, message))
        at += len(token)
    return tuple(errors)


def _broken_liquid(html: str, text: str) -> tuple[ContentError, ...]:
    """Check what was compiled (entities may have become Liquid) and run it once, for nobody in particular."""
    for compiled, is_html in ((html, True), (text, False)):
        for found in template_errors("mjml", compiled):
            return (ContentError("mjml", None, None, found.message + _UNBALANCED),)
        try:
            parsed(compiled, html=is_html).render({})
        except LiquidError as error:
            return (ContentError("mjml", None, None, liquid_error("mjml", error, source=compiled).message),)
    return ()


def _run_once(part: str, source: str) -> tuple[ContentError, ...]:
    """Fill a valid template for nobody: what fails without any data fails for everybody."""
    try:
        parsed(source, html=False).render({})
    except LiquidError as error:
        return (liquid_error(part, error, source=source),)
    return ()


def _fixed_links(html: str) -> tuple[str, ...]:
    """Return the distinct web addresses that are the same for everybody, in the order of the text."""
    found = (str(link) for link in lxml.html.fromstring(html).xpath("//a/@href"))
    return tuple(dict.fromkeys(link for link in found if link.startswith("http") and not PLACEHOLDER.search(link)))
