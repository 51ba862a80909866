"""What one person reads: escaped, in one line, never executed."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import Invalid
from delivery.content import ContentSource, compile_content
from delivery.filling import Filling
from delivery.personal import FillError, fill, fill_call_script, fill_letter, greeting, personal_values
from delivery.templating import OUTPUT_BYTES_LIMIT, parsed
from tests.delivery.mails import PERSON, mail

STANDING = mail()
NAME = mail(
    '<b title="{{ customer.first_name }}">{{ customer.first_name }}</b> {% if customer.first_name %}named{% endif %}'
)


def test_a_mail_is_filled_with_names_code_and_dates() -> None:
    filled = fill(STANDING, PERSON)
    assert filled.subject == "For Anna"
    for part in (filled.html, filled.text):
        assert (
            "Dear Ms Müller" in part and "ABCD-EFGH-JKMN-X" in part and "6 December 2026" in part and " in Köln" in part
        )
    assert 'href="https://shop.example/?a=1&amp;b=2"' in filled.html
    assert "https://shop.example/?a=1&b=2" in filled.text


def test_dates_and_greetings_speak_the_customers_language() -> None:
    filled = fill(STANDING, {**PERSON, "customer": {"last_name": "Groß", "salutation": "Frau", "language": "de"}})
    assert "Guten Tag Frau Groß" in filled.text and "6. Dezember 2026" in filled.text


def test_without_a_name_it_says_dear_customer() -> None:
    filled = fill(NAME, {})
    assert '<b title="customer"' in filled.html and ">customer</b>" in filled.html and "named" not in filled.html
    assert filled.subject == "For customer"
    assert "Dear customer" in fill(STANDING, {}).text
    assert "friend" in fill(mail("{{ customer.first_name | default: 'friend' }}"), {}).html
    assert greeting({"first_name": "Anna"}) == "Dear Anna" and greeting({"salutation": "Ms"}) == "Dear customer"


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "' onmouseover='x"])
def test_markup_in_a_name_is_text_in_html(name: str) -> None:
    html = fill(NAME, {"customer": {"first_name": name}}).html
    assert name not in html and "<script" not in html and "<img src=x" not in html
    assert "<b title=" in html.split("&")[0]


@pytest.mark.parametrize("name", ["{{ code }}", "{% for i in (1..9) %}x{% endfor %}", "{{ 7 | times: 7 }}", "{%", "}}"])
def test_liquid_in_a_name_is_data_and_never_executed(name: str) -> None:
    person = {**PERSON, "customer": {"first_name": name, "city": name}}
    filled = fill(NAME, person)
    assert name in filled.text and "49" not in filled.text and "xxx" not in filled.text
    assert filled.subject == f"For {name}"


@pytest.mark.parametrize(
    "name", ["Anna\r\nBcc: all@example.com", "Anna\nBcc: x", "A\x00B", "A\u2028B", "A\u202eB", "\x85x"]
)
def test_a_subject_is_one_line_whatever_the_name_holds(name: str) -> None:
    filled = fill(STANDING, {**PERSON, "customer": {"first_name": name}})
    assert len(filled.subject.splitlines()) == 1 and filled.subject.isprintable()


def test_a_subject_of_several_lines_is_one_line_and_bounded() -> None:
    content = mail("x", subject="one\n\n two {{ customer.city }}")
    assert fill(content, PERSON).subject == "one two Köln"
    assert len(fill(content, {"customer": {"city": "x" * 5000}}).subject) == 250


def test_only_known_plain_values_reach_a_template() -> None:
    values = personal_values(
        {"customer": {"first_name": "A", "secret": "s", "attributes": {"size": 42}}, "other": object()}
    )
    assert values["customer"] == {"first_name": "A", "attributes": {"size": 42}} and "other" not in values
    with pytest.raises(Invalid, match="not object"):
        personal_values({"code": object()})
    with pytest.raises(Invalid, match="not list"):
        personal_values({"customer": {"city": [1]}})


def test_empty_text_is_false_in_conditions() -> None:
    content = mail("{% if customer.company %}firm{% else %}person{% endif %}")
    assert "person" in fill(content, {"customer": {"company": "  "}}).text
    assert "firm" in fill(content, {"customer": {"company": "ACME"}}).text


def test_letter_and_call_script_are_plain_text() -> None:
    content = compile_content(
        ContentSource(
            letter="{{ greeting }},\n\n{% if code %}{{ code }}{% endif %}\n\n\n\nBye",
            call_script="Ask for {{ customer.last_name }}",
        )
    )
    person = {**PERSON, "customer": {"last_name": "O'Neil & <Sons>", "salutation": "Mr"}}
    assert fill_letter(content, person) == "Dear Mr O'Neil & <Sons>,\n\nABCD-EFGH-JKMN-X\n\nBye"
    assert fill_call_script(content, person) == "Ask for O'Neil & <Sons>"
    with pytest.raises(Invalid):
        fill(content, person)
    with pytest.raises(Invalid, match="letter"):
        fill_letter(mail(), person)


def test_a_mail_that_grows_too_large_for_one_person_stops_there() -> None:
    content = mail("{{ customer.city }}" * 20)
    with pytest.raises(FillError, match="500 kB"):
        fill(content, {"customer": {"city": "x" * (OUTPUT_BYTES_LIMIT // 10)}})
    assert fill(content, PERSON).html


def test_a_condition_met_by_one_person_only_still_has_its_limits() -> None:
    content = mail(
        "{% if code == 'BIG' %}{% for i in (1..900) %}{% for j in (1..900) %}x{% endfor %}{% endfor %}{% endif %}ok"
    )
    assert "ok" in fill(content, PERSON).text
    with pytest.raises(FillError, match="rounds"):
        fill(content, {**PERSON, "code": "BIG"})


def test_fixed_pieces_are_the_same_objects_for_everybody() -> None:
    one, other = fill(STANDING, PERSON), fill(STANDING, {**PERSON, "code": "OTHER"})
    assert one.html_pieces[0] is other.html_pieces[0] and one.html != other.html


TEMPLATES = [
    "a {{ code }} b {{ customer.city }}",
    "{% if code %}x{{ code }}{% elsif customer.city %}y{% else %}z{% endif %} ",
    "{% if code %}   {% endif %}|{% unless code %}n{% endunless %}",
    "{% assign code = 'mine' %}{{ code }}",
    "{% for i in (1..3) %}{{ i }}{{ code }}{% if i == 2 %}{% break %}{% endif %}{% endfor %}{{ i }}",
    "{% case code %}{% when 'a' %}A{% else %}E{% endcase %}{{ code | upcase | append: '<' }}{{ code.size }}",
    "{% cycle 'a','b' %}{% cycle 'a','b' %}{{ customer.city }}{{ customer.attributes.n }}{{ missing }}{{ code.x }}",
    "{% capture c %}<{{ code }}>{% endcapture %}{{ c }}{% raw %}{{ code }}{% endraw %}",
]


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(TEMPLATES),
    st.one_of(st.none(), st.text(max_size=20), st.integers(-(10**9), 10**9), st.booleans()),
    st.booleans(),
)
def test_filling_says_exactly_what_liquid_says(source: str, code: object, html: bool) -> None:
    template = parsed(source, html=html)
    values = {"code": code, "customer": {"city": "<K&'\">", "attributes": {"n": 1.5}}}
    assert "".join(Filling(template, html=html).pieces(values)) == template.render(values)


def test_a_valid_until_date_may_be_text_or_a_date() -> None:
    assert personal_values({"code_valid_until": date(2026, 1, 2)})["code_valid_until"] == "2 January 2026"
    assert personal_values({"code_valid_until": "Friday"})["code_valid_until"] == "Friday"
