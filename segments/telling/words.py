"""How does a rule read aloud, and what speaks for a person being in it?

Owns the grammar of the sentence: what stands beside what, where "but" takes the place of "and", and how deep groups are
bracketed. The words of single conditions are in segments/telling/clauses.py. The promise: every rule has one sentence
in every language.
"""

from functools import partial
from itertools import pairwise

from segments.language.conditions import All, Any_, Not, Rule
from segments.language.wordings import Clause
from segments.telling.clauses import clause_of
from segments.telling.evidence import why_in
from segments.telling.phrases import PHRASES, Phrases

__all__ = ["question", "sentence", "why_in"]


def sentence(rule: Rule, *, language: str = "en") -> str:
    """The rule as one sentence. Raises KeyError for a language we do not speak."""
    phrases, told = PHRASES[language], _simplest(rule)
    if told in (All(()), Any_(())):
        return f"{phrases('everybody' if told == All(()) else 'nobody')}."
    return f"{phrases('start', _outermost(told, phrases))}."


def question(rule: Rule, *, language: str = "en") -> str:
    """What follows "customers who", without a full stop: the rule as a question about one person."""
    phrases, told = PHRASES[language], _simplest(rule)
    if told in (All(()), Any_(())):
        return phrases("everybody" if told == All(()) else "nobody").lower()
    return _outermost(told, phrases)


_OPPOSITE: dict[Rule, Rule] = {All(()): Any_(()), Any_(()): All(())}


def _simplest(rule: Rule) -> Rule:
    """The same people with fewer words: no group in its own kind, none of one, no denial of a denial."""
    if isinstance(rule, Not):
        inner = _simplest(rule.rule)
        if isinstance(inner, Not):
            return inner.rule
        return _OPPOSITE.get(inner, Not(inner))
    if not isinstance(rule, All | Any_):
        return rule
    parts: list[Rule] = []
    for child in map(_simplest, rule.rules):
        parts.extend(child.children() if type(child) is type(rule) else (child,))
    return parts[0] if len(parts) == 1 else type(rule)(tuple(parts))


def _outermost(rule: Rule, phrases: Phrases) -> str:
    if not isinstance(rule, All):
        return _part(rule, phrases).text
    parts = [_part(child, phrases) for child in rule.rules]
    text, afresh = parts[0].text, parts[0].group
    for before, here in pairwise(parts):
        short = _shortened(before, here)
        who = " who" if (afresh or here.group) and not short else ""
        text += phrases(f"then {_joint(before, here)}{who}", short or here.text)
        # After a bracketed part, or one without a verb of its own, the next needs its own "who".
        afresh = here.group or short != ""
    return text


def _joint(before: Clause, here: Clause) -> str:
    return "but" if here.negative and not before.negative else "and"


def _shortened(before: Clause, here: Clause) -> str:
    """ "not in the last 90 days", where the clause before has said of what."""
    alike = before.about is not None and before.about == here.about
    return here.short if alike and not before.negative else ""


def _part(rule: Rule, phrases: Phrases) -> Clause:
    """One part of the outermost list: a condition, a choice of conditions, or a bracketed group."""
    if isinstance(rule, Any_) and rule.rules and all(_is_flat(child) for child in rule.rules):
        said = [_run(child, phrases) for child in rule.rules]
        return Clause(phrases("either", ", ".join(said[:-1]), said[-1]), group=True)
    return _clause(rule, phrases)


def _is_flat(rule: Rule) -> bool:
    """Whether it is a condition, its denial, or a list of those that all hold."""
    inner = [part.rule if isinstance(part, Not) else part for part in _listed(rule)]
    return not any(isinstance(part, All | Any_) and part.rules for part in inner)


def _listed(rule: Rule) -> tuple[Rule, ...]:
    return rule.rules if isinstance(rule, All) and rule.rules else (rule,)


def _run(rule: Rule, phrases: Phrases) -> str:
    """Conditions within a choice, without commas."""
    parts = [_clause(part, phrases) for part in _listed(rule)]
    text = parts[0].text
    for before, here in pairwise(parts):
        text += phrases(f"within {_joint(before, here)}", _shortened(before, here) or here.text)
    return text


def _clause(rule: Rule, phrases: Phrases) -> Clause:
    denied = isinstance(rule, Not)
    inner = rule.rule if isinstance(rule, Not) else rule
    if not isinstance(inner, All | Any_):
        return clause_of(inner, phrases, denied=denied)
    if not inner.rules:
        return Clause(phrases("anybody" if isinstance(inner, All) else "nobody at all"), isinstance(inner, Any_))
    name = "all of" if isinstance(inner, All) else "any of"
    if denied:
        name = "not all of" if isinstance(inner, All) else "none of"
    # No generator around the recursion: it would be one more level of the call stack for each level of the rule.
    clauses = list(map(partial(_clause, phrases=phrases), inner.rules))
    return Clause(phrases(name, "; ".join(clause.text for clause in clauses)), denied, group=True)
