"""One check run on a head: opened once, updated while the review grows, closed with its conclusion.

Nothing is created blindly twice and no annotation is added twice: after a lost answer the head is looked at first. An update
that GitHub does not take is skipped, for the next one tells the same and more. Source of the rules: GitHub's published OpenAPI,
checks/create and checks/update.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from bot import log
from bot.errors import OutsideError, SparkError
from bot.github import limits
from bot.github.annotations import Annotation, Ledger, Level, annotation_json
from bot.github.check_json import Action, CheckRun, Conclusion, entries, output_json, read_run
from bot.github.client import GitHubClient
from bot.github.faults import Cut, Reply, error_for, rate_wait
from bot.review.model import CommitSha, RepoName
from bot.review.ports import Stop

__all__ = ["NAME", "NEEDS", "Action", "Annotation", "CheckRun", "CheckRuns", "Conclusion", "Level"]

NAME: Final = "spark"
"""The name of the check: what branch rules require."""
NEEDS: Final = "checks=write"
"""The permission that all of this takes."""


class CheckRuns:
    """The check runs of one job. Everything may be called from several threads; one request is sent at a time."""

    def __init__(
        self, client: GitHubClient, repo: RepoName, *, stop: Stop, name: str = NAME, delivery: str = ""
    ) -> None:
        """`delivery` is the id that goes into the log."""
        self._delivery = delivery
        self._client = client
        self._repo = repo
        self._stop = stop
        self._name = name
        self._turn = threading.Lock()
        self._ledger = Ledger()

    def open(
        self,
        *,
        head: CommitSha,
        external_id: str,
        details_url: str | None,
        title: str,
        summary: str,
        again: bool,
    ) -> CheckRun:
        """A run in progress on `head`. `again`: a run of this job may be there already; then it is taken up.

        Raises SparkError when GitHub does not allow it, or stays away for as long as the stop lasts.
        """
        started = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        body = {"status": "in_progress", "started_at": started, "output": output_json(title, summary, "")}
        if details_url is not None:
            body["details_url"] = details_url
        doing = f"opening the check on {self._repo}@{head[:7]}"
        with self._turn:
            found = self._find(head, external_id) if again else None
            if found is None:
                created = {"name": self._name, "head_sha": head, "external_id": external_id, **body}
                return self._create(head, external_id, created, doing)
            # An earlier try may have closed it, and may have told annotations.
            self._ledger.doubt(found.id)
            answer = self._persist(lambda: self._patch(found, body, self._stop), self._stop)
            if not isinstance(answer, Reply) or not answer.ok:
                raise error_for(answer, doing=doing, needs=NEEDS)
            return found

    def find(self, *, head: CommitSha, external_id: str) -> CheckRun | None:
        """The newest run on `head` that was opened with this `external_id`."""
        with self._turn:
            return self._find(head, external_id)

    def update(
        self,
        run: CheckRun,
        *,
        title: str,
        summary: str,
        text: str = "",
        annotations: Sequence[Annotation] = (),
        stop: Stop | None = None,
    ) -> bool:
        """Show how it stands; False when GitHub did not take it this time.

        `annotations` may be all so far: those that stand already are not sent again, and at most 50 go with one update. Raises
        SparkError when GitHub does not allow it.
        """
        with self._turn:
            stop = self._briefly(stop or self._stop)
            try:
                fresh = self._fresh(run, annotations, stop)[: limits.MAX_ANNOTATIONS]
            except OutsideError:
                fresh = []
            answer = self._tell(run, {"output": output_json(title, summary, text)}, fresh, stop)
            if isinstance(answer, Reply) and answer.ok:
                return True
            if not _is_final(answer) or _told(answer) is not None:
                self._note("check.update_skipped", run, status=_status(answer))
                return False
            raise error_for(answer, doing=f"updating the check on {self._repo}", needs=NEEDS)

    def close(
        self,
        run: CheckRun,
        *,
        conclusion: Conclusion,
        title: str,
        summary: str,
        text: str = "",
        annotations: Sequence[Annotation] = (),
        actions: Sequence[Action] = (),
        stop: Stop | None = None,
    ) -> None:
        """End the run, with all of `annotations` that do not stand yet, in as many requests as they take.

        Repeated while the stop lasts. Annotations that GitHub does not take are left out and logged: the conclusion goes before
        them. ValueError for more than three actions; SparkError when the run could not be closed.
        """
        if len(actions) > limits.MAX_CHECK_ACTIONS:
            raise ValueError(f"{len(actions)} actions are more than {limits.MAX_CHECK_ACTIONS}")
        stop = stop or self._stop
        shown = {"output": output_json(title, summary, text)}
        ending: dict[str, Any] = {"status": "completed", "conclusion": str(conclusion), **shown}
        if actions:
            ending["actions"] = [
                {"label": each.label, "description": each.description, "identifier": each.identifier}
                for each in actions
            ]
        with self._turn:
            answer = self._persist(lambda: self._whole(run, shown, ending, annotations, stop), stop)
            if annotations and (isinstance(answer, Cut) or answer.status == 422 or answer.status >= 500):
                # Rather without annotations than open for ever.
                self._note("check.annotations_lost", run, status=_status(answer))
                answer = self._patch(run, ending, stop)
            if isinstance(answer, Cut) or not answer.ok:
                raise error_for(answer, doing=f"closing the check on {self._repo}", needs=NEEDS)

    def strays(self, run: CheckRun, *, head: CommitSha, external_id: str) -> list[CheckRun]:
        """Other runs of this job on `head` that are not closed: a process that died may have asked for one that GitHub made
        only after its successor had looked.
        """
        with self._turn:
            listed = self._listed(head, external_id)
        return [read_run(entry) for entry in listed if entry.get("status") != "completed" and entry["id"] != run.id]

    def _whole(
        self,
        run: CheckRun,
        shown: Mapping[str, Any],
        ending: Mapping[str, Any],
        annotations: Sequence[Annotation],
        stop: Stop,
    ) -> Reply | Cut:
        """One try at closing: what is left of the annotations, 50 at a time, the last of them with the conclusion."""
        try:
            fresh = self._fresh(run, annotations, stop)
        except OutsideError as error:
            return Cut(reason=error.what)
        size = limits.MAX_ANNOTATIONS
        groups = [fresh[start : start + size] for start in range(0, len(fresh), size)] or [[]]
        for group in groups[:-1]:
            answer = self._tell(run, shown, group, stop)
            if isinstance(answer, Cut) or not answer.ok:
                return answer
        return self._tell(run, ending, groups[-1], stop)

    def _tell(
        self, run: CheckRun, body: Mapping[str, Any], annotations: Sequence[Annotation], stop: Stop
    ) -> Reply | Cut:
        """Send an update with these annotations, without them when GitHub refuses them; and remember what stands."""
        if not annotations:
            return self._patch(run, body, stop)
        output = {**body["output"], "annotations": [annotation_json(each) for each in annotations]}
        answer = self._patch(run, {**body, "output": output}, stop)
        if isinstance(answer, Cut) or answer.status >= 500:
            self._ledger.doubt(run.id)
        elif answer.ok:
            self._ledger.add(run.id, annotations)
        elif answer.status == 422 and _told(answer) is None:
            self._ledger.add(run.id, annotations)
            self._note("check.annotations_refused", run, count=len(annotations))
            return self._patch(run, body, stop)
        return answer

    def _fresh(self, run: CheckRun, annotations: Sequence[Annotation], stop: Stop) -> list[Annotation]:
        """Those that do not stand yet, each once. Asks GitHub where that is in doubt; raises OutsideError."""
        if annotations and self._ledger.in_doubt(run.id):
            path = f"/repos/{self._repo}/check-runs/{run.id}/annotations"
            pages = self._client.pages(path, stop=stop, doing=f"reading the annotations on {self._repo}")
            self._ledger.read(run.id, [entry for page in pages for entry in entries(page.json())])
        return self._ledger.fresh(run.id, annotations)

    def _create(self, head: CommitSha, external_id: str, body: Mapping[str, Any], doing: str) -> CheckRun:
        pause = limits.CHECK_PAUSE
        answer: Reply | Cut = Cut(reason="not sent")
        for _ in range(limits.CHECK_TRIES):
            answer = self._client.call("POST", f"/repos/{self._repo}/check-runs", stop=self._stop, body=body)
            if isinstance(answer, Reply) and answer.ok:
                return read_run(answer.json())
            told = _told(answer)
            if told is None and _is_final(answer):
                break
            if told is not None:
                # A rate limit's answer means that nothing was made.
                if told > limits.MAX_RATE_WAIT or not self._client.pause(self._stop, told):
                    break
                continue
            found = self._look(head, external_id, pause, answer, doing)
            if found is not None:
                return found
            if self._stop.left() <= 0:
                break
            pause *= 2
        raise error_for(answer, doing=doing, needs=NEEDS)

    def _look(self, head: CommitSha, external_id: str, pause: float, lost: Reply | Cut, doing: str) -> CheckRun | None:
        """Whether a run whose answer was lost was made; looked twice, for it may be visible a moment later."""
        blind: SparkError | None = None
        for look in range(2):
            if look and not self._client.pause(self._stop, pause):
                break
            try:
                found = self._find(head, external_id)
            except OutsideError as error:
                blind = error
                continue
            blind = None
            if found is not None:
                return found
        if blind is not None:
            raise OutsideError(
                f"{error_for(lost, doing=doing).what}, and whether it arrived could not be seen: {blind.what}",
                remedy="Run again: what did arrive is found and not made twice",
            ) from blind
        return None

    def _find(self, head: CommitSha, external_id: str) -> CheckRun | None:
        return max(map(read_run, self._listed(head, external_id)), key=lambda run: run.id, default=None)

    def _listed(self, head: CommitSha, external_id: str) -> list[Mapping[str, Any]]:
        pages = self._client.pages(
            f"/repos/{self._repo}/commits/{head}/check-runs",
            stop=self._stop,
            doing=f"looking for the check on {self._repo}@{head[:7]}",
            params={"check_name": self._name, "filter": "all"},
        )
        listed = [entry for page in pages for entry in entries(page.json(), "check_runs")]
        return [entry for entry in listed if entry.get("external_id") == external_id and self._is_ours(entry)]

    def _is_ours(self, entry: Mapping[str, Any]) -> bool:
        """Another App may have a check of the same name; where we do not know who we are, the id decides alone."""
        login, app = self._client.login, entry.get("app")
        return login is None or not isinstance(app, Mapping) or f"{app.get('slug')}[bot]" == login

    def _patch(self, run: CheckRun, body: Mapping[str, Any], stop: Stop) -> Reply | Cut:
        return self._client.call("PATCH", f"/repos/{self._repo}/check-runs/{run.id}", stop=stop, body=body)

    def _persist(self, send: Callable[[], Reply | Cut], stop: Stop) -> Reply | Cut:
        """Send until GitHub says yes or no, or the time is over. Rate limits are waited for as told."""
        pause = limits.CHECK_PAUSE
        answer = send()
        for _ in range(limits.CHECK_TRIES - 1):
            told = _told(answer)
            if told is None and _is_final(answer):
                break
            wait = pause if told is None else told
            if wait > limits.MAX_RATE_WAIT or not self._client.pause(stop, wait):
                break
            pause *= 2
            answer = send()
        return answer

    def _note(self, event: str, run: CheckRun, **fields: int) -> None:
        log.warning(event, delivery=self._delivery, repo=self._repo, check_run=run.id, **fields)

    def _briefly(self, stop: Stop) -> Stop:
        return Stop(
            deadline=self._client.clock.now() + min(stop.left(), limits.CHECK_UPDATE_SECONDS), clock=self._client.clock
        )


def _status(answer: Reply | Cut) -> int:
    return answer.status if isinstance(answer, Reply) else 0


def _told(answer: Reply | Cut) -> float | None:
    """Seconds that GitHub asks to wait."""
    return rate_wait(answer) if isinstance(answer, Reply) else None


def _is_final(answer: Reply | Cut) -> bool:
    """Whether asking again would end no better."""
    return isinstance(answer, Reply) and answer.status < 500
