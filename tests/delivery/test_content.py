"""What may be compiled, what is refused, and with which words."""

import json
import socket
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delivery.content import ContentSource, compile_content, compiled_from
from delivery.personal import fill
from delivery.templating import LOOP_LIMIT, VARIABLES
from tests.delivery.mails import MJML, PERSON, in_text, mail


def _errors(mjml: str, **parts: str) -> list[str]:
    return [str(error) for error in compile_content(ContentSource(subject="s", mjml=mjml, **parts)).errors]


def test_a_good_mail_compiles_with_inlined_styles_and_its_plain_text() -> None:
    content = mail()
    assert content.valid and not content.warnings, content.errors
    assert content.html.startswith("<!doctype html>") and "fonts.googleapis.com" not in content.html
    assert content.channels == ("email",)
    assert "Your code {{ code }}: {{ links.shop }}" in content.text
    assert '10 % off & free delivery{% if customer.city == "Köln" %} in Köln{% endif %}.' in content.text
    assert "Soon & gone" not in content.text
    assert {"greeting", "links.shop", "customer.first_name"} <= set(content.variables)


def test_a_compiled_content_is_stored_as_json_and_read_back_the_same() -> None:
    content = mail("hello <a href='https://shop.example/x'>x</a>")
    back = compiled_from(json.loads(json.dumps(content.stored())))
    assert back == content and back.html == content.html and back.warnings == content.warnings
    assert back.links == ("https://shop.example/x",)


def test_an_unknown_tag_is_named_with_its_line_and_a_way_out() -> None:
    (error,) = compile_content(ContentSource(subject="s", mjml=MJML.replace("mj-button", "mj-buton"))).errors
    assert (error.line, error.tag) == (7, "mj-buton") and "Did you mean <mj-button>?" in error.message


@pytest.mark.parametrize(
    ("mjml", "words"),
    [
        ("<mjml><mj-body>\n<mj-section>\n</mj-body></mjml>", "line 3: <mj-section> opened in line 2 is not closed"),
        ("<mjml><mj-body><mj-section>", "<mj-section> opened in line 1 is never closed"),
        ("<p>hello</p>", "the first tag must be <mjml>"),
        ("<mjml><mj-body></mj-body></mjml>", "<mj-body> is empty"),
        ("<!DOCTYPE x [<!ENTITY a 'b'>]><mjml>&a;</mjml>", "DOCTYPE"),
        ("<mjml><mj-body><mj-text>x</mj-text></mj-body></mjml>", "cannot stand directly in <mj-body>; it belongs into"),
        ("<mjml><mj-body>hello<mj-section></mj-section></mj-body></mjml>", "text directly in <mj-body> is not shown"),
        (in_text("<mj-button>x</mj-button>"), "cannot stand inside <mj-text>"),
        (in_text("<p {% if code %}class='x'{% endif %}>x</p>"), "Liquid inside a tag"),
        (in_text("a < b"), "write &lt; for a bare <"),
        (in_text("x").replace("<mj-column>", '<mj-column width="wide">'), 'width="wide" is not a measure'),
        (in_text("x").replace("<mj-column>", '<mj-column width="{{ code }}">'), 'width="{{ .. }}" is not a measure'),
        ("<mjml><mj-head>{% if code %}{% endif %}</mj-head><mj-body/></mjml>", "no effect directly in <mj-head>"),
        (in_text("<!-- {{ code }} -->x"), "Liquid inside a comment has no effect"),
        ("<mjml><mj-body>\n\n<mj-hero><mj-text>x</mj-text></mj-hero></mj-body></mjml>", "line 3: the part"),
    ],
)  # fmt: skip
def test_what_cannot_be_laid_out_is_said_with_its_place(mjml: str, words: str) -> None:
    errors = _errors(mjml)
    assert any(words in error for error in errors), errors


def test_lines_are_counted_as_written_even_after_liquid_over_several_lines() -> None:
    mjml = in_text('{% if customer.city\n == "Köln"\n and code %}x{% endif %}\n<mj-foo/>')
    (error,) = compile_content(ContentSource(subject="s", mjml=mjml)).errors
    assert (error.line, error.tag) == (4, "mj-foo")


def test_an_unknown_variable_is_named_with_its_line_and_the_nearest_one() -> None:
    errors = _errors(MJML.replace("customer.city", "customer.town"), letter="a\n{{ customer.firstname }}")
    assert any(e.startswith("mjml, line 5: there is no variable customer.town") for e in errors), errors
    assert "letter, line 2: there is no variable customer.firstname. Did you mean customer.first_name?" in errors


