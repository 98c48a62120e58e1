"""Runs every benchmark and writes one page: `python -m benchmarks [--quick]`, as `make bench` does."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NAMES = (
    "start", "gui", "week", "speed", "methods", "monitor", "quality", "verify", "calibration", "faults", "fuzz",
    "scaling", "gallery", "similar", "gpu", "ranks", "conditioning", "attacks", "ensembles",
    "encoders",
)  # fmt: skip
NOTHING_TO_TRY = 3  # the exit code of one that needs what this machine has not


def main() -> None:
    """Run each benchmark in a process of its own, one after another, and write bench-results/README.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="shorter, for a look")
    options = parser.parse_args()
    page = ["# Benchmarks", ""]
    failed = []
    for name in NAMES:
        command = [sys.executable, "-m", f"benchmarks.{name}", "--json", *(["--quick"] if options.quick else [])]
        print(f"{name} …", flush=True)
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode == NOTHING_TO_TRY:
            print(done.stderr.strip())
            continue
        if done.returncode:
            failed.append(name)
            print(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "failed without a word")
            continue
        document = json.loads(done.stdout)
        if len(page) == 2:
            page += [", ".join(f"{key} {value}" for key, value in document["machine"].items() if value is not None), ""]
        page += [f"## {name}", "", "```json", json.dumps(document["figures"], indent=2), "```", ""]
    target = ROOT / "bench-results" / "README.md"
    target.parent.mkdir(exist_ok=True)
    target.write_text("\n".join(page))
    print(f"\nWritten to {target.relative_to(ROOT)}")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
