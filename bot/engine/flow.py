"""DBOS, in its one home: each run of a job is a durable workflow with one coarse step, started directly and so at once.

The workflow's id is the job's id and the number of the attempt, so DBOS itself refuses to run an attempt a second time.
What a killed process leaves is marked as cancelled there by whoever takes its jobs over; the next attempt is a workflow of
its own. DBOS's queues poll and are not used; neither are its telemetry and its console, and it opens no port.

It refuses to decide anything about jobs: that is in `claims`.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Final

from dbos import DBOS, DBOSConfig, Serializer, SetWorkflowID

from bot import log
from bot.engine.claims import Run
from bot.engine.database import Database
from bot.engine.model import ExecutorId, JobId
from bot.errors import SparkError

MOST_RECOVERIES: Final = 5
_PRUNED_AT_ONCE: Final = 500
_WARM: Final = "warm-"

_ONE: Final = threading.Lock()
"""DBOS keeps what it is in globals: one of it a process."""


class Flow:
    """The workflows of one process, from `start` to `close`."""

    def __init__(self, database: Database, executor: ExecutorId, version: str) -> None:
        self._database = database
        self._executor = executor
        self._version = version
        self._job: Callable[[str, int], str] | None = None

    @property
    def launched(self) -> bool:
        """Whether workflows can be started."""
        return self._job is not None

    def start(self, work: Callable[[JobId, int], str]) -> None:
        """Make DBOS's tables, and be ready at full speed. `work` does one attempt of a job, and never raises."""
        if not _ONE.acquire(blocking=False):
            raise SparkError("An engine runs in this process already", remedy="Close it first.")
        try:
            self._launch(work)
        except BaseException:
            self.close()
            raise

    def run(self, run: Run) -> None:
        """Start an attempt in a thread of its own. Returns when DBOS has stored that it runs."""
        assert self._job is not None
        with SetWorkflowID(_workflow(run.job, run.attempt)):
            DBOS.start_workflow(self._job, run.job, run.attempt)

    def abandon(self, attempts: Iterable[tuple[JobId, int]]) -> None:
        """Attempts that died with their process: they do not count as running in DBOS any more."""
        if ids := [_workflow(job, attempt) for job, attempt in attempts]:
            DBOS.cancel_workflows(ids)

    def prune(self, before: float) -> int:
        """Forget workflows that began before then. Gives their number."""
        end = datetime.fromtimestamp(before, UTC).isoformat()
        number = 0
        while found := DBOS.list_workflows(end_time=end, limit=_PRUNED_AT_ONCE, load_input=False, load_output=False):
            DBOS.delete_workflows([workflow.workflow_id for workflow in found])
            number += len(found)
        return number

    def close(self) -> None:
        """Stop DBOS. What still runs is not waited for."""
        self._job = None
        DBOS.destroy(destroy_registry=True)
        _ONE.release()

    def _launch(self, work: Callable[[JobId, int], str]) -> None:
        _route_logs()
        config: DBOSConfig = {
            "name": "spark",
            "system_database_engine": self._database.writer,
            "executor_id": self._executor,
            "application_version": self._version,
            "serializer": StrictJson(),
            "log_level": "WARNING",
            "enable_otlp": False,
            # Nothing here waits for messages, so no connection is kept to listen for them.
            "use_listen_notify": False,
            # What `close` waits for.
            "notification_listener_polling_interval_sec": 0.25,
        }
        DBOS(config=config)

        @DBOS.step(name="spark.run")
        def step(job: str, attempt: int) -> str:
            return work(JobId(job), attempt)

        @DBOS.workflow(name="spark.job", max_recovery_attempts=MOST_RECOVERIES)
        def job(job: str, attempt: int) -> str:
            return step(job, attempt)

        @DBOS.workflow(name="spark.warm")
        def warm() -> str:
            return ""

        DBOS.launch()
        # The first workflow of a process loads and prepares what the others use.
        name = f"{_WARM}{self._executor}"
        with SetWorkflowID(name):
            DBOS.start_workflow(warm).get_result()
        DBOS.delete_workflow(name)
        self._job = job


class StrictJson(Serializer):
    """What DBOS stores of ours, as JSON. Refuses whatever would come back as something else."""

    def serialize(self, data: Any) -> str:
        """As JSON text. The tuple of a workflow's arguments becomes a list; an exception its kind and its words."""
        if isinstance(data, dict) and isinstance(data.get("args"), tuple):
            data = {**data, "args": list(data["args"])}
        if isinstance(data, BaseException):
            data = {"error": f"{type(data).__name__}: {data}"}
        text = json.dumps(data, allow_nan=False, separators=(",", ":"))
        if json.loads(text) != data:
            raise TypeError(f"{type(data).__name__} is no plain JSON")
        return text

    def deserialize(self, serialized_data: str) -> Any:
        """What `serialize` was given; an exception comes back as a `SparkError`."""
        data = json.loads(serialized_data)
        if isinstance(data, dict) and data.keys() == {"error"}:
            return SparkError(data["error"])
        return data

    def name(self) -> str:
        """Stored beside each value."""
        return "spark_json"


class _ToOurLog(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        tell = log.error if record.levelno >= logging.ERROR else log.warning
        tell("dbos", text=record.getMessage())


def _route_logs() -> None:
    # DBOS adds a console of its own unless there is a handler.
    logger = logging.getLogger("dbos")
    if not any(isinstance(handler, _ToOurLog) for handler in logger.handlers):
        logger.handlers[:] = [_ToOurLog()]
        logger.propagate = False


def _workflow(job: JobId, attempt: int) -> str:
    return f"{job}-{attempt}"