@pytest.mark.parametrize("name", [name.replace("*", "shoe_size") for name in VARIABLES])
def test_every_listed_variable_compiles(name: str) -> None:
    assert mail(f"{{{{ {name} }}}}").valid


@pytest.mark.parametrize(
    "liquid",
    [
        "{{ now }}", "{{ today }}", "{{ ['now'] }}", "{{ customer[code] }}", "{{ customer.__class__ }}",
        "{{ code.__init__ }}",
        "{{ env }}", "{{ self }}", "{% include '/etc/passwd' %}", "{% render 'x' %}", "{% liquid echo now %}",
        "{{ code | safe }}", "{{ code | date: '%999999999d' }}", "{{ code | url_decode }}",
        "{{ code | base64_decode }}",
        "{% assign x = (1..99999999999) %}", "{{ (1..99999999999) | join: '' }}", "{{ (1..9) | size }}",
        "{% for i in (1..99999999999) reversed %}x{% endfor %}", "{% for i in (1..code) %}{% endfor %}",
        "{% if (1..99999999999) contains 'x' %}{% endif %}",
        "{% for i in (1..900) %}{% for j in (1..900) %}{% endfor %}{% endfor %}",
        "{% assign s='xxxxxxxxx' %}{% for i in (1..99) %}{% assign s = s | append: s %}{% endfor %}{{ s }}",
        "{% assign s=9 %}{% for i in (1..99) %}{% assign s = s | times: s %}{% endfor %}{{ s }}",
        "{% assign s='xxxxxxxxxxxxxxxxxxxx' | replace: '', 'yyyyyyyyyyyyyyyyy' | replace: '', 'zzzzzzzzzzzzzzzzzzzzz' "
        "| replace: '', 'zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz' %}{{ s }}",
        "{% capture s %}{% for i in (1..999) %}" + "x" * 600 + "{% endfor %}{% endcapture %}",
        "{% if code %}", "{{ code", "{% endif %}", "{% break %}",
    ],
)  # fmt: skip
def test_liquid_that_reaches_out_or_runs_away_is_refused_in_every_part(liquid: str) -> None:
    assert _errors(in_text(liquid))
    for part in ("subject", "letter", "call_script"):
        source = {"subject": "s", "mjml": in_text("x"), part: liquid}
        assert [error.part for error in compile_content(ContentSource(**source)).errors] == [part]


def test_liquid_hidden_in_entities_is_checked_like_any_other() -> None:
    hidden = "&#123;% for i in (1..99999999999) reversed %&#125;x&#123;% endfor %&#125;"
    assert _errors(in_text(hidden))
    assert _errors(in_text("&#123;&#123; now &#125;&#125;"))


def test_a_loop_within_the_limit_is_fine() -> None:
    content = mail("{% for i in (1..3) %}<b>{{ i }}</b>{% endfor %}")
    assert content.valid and "<b>1</b><b>2</b><b>3</b>" in fill(content, PERSON).html
    assert LOOP_LIMIT >= 1000


