"""How is one condition said, and how its opposite?

Owns the choice of the clause for every kind of condition, as what follows "customers who", and the clauses about the
person alone: fields, consent, channels, segments, samples. What is counted and summed is in measure_clauses.py.
"""

from segments.language.conditions import (
    ConsentIs,
    CustomerIs,
    Followed,
    InSegment,
    Listed,
    Measured,
    Near,
    Prefers,
    Rule,
    Sampled,
    Scored,
)
from segments.language.fields import ATTRIBUTES, field_of
from segments.language.operators import OPERATORS, straight
from segments.language.told_measures import SCORE_LABELS
from segments.language.wordings import Clause
from segments.telling.measure_clauses import followed_clause, measured_clause
from segments.telling.phrases import Phrases
from segments.telling.spoken import compared, texts


def clause_of(rule: Rule, phrases: Phrases, *, denied: bool) -> Clause:
    """The clause of a condition or, `denied`, of its opposite."""
    if isinstance(rule, Measured):
        return measured_clause(rule, phrases, denied)
    if isinstance(rule, Followed):
        return followed_clause(rule, phrases, denied)
    if isinstance(rule, CustomerIs):
        return _of_person(rule, phrases, denied)
    if isinstance(rule, ConsentIs):
        return _consent(rule, phrases, denied)
    if isinstance(rule, Prefers):
        channels = phrases.listed([phrases.channel(channel) for channel in rule.channels], "or")
        return Clause(phrases("prefers not" if denied else "prefers", channels), denied)
    if isinstance(rule, Scored):
        return _scored(rule, phrases, denied)
    if isinstance(rule, Near):
        return _near(rule, phrases, denied)
    if isinstance(rule, InSegment | Listed):
        return Clause(phrases("no segment" if denied else "segment", rule.key), denied)
    assert isinstance(rule, Sampled)
    return Clause(phrases("no sample" if denied else "sample", phrases.number(rule.percent), rule.salt), denied)


def _of_person(rule: CustomerIs, phrases: Phrases, denied: bool) -> Clause:
    test, holds = straight(rule.test)
    negative = holds == denied
    field = field_of(rule.field)
    own = field.said[phrases.language] if field.said else None
    if own and test.operator in ("is", "in", "before", "after", "within_days"):
        value = compared(test, phrases) if test.operator not in ("is", "in") else texts(test, phrases)
        return Clause(own[negative].format(value), negative)
    label = field.label if rule.field.startswith(ATTRIBUTES) else phrases.label(field.label)
    if test.operator in ("before", "after", "within_days"):
        had = phrases("date", compared(test, phrases), label)
    elif test.operator == "is_set":
        name = "is_not_set" if negative else "is_set"
        return Clause(phrases("have", OPERATORS[name].words[phrases.language].format(label=label)), negative)
    elif test.operator in ("is", "in", "contains", "starts_with"):
        had = OPERATORS[test.operator].words[phrases.language].format(texts(test, phrases), label=label)
    else:
        had = OPERATORS["is"].words[phrases.language].format(compared(test, phrases), label=label)
    return Clause(phrases("have not" if negative else "have", had), negative)


def _scored(rule: Scored, phrases: Phrases, denied: bool) -> Clause:
    test, holds = straight(rule.test)
    negative = holds == denied
    known = SCORE_LABELS.get(rule.name)
    label = phrases.label(known) if known else phrases("score", rule.name)
    if test.operator == "is_set":
        name = "is_not_set" if negative else "is_set"
        return Clause(phrases("have", OPERATORS[name].words[phrases.language].format(label=label)), negative)
    had = OPERATORS["is"].words[phrases.language].format(compared(test, phrases), label=label)
    return Clause(phrases("have not" if negative else "have", had), negative)


def _near(rule: Near, phrases: Phrases, denied: bool) -> Clause:
    if rule.store is None:
        assert rule.latitude is not None and rule.longitude is not None
        place = phrases("near.point", phrases.number(rule.latitude), phrases.number(rule.longitude))
    else:
        place = phrases("near.any") if rule.store == "any" else phrases("near.store", rule.store)
    return Clause(phrases("not near" if denied else "near", phrases.number(rule.km), place), denied)


def _consent(rule: ConsentIs, phrases: Phrases, denied: bool) -> Clause:
    test, holds = straight(rule.test)
    negative = holds == denied
    channel, no = phrases.channel(rule.channel), "no " if negative else ""
    if test.operator == "is_set":
        return Clause(phrases(f"{no}consent known", channel), negative)
    states = test.value if isinstance(test.value, tuple) else (test.value,)
    if not states:
        return Clause(phrases(f"{no}consent empty", channel), not negative)
    if states == ("withdrawn",):
        return Clause(phrases(f"{no}withdrew", channel), negative)
    if negative:
        done = [phrases(f"not {state}") for state in states]
        said = phrases("not" if len(done) == 1 else "neither", phrases("nor").join(done))
    else:
        said = phrases.listed([phrases(str(state)) for state in states], "or")
    return Clause(phrases(f"{no}consent", channel, said), negative)
