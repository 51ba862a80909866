"""`python -m benchmarks [NAME] [--part PART] [--quick] [--json]`: our figures beside baselines of the same run.

Each benchmark answers one JSON object per line: name, unit, ours, baselines, ratios, targets, met, peak_mb, size. What
`met` says is about the ratios in `targets` alone; absolute times are recorded and decide nothing.
"""

import argparse
import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

NAMES = ("segments", "mirror", "journeys", "redemptions", "codes", "hooks", "forecast")


def main() -> int:
    """Run the named benchmark, or all of them; the last line of each is its JSON object."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("name", nargs="?", choices=NAMES, help="default: all")
    parser.add_argument("--quick", action="store_true", help="smaller data, under a minute once its data is cached")
    parser.add_argument("--part", help="one part of the benchmark alone: codes and redemptions are measured in parts")
    parser.add_argument("--json", action="store_true", help="only the JSON lines")
    options = parser.parse_args()
    home = Path(os.environ.get("WINBACK_HOME") or "var").resolve() / "benchmarks"
    home.mkdir(parents=True, exist_ok=True)
    for name in [options.name] if options.name else NAMES:
        module = importlib.import_module(f"benchmarks.{name}")
        if options.part and options.part not in getattr(module, "PARTS", ()):
            parser.error(f"{name} has the parts {', '.join(getattr(module, 'PARTS', ())) or 'none'}")
        alone = {"part": options.part} if options.part else {}
        result: dict[str, Any] = module.run(quick=options.quick, home=home, **alone)
        if not options.json:
            _print_table(result)
        print(json.dumps(result, allow_nan=False), flush=True)
    return 0


def _print_table(result: dict[str, Any]) -> None:
    print(f"{result['name']} ({result['size']}), in {result['unit']}: ours {result['ours']}", file=sys.stderr)
    for name, value in result["baselines"].items():
        print(f"  {name}: {value}, ratio {result['ratios'].get(name)}", file=sys.stderr)
    print(f"  targets {result['targets']}: {'met' if result['met'] else 'NOT met'}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
