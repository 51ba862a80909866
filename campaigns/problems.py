"""What is wrong with a plan or a journey, all of it at once?

Owns the one form in which forms and editors are told what to mend: the place, what is wrong there, and the way out.
Problems are values and are collected; only a verb that cannot go on turns them into one `Invalid`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import Invalid


@dataclass(frozen=True, order=True)
class Problem:
    """One thing to mend. `place` is a path such as `steps.mail_a.next` or a field name."""

    place: str
    message: str
    fix: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message} {self.fix}".rstrip()


class InvalidPlan(Invalid):
    """A plan or journey with problems; `problems` holds every one of them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        first, rest = problems[0], problems[1:]
        words = f"{first.message} {first.fix}".rstrip()
        super().__init__("\n".join([words, *(str(problem) for problem in rest)]), place=first.place)
        self.problems = tuple(problems)


def insist(problems: Sequence[Problem]) -> None:
    """Raise InvalidPlan when there is any problem."""
    if problems:
        raise InvalidPlan(problems)
