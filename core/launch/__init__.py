"""Starting runs: in this process or another, on several processes at once, or on another machine.

Whatever works on a run, it writes the same run folder and answers what is asked in it. Who started the run elsewhere
only follows that folder.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from core import distributed
from core.errors import UsageError
from core.events import State
from core.job import Launcher

if TYPE_CHECKING:  # what another machine is asked for in passing need not load torch
    from core.engine.control import Control
    from core.events import Emit
    from core.models.trust import Trust
    from core.runs.folder import RunFolder
    from core.session.bench import Bench

MOST_UNASKED = 8  # processes, on machines with fewer cores, that a job alone may start: it may be anybody's


def launch(
    folder: RunFolder, control: Control, emit: Emit, bench: Bench | None = None, *, resume: bool = False,
    launcher: Launcher | None = None,
) -> State:  # fmt: skip
    """Run the job in `folder` and return the state it ended in, as `running.run` does.

    launcher: what starts it, where the user chooses that now; else what the job names. Processes that share a run
    already work on it themselves.

    `emit` gets the events of the run in this thread, wherever it goes; `control` reaches it there. Elsewhere model and
    data are opened anew, and of `bench` only the trust counts. Raises the AppError the run failed with, and
    ProcessEndedError where its process ended before it. Once `control` is parting, a run elsewhere is left to itself,
    and its state is returned as it is then.
    """
    chosen, launcher = launcher is not None, launcher or Launcher.parse(folder.job().launcher)
    if launcher.kind == "thread" or distributed.world_size() > 1:
        from core.session.running import run

        return run(folder, control, emit, bench, resume=resume)
    from core.models.trust import NO_TRUST

    trust = bench.trust if bench is not None else NO_TRUST
    return launch_elsewhere(folder, control, emit, trust, launcher, resume=resume, chosen=chosen)


def launch_elsewhere(
    folder: RunFolder, control: Control, emit: Emit, trust: Trust, launcher: Launcher, *, resume: bool, chosen: bool
) -> State:
    """Run the job in `folder` in another process or on another machine; returns and raises as `launch` says.

    chosen: whether the user names the launcher now, and so the machine; else only the job does.
    """
    if folder.is_done:
        return State(folder.status().state)
    if launcher.kind == "torchrun":
        from core.methods import method_of
        from core.session.jobs import require_shareable

        require_shareable(method_of(folder.job()))
        if not chosen and launcher.processes > (most := max(MOST_UNASKED, os.cpu_count() or 1)):
            raise UsageError(
                f"The run's job names {launcher.processes} processes, and this machine has {os.cpu_count()} cores",
                f'Say how many you mean: `resume RUN --on "torchrun {most}"`',
            )
    if launcher.remote:
        from core.launch.remote import run_remotely

        return run_remotely(launcher, folder, control, emit, trust, chosen=chosen)
    from core.launch.children import run_in_child

    return run_in_child(folder, control, emit, trust, resume=resume, processes=launcher.processes)
