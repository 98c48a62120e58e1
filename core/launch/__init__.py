"""Starting runs: in this process or another, on several processes at once, or on another machine.

Whatever works on a run, it writes the same run folder and answers what is asked in it. Who started the run elsewhere
only follows that folder.
"""

from __future__ import annotations

from core.engine.control import Control
from core.errors import UsageError
from core.events import Emit, State
from core.job import Launcher
from core.launch.children import run_in_child
from core.runs.folder import RunFolder
from core.session.bench import Bench
from core.session.running import run


def launch(
    folder: RunFolder, control: Control, emit: Emit, bench: Bench | None = None, *, resume: bool = False,
    launcher: Launcher | None = None,
) -> State:  # fmt: skip
    """Run the job in `folder` and return the state it ended in, as `running.run` does.

    launcher: what starts it, where not what the job names.

    `emit` gets the events of the run in this thread, wherever it goes; `control` reaches it there. Elsewhere model and
    data are opened anew, and of `bench` only the trust counts. Raises the AppError the run failed with, and
    ProcessEndedError where its process ended before it. Once `control` is parting, a run elsewhere is left to itself,
    and its state is returned as it is then.
    """
    launcher = launcher or Launcher.parse(folder.job().launcher)
    if launcher.kind == "ssh":
        raise UsageError("Runs on other machines are not started yet", "Use another launcher")
    if launcher.kind == "thread":
        return run(folder, control, emit, bench, resume=resume)
    if folder.is_done:
        return State(folder.status().state)
    trust = (bench or Bench()).trust
    return run_in_child(folder, control, emit, trust, resume=resume, processes=launcher.processes)
