"""What monitoring costs: its share of the time between the first and the last step of a real run.

python -m benchmarks.monitor [--quick] [--json]
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from benchmarks.common import arguments, report


def main() -> None:
    options = arguments(__doc__ or "")
    with tempfile.TemporaryDirectory() as home:
        os.environ["UNLEARN_STUDIO_HOME"] = home
        from core.engine.control import Control
        from core.events import Resources
        from core.session.example import open_example
        from core.session.jobs import create_run, make_unlearn_job
        from core.session.running import run

        example = open_example()
        rows: list[list[str]] = [["budget", "evaluations", "seconds", "share"]]
        figures: dict[str, float] = {}
        for budget in (0.1,) if options.quick else (0.02, 0.1, 0.3):
            job = make_unlearn_job(
                example.bench.on("cpu", "float32", threads=1),
                example.selection,
                example.method,
                preset=example.preset,
                monitoring_budget=budget,
            )
            folder = create_run(Path(home) / f"run-{budget}", job, example.selection, example.bench.dataset)
            events = []
            run(folder, Control(), events.append, bench=example.bench)
            seen = [event for event in events if isinstance(event, Resources)]
            share = seen[-1].monitoring_share if seen else 0.0
            name = "monitoring_share" if budget == 0.1 else f"monitoring_share_at_{budget:g}"
            figures[name] = round(share, 4)
            rows.append([f"{budget:.0%}", str(len(seen)), f"{seen[-1].elapsed:.1f}", f"{share:.1%}"])
        report("Share of the time spent on monitoring: the example, one thread", figures, rows, options)


if __name__ == "__main__":
    main()
