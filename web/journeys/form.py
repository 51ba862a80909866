"""What did the marketer choose for a journey, and what does it mean?

Owns the fields of the journey's form: choices as text, typed text as a wish, problems beside their fields. The promise:
what was typed stays in the form whatever happens to it, and arms that are alike are not taken for two.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from werkzeug.datastructures import MultiDict

from core.errors import Invalid
from journeys.graphs.graph import MOVES, UNITS
from journeys.graphs.reading_steps import LARGEST_BUDGET_CENTS
from web.journeys.template import LETTERS, USUAL_DAYS, Arm, Wish
from web.journeys.words import CHANNEL_WORDS
from web.wording.amounts import read_cents, read_decimal, read_whole, written_cents

_OF_ARM = ("share", "content", "offer", "channel", "fallback", "after", "reminder", "reminder_days", "best",
           "budget")
LONGEST_DAYS = 365
LONGEST_AFTER_DAYS = 90


@dataclass(frozen=True)
class Known:
    """The keys of everything that may be chosen."""

    segments: Collection[str]
    contents: Collection[str]
    offers: Collection[str]


@dataclass
class JourneyForm:
    """`texts` by field (`segment`, `on`, `unit`, per arm such as `content_A`), the arms' letters, the version of the
    draft that the person has seen, and problems by field."""

    texts: dict[str, str]
    letters: list[str]
    version: int = 0
    currency: str = "EUR"
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def next_letter(self) -> str | None:
        """The letter of one more arm; none above the last one is used again. None: there can be no more."""
        place = LETTERS.index(max(self.letters)) + 1
        return LETTERS[place] if place < len(LETTERS) else None

    def add_arm(self) -> None:
        """One more arm, at first like the last one; all have the same share."""
        letter = self.next_letter
        if letter is not None:
            self.texts |= {f"{name}_{letter}": self.texts[f"{name}_{self.letters[-1]}"] for name in _OF_ARM}
            self.letters.append(letter)
            self._share_alike()

    def take_out(self, letter: str) -> None:
        """One arm less; the others have the same share."""
        if letter in self.letters and len(self.letters) > 1:
            self.letters.remove(letter)
            self._share_alike()

    def _share_alike(self) -> None:
        share = round(100 / len(self.letters), 2)
        for letter in self.letters[:-1]:
            self.texts[f"share_{letter}"] = f"{share:g}"
        self.texts[f"share_{self.letters[-1]}"] = f"{round(100 - share * (len(self.letters) - 1), 2):g}"


def empty_form(*, segment: str, currency: str) -> JourneyForm:
    """One arm, without a choice yet."""
    return form_of(Wish(segment, [Arm("A", 100, "", None)]), version=0, currency=currency)


def form_of(wish: Wish, *, version: int, currency: str) -> JourneyForm:
    """The form of a drawn journey."""
    texts = {"segment": wish.segment, "on": wish.on or "", "unit": wish.unit}
    for arm in wish.arms:
        values = (f"{arm.share:g}", arm.content, arm.offer or "", arm.channel, "yes" if arm.fallback else "",
                  str(arm.after_days), arm.reminder, str(arm.reminder_days), arm.best,
                  written_cents(arm.budget_cents, currency=currency) if arm.best else "")
        texts |= {f"{name}_{arm.letter}": value for name, value in zip(_OF_ARM, values, strict=True)}
    return JourneyForm(texts, [arm.letter for arm in wish.arms], version, currency)


def typed_form(form: "MultiDict[str, str]", *, currency: str) -> JourneyForm:
    """What was typed, as it was typed; what asks for an arm more or less is done."""
    letters = sorted(set(form.getlist("arm")) & set(LETTERS)) or ["A"]
    texts = {name: form.get(name, "")[:200].replace("\x00", "").strip()
             for name in ("segment", "on", "unit", *(f"{name}_{letter}" for letter in letters for name in _OF_ARM))}
    version = form.get("version", "")
    seen = int(version) if version.isascii() and version.isdigit() and len(version) < 10 else 0
    found = JourneyForm(texts, letters, seen, currency)
    asked = form.get("do", "")
    if asked == "add":
        found.add_arm()
    elif asked.startswith("out_"):
        found.take_out(asked[4:])
    return found


def read_wish(form: JourneyForm, known: Known) -> Wish:
    """The wish of a form; it counts only when the form then has no errors."""
    texts, errors = form.texts, form.errors
    if texts["segment"] not in known.segments:
        errors["segment"] = "Choose who enters."
    if texts["on"] and texts["on"] not in MOVES:
        errors["on"] = "Choose when they enter."
    unit = texts["unit"] or UNITS[0]
    if unit not in UNITS:
        errors["unit"] = "Choose what is drawn for."
    arms = [_arm(form, letter, known) for letter in form.letters]
    _judge_shares(arms, errors)
    _judge_likeness(arms, errors)
    return Wish(texts["segment"], arms, texts["on"] or None, unit)


def _arm(form: JourneyForm, letter: str, known: Known) -> Arm:
    own = {name: form.texts[f"{name}_{letter}"] for name in _OF_ARM}
    errors = form.errors
    if own["content"] not in known.contents:
        errors[f"content_{letter}"] = "Choose what is said first."
    if own["offer"] and own["offer"] not in known.offers:
        errors[f"offer_{letter}"] = "There is no such offer any more. Choose another."
    if own["reminder"] and own["reminder"] not in known.contents:
        errors[f"reminder_{letter}"] = "There is no such content any more. Choose another."
    if own["channel"] not in ("preferred", *CHANNEL_WORDS):
        errors[f"channel_{letter}"] = "Choose one of these channels."
    best, budget_cents = _best_first(form, letter)
    share = 100.0
    if len(form.letters) > 1:
        try:
            share = float(read_decimal(own["share"]))
        except Invalid as error:
            errors[f"share_{letter}"] = error.message
    return Arm(letter, int(share) if share == int(share) else share, own["content"], own["offer"] or None,
               own["channel"], bool(own["fallback"]), _days(form, f"after_{letter}", 0, LONGEST_AFTER_DAYS, "0"),
               own["reminder"], _days(form, f"reminder_days_{letter}", 1, LONGEST_DAYS, str(USUAL_DAYS)), best,
               budget_cents)


def _best_first(form: JourneyForm, letter: str) -> tuple[str, int]:
    """The channel of the best and its budget; without a channel there is none."""
    best, errors = form.texts[f"best_{letter}"], form.errors
    if not best:
        return "", 0
    if best not in CHANNEL_WORDS:
        errors[f"best_{letter}"] = "Choose one of these channels."
    elif best == form.texts[f"channel_{letter}"]:
        errors[f"best_{letter}"] = "The rest would get the same channel. Choose another for one of them."
    try:
        cents = read_cents(form.texts[f"budget_{letter}"] or "0", currency=form.currency)
        if not 0 < cents <= LARGEST_BUDGET_CENTS:
            raise Invalid("Say how much may be spent on it.")
    except Invalid as error:
        errors[f"budget_{letter}"] = error.message
        return best, 0
    return best, cents


def _days(form: JourneyForm, name: str, least: int, most: int, usual: str) -> int:
    try:
        days = read_whole(form.texts[name] or usual)
        if not least <= days <= most:
            raise Invalid(f"Use {least} to {most} days.")
    except Invalid as error:
        form.errors[name] = error.message
        return least
    return days


def _judge_shares(arms: Sequence[Arm], errors: dict[str, str]) -> None:
    wrong = [arm for arm in arms if not 0 < arm.share <= 100]
    for arm in wrong:
        errors.setdefault(f"share_{arm.letter}", "Use a share above 0.")
    total = sum(arm.share for arm in arms)
    if not wrong and len(arms) > 1 and abs(total - 100) > 0.01:
        errors.setdefault(f"share_{arms[-1].letter}", f"The shares add up to {total:g}, not to 100.")


def _judge_likeness(arms: Sequence[Arm], errors: dict[str, str]) -> None:
    """Two arms that are alike cannot be told apart by what comes of them."""
    seen: dict[Arm, str] = {}
    for arm in arms:
        earlier = seen.setdefault(replace(arm, letter="", share=0), arm.letter)
        if earlier != arm.letter:
            errors.setdefault(f"content_{arm.letter}", f"This arm is the same as {earlier}. Let it differ in content, "
                              "offer, channel or days, or take it out.")
