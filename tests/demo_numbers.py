"""`python -m tests.demo_numbers out.json`: do the numbers of a demo on the real data hold together?

Checks what must be true of any run: the published counts of the data, the ledger adding up, the report's parts and the
planted effect within its interval's reach. Prints what it checked; exit 1 names what does not hold.
"""

import json
import math
import sys
from pathlib import Path
from typing import Any


def problems(found: dict[str, Any]) -> list[str]:
    """What does not hold, as sentences; an empty list is what we want."""
    wrong = []

    def check(holds: bool, sentence: str) -> None:
        if not holds:
            wrong.append(sentence)

    arms, holdout = found["arms"], found["holdout"]
    assigned = sum(arm["assigned"] for arm in arms) + holdout["assigned"]
    check(found["segment"]["size"] == 616, f"the segment has {found['segment']['size']} people, not 616")
    check(found["history"] == {"campaigns": 27, "redemptions": 2102}, f"the history is {found['history']}")
    check(assigned == found["segment"]["size"], f"{assigned} people are assigned, not all of the segment")
    check(len(arms) == 2, f"there are {len(arms)} arms")
    check(0 < holdout["assigned"] < 0.2 * assigned, f"{holdout['assigned']} people are left alone")
    messages = found["messages"]
    check(messages["uncertain"] == 0, f"{messages['uncertain']} messages are uncertain in an undisturbed run")
    check(messages["withheld"] > 0 and messages["sent"] > 0, "nobody was written to or nobody left alone")
    check(sum(messages["by_channel"].values()) == messages["sent"], "the channels do not add up to what was sent")
    check({"email", "letter", "phone"} <= set(messages["by_channel"]), f"channels: {messages['by_channel']}")
    redeemed = sum(arm["redeemed"] for arm in arms)
    check(redeemed == found["redemptions"]["accepted"], f"{redeemed} redeemed against {found['redemptions']}")
    check(found["redemptions"]["refused"] > 0, "no second use was refused")
    check(found["codes"]["live"] >= 200, f"only {found['codes']['live']} codes are live")
    check(found["srm"]["p_value"] > 0.001, f"the split is off: {found['srm']}")
    effect = found["effect"]
    check(effect["low"] <= effect["estimate"] <= effect["high"], f"the effect is not in its interval: {effect}")
    for arm in arms:
        check(arm["rate_low"] <= arm["rate"] <= arm["rate_high"], f"arm {arm['name']}: the rate is not in its interval")
        check(arm["sent"] <= arm["assigned"] and arm["redeemed"] <= arm["sent"], f"arm {arm['name']}: too many")
    check(_finite(found), "the file holds a number that is not finite")
    return wrong


def _finite(value: Any) -> bool:
    if isinstance(value, dict):
        return all(_finite(part) for part in value.values())
    if isinstance(value, list):
        return all(_finite(part) for part in value)
    return not isinstance(value, float) or math.isfinite(value)


def main() -> int:
    """Check the file named on the command line."""
    found = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    wrong = problems(found)
    for sentence in wrong:
        print(f"The demo's numbers: {sentence}.", file=sys.stderr)
    if not wrong:
        print(f"The demo's numbers hold: {found['segment']['size']} people, {found['messages']['sent']} messages,"
              f" {found['redemptions']['accepted']} redemptions.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
