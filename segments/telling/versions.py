"""What changed from one version of a rule to the next?

Owns the difference of two rules as people read it: which sentences came and which went, line by line of the outermost
group. Anything that cannot be told line by line is told as the two whole sentences.
"""

from collections import Counter
from dataclasses import dataclass

from segments.language.conditions import All, Any_, Rule
from segments.telling.words import sentence


@dataclass(frozen=True)
class Difference:
    """Sentences that are new and sentences that are gone; `joined` when all of them became any of them, or back."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    joined: bool = False


def difference(old: Rule, new: Rule, *, language: str = "en") -> Difference:
    """What somebody has to know who read the old rule and now reads the new one."""
    if isinstance(old, All | Any_) and isinstance(new, All | Any_):
        before, after = Counter(old.rules), Counter(new.rules)
        if type(old) is type(new) or before & after:
            return Difference(_said(after - before, language), _said(before - after, language),
                              joined=type(old) is not type(new) and max(len(old.rules), len(new.rules)) > 1)
    if old == new:
        return Difference((), ())
    return Difference((sentence(new, language=language),), (sentence(old, language=language),))


def _said(rules: "Counter[Rule]", language: str) -> tuple[str, ...]:
    return tuple(sentence(rule, language=language) for rule in rules.elements())
