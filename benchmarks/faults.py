"""Real faults done to the program: kills, full disks, damaged files, strange data, two at once; what survives them.

    python -m benchmarks.faults [--quick] [--json] [--only WORDS]

Each is done to `python main.py …` in processes of its own, on a folder of PNG files (scikit-learn's digits). A fault
is survived where the program says what happened on one line or goes on, nothing half-written is left, nothing is lost,
and a run that is gone on with ends with the weights it would have had, bit for bit. What the machine does not permit
(mounts of one's own, for full and read-only disks) is not tried, and not counted.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.common import report
from benchmarks.fault_cases import FAULTS, Fault
from benchmarks.fault_place import LostError, NotPossibleError, Place

IMAGES, QUICK_IMAGES = 1_797, 600
ROUNDS, QUICK_ROUNDS = 12, 8


def main() -> None:
    options = _arguments()
    faults = [fault for fault in FAULTS if fault.quick or not options.quick]
    faults = [fault for fault in faults if options.only.lower() in f"{fault.group} {fault.title}".lower()]
    rows = [["fault", "survived", "seconds"]]
    lost: dict[str, str] = {}
    not_tried: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as temporary:
        small = options.quick
        place = Place(Path(temporary), QUICK_IMAGES if small else IMAGES, QUICK_ROUNDS if small else ROUNDS)
        for fault in faults:
            _tell(f"{fault.group}: {fault.title} …")
            began = time.perf_counter()
            said = _done(fault, place, lost, not_tried)
            rows.append([fault.title, said, f"{time.perf_counter() - began:.1f}"])
        resumes = place.resumes
    tried = len(faults) - len(not_tried)
    figures: dict[str, Any] = {
        "faults": tried,
        "survived": tried - len(lost),
        "lost": lost,
        "not_tried": not_tried,
        "resumes": len(resumes),
        "resume_seconds": round(statistics.median(resumes), 2) if resumes else None,
        "resume_max_seconds": round(max(resumes), 2) if resumes else None,
    }
    rows.append([f"survived: {figures['survived']} of {tried}", "", ""])
    if resumes:
        what = f"gone on with {len(resumes)} times: median from start to first step"
        rows.append([what, "", f"{figures['resume_seconds']:.1f}"])
    report("Faults done to the program, and what it survives", figures, rows, options)
    if lost:
        _tell("\n".join(f"lost: {title}: {why}" for title, why in lost.items()))
        sys.exit(1)


def _done(fault: Fault, place: Place, lost: dict[str, str], not_tried: dict[str, str]) -> str:
    """Do one fault and return whether it was survived, in a word."""
    try:
        fault.act(place)
    except NotPossibleError as reason:
        not_tried[fault.title] = str(reason)
        return "not tried"
    except LostError as reason:
        lost[fault.title] = str(reason)
        return "no"
    finally:
        place.close()
    return "yes"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer faults, on fewer images")
    parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")
    parser.add_argument("--only", default="", metavar="WORDS", help="faults with these words in their name")
    return parser.parse_args()


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
