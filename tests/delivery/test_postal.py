"""An address stands on the envelope as DIN 5008 and the destination's post want it."""

from dataclasses import replace

import pytest

from delivery.channels.postal import PostalAddress, address_errors, address_lines, country_code, country_name

HOME = PostalAddress("Frau Groß", "Straße 5", "10115", "Berlin", "DE", company="ACME AG", addition="c/o Süd")


def test_home_is_not_named_however_it_is_written() -> None:
    for country in ("DE", "de", "Deutschland", "Germany", "Allemagne", "D", ""):
        lines = address_lines(replace(HOME, country=country))
        assert lines == ("ACME AG", "Frau Groß", "c/o Süd", "Straße 5", "10115 Berlin")
    assert address_lines(replace(HOME, country="AT"), sender_country="AT")[-1] == "10115 Berlin"


@pytest.mark.parametrize(
    ("country", "code", "city", "last"),
    [
        ("AT", "A-1010", "Wien", ("1010 WIEN", "ÖSTERREICH")),
        ("France", "F-75001", "Paris", ("75001 PARIS", "FRANKREICH")),
        ("PL", "00-044", "Łódź", ("00-044 ŁÓDŹ", "POLEN")),
        ("TR", "34000", "Diyarbakır", ("34000 DİYARBAKIR", "TÜRKEI")),
        ("GB", "SW1A 1AA", "London", ("LONDON", "SW1A 1AA", "VEREINIGTES KÖNIGREICH")),
        ("US", "94043", "Mountain View CA", ("MOUNTAIN VIEW CA 94043", "VEREINIGTE STAATEN")),
        ("LV", "LV-1010", "Rīga", ("RĪGA, LV-1010", "LETTLAND")),
        ("LT", "LT-01103", "Vilnius", ("LT-01103 VILNIUS", "LITAUEN")),
        ("Ruritania", "12", "Strelsau", ("12 STRELSAU", "RURITANIA")),
    ],
)
def test_abroad_the_town_and_the_country_are_capitals_and_the_code_stands_where_it_is_read(
    country: str, code: str, city: str, last: tuple[str, ...]
) -> None:
    to = replace(HOME, country=country, postal_code=code, city=city, addition="")
    assert address_lines(to) == ("ACME AG", "Frau Groß", "Straße 5", *last)


def test_the_country_is_named_for_the_post_that_carries_the_letter_first() -> None:
    to = replace(HOME, country="AT", postal_code="1010", city="Wien")
    assert address_lines(to, sender_country="DE")[-1] == "ÖSTERREICH"
    assert address_lines(to, sender_country="NL")[-1] == "AUSTRIA"


def test_a_full_british_address_fits_by_sharing_the_last_but_one_line() -> None:
    to = replace(HOME, country="UK", postal_code="SW1A 1AA", city="London")
    lines = address_lines(to)
    assert len(lines) == 6 and lines[-2:] == ("LONDON SW1A 1AA", "VEREINIGTES KÖNIGREICH")
    assert address_errors(to, lines) == []


def test_a_german_code_stands_without_a_country_before_it() -> None:
    for code in ("D-10115", "DE-10115", "D 10115", " 10115"):
        assert address_lines(replace(HOME, postal_code=code))[-1] == "10115 Berlin"


def test_a_country_without_codes_needs_none() -> None:
    to = replace(HOME, country="AE", postal_code="", city="Dubai")
    assert address_errors(to, address_lines(to)) == []
    assert "lacks a postal code" in address_errors(replace(to, country="FR"), address_lines(to))[0]


def test_each_part_is_one_line() -> None:
    assert address_lines(replace(HOME, name="A\r\nB\tC"))[1] == "A B C"


def test_countries_are_known_by_code_and_by_name() -> None:
    assert country_code("Österreich") == country_code("at") == country_code("Autriche") == "AT"
    assert country_code("Ruritania") == ""
    assert country_name("AT", language="de") == "Österreich" and country_name("Austria", language="xx") == "Austria"