@pytest.mark.parametrize(
    "mjml",
    [
        "<mjml><mj-body><mj-include path='/etc/hostname'/></mj-body></mjml>",
        "<mjml><mj-body><MJ-INCLUDE path='/etc/hostname'/></mj-body></mjml>",
        in_text("<mj-include path='/etc/hostname'/>"),
        in_text("x").replace("<mj-section>", "<!--><mj-include path='/etc/hostname'/>--><mj-section>"),
        in_text("<![CDATA[<mj-include path='/etc/hostname'/>]]>"),
        in_text("<!--[if mso]><mj-include path='/etc/hostname'/><![endif]-->"),
    ],
)
def test_no_include_reads_from_the_disk(mjml: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("<mj-section><mj-column><mj-text>top secret</mj-text></mj-column></mj-section>")
    mjml = mjml.replace("/etc/hostname", str(tmp_path / "secret"))
    content = compile_content(ContentSource(subject="s", mjml=mjml))
    assert "top secret" not in content.html
    assert not content.valid or "<mj-include" not in content.html


def test_attributes_keep_their_escapes() -> None:
    """mjml 0.12 writes attribute values out unescaped: a live script from an alt text, without our own escaping."""
    content = mail(
        'x</mj-text><mj-image src="a.png?a=1&amp;b=2" alt="&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"/><mj-text>'
    )
    assert content.valid, content.errors
    assert "<script>" not in content.html and "a.png?a=1&amp;b=2" in content.html
    assert "&lt;script&gt;alert(1)" in content.html


@pytest.mark.parametrize(
    "html",
    [
        "<script>alert(1)</script>", "<p onclick='x()'>x</p>", "<a href='javascript:alert(1)'>x</a>",
        "<a href=' JaVaScRiPt:alert(1)'>x</a>", "<iframe src='https://x'></iframe>", "<a href='data:text/html,x'>x</a>",
        "<object data='x'></object>", "<link rel='stylesheet' href='https://x'/>",
    ],
)  # fmt: skip
def test_scripts_and_frames_have_no_place_in_a_mail(html: str) -> None:
    assert _errors(in_text(html))


def test_conditions_around_sections_survive() -> None:
    mjml = in_text("always").replace(
        "<mj-section>",
        "{% if customer.city == 'Köln' %}<mj-section><mj-column><mj-text>only Köln</mj-text></mj-column></mj-section>"
        "{% endif %}<mj-section>",
        1,
    )
    content = compile_content(ContentSource(subject="s", mjml=mjml))
    assert content.valid, content.errors
    assert "only Köln" in fill(content, PERSON).html and "only Köln" in fill(content, PERSON).text
    elsewhere = {**PERSON, "customer": {"city": "Bonn"}}
    assert "only Köln" not in fill(content, elsewhere).html and "only Köln" not in fill(content, elsewhere).text
    assert "always" in fill(content, elsewhere).html


def test_comparisons_that_an_editor_escaped_are_put_right() -> None:
    content = mail("{% if 1 &lt; 2 %}small{% endif %}")
    assert content.valid and "small" in fill(content, PERSON).html


def test_links_styles_and_tables_keep_their_liquid() -> None:
    content = mail(
        '<a href="https://x.example/?q={{ customer.city | url_encode }}&amp;y=1" style="color:{{ links.colour }}">x</a>'
        "<table>{% for i in (1..2) %}<tr><td>{{ i }}</td></tr>{% endfor %}</table>"
    )
    filled = fill(content, {**PERSON, "links": {"colour": "red"}})
    assert 'href="https://x.example/?q=K%C3%B6ln&amp;y=1"' in filled.html and "color:red" in filled.html
    assert filled.html.count("<td>") + filled.html.count("<td ") > 2


def test_marketing_without_a_way_out_gets_one_and_says_so() -> None:
    content = mail("hello")
    assert (
        content.valid and "{{ unsubscribe_url }}" in content.html and "added at the end" in content.warnings[0].message
    )
    assert "unsubscribe_url" not in mail("hello", marketing=False).html
    assert "Newsletter abbestellen" in mail("hallo", language="de").text


def test_an_attribute_without_effect_is_a_warning() -> None:
    content = compile_content(ContentSource(subject="s", mjml=MJML.replace("<mj-text>", '<mj-text colour="red">', 1)))
    assert content.valid and "has no attribute colour" in content.warnings[0].message


def test_a_content_needs_a_subject_with_its_mail_and_at_least_one_part() -> None:
    assert [e.part for e in compile_content(ContentSource(mjml=MJML)).errors] == ["subject"]
    assert not compile_content(ContentSource(subject="only")).valid
    letter = compile_content(ContentSource(letter="{{ greeting }}"))
    assert letter.valid and letter.channels == ("letter",)
    assert compile_content(ContentSource(call_script="Ask for {{ customer.last_name }}")).channels == ("phone",)


def test_compiling_never_touches_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    reached: list[object] = []

    def refuse(*args: object, **_: object) -> None:
        reached.append(args)
        raise OSError("no network here")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    mjml = MJML.replace(
        "<mj-head>",
        '<mj-head><mj-font name="Raleway" href="https://fonts.example/css?family=Raleway"/>'
        '<mj-style>@import url("https://evil.example/x.css"); p { font-family: Raleway }</mj-style>',
    ).replace("<mj-text>", '<mj-text font-family="Raleway, Arial">')
    content = compile_content(ContentSource(subject="s", mjml=mjml))
    assert content.valid and "fonts.example" in content.html and "evil.example" in content.html
    assert reached == []


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet=st.sampled_from(list("<>/&;\"'{}% abmjtex-!=\n\x00é]["))), st.booleans())
def test_no_input_ends_in_a_trace(noise: str, inside: bool) -> None:
    content = compile_content(ContentSource(subject="s", mjml=in_text(noise) if inside else noise, letter=noise))
    assert content.valid or all(error.message for error in content.errors)
