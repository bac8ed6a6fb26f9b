"""Round after round of trials: what the driver reports is committed, counted and shown."""

import re
import traceback
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from raysweep.errors import ClusterError, ResultsError, StorageError
from raysweep.protocol import (
    Assignment,
    Checkpoint,
    Failed,
    Finished,
    Message,
    NotUsed,
    Progress,
    Ready,
    RoundEnded,
    Slots,
    Started,
    Stop,
    Train,
    Wanted,
)
from raysweep.report.live import Display
from raysweep.run.live_page import LivePage
from raysweep.run.signals import Signals
from raysweep.run.state import RunState
from raysweep.run.supervisor import Driver
from raysweep.store.ledger import Damage, Writer
from raysweep.store.sweep_record import Failure
from raysweep.text import clean_text
from raysweep.trial.network import NetworkSource
from raysweep.trial.settings import TrialSettings

if TYPE_CHECKING:
    from raysweep.store.encoding import EncodedTrial

CLUSTER_S: Final = 300.0
"""Seconds that a cluster may take to start, usually 3 to 10. If no thread can be made, Ray waits for ever."""


@dataclass
class Rounds:
    """The training of one run, with one driver."""

    driver: Driver
    state: RunState
    writer: Writer
    display: Display
    signals: Signals
    keep_state: bool
    """Whether the states of trained networks are kept."""
    networks: tuple[NetworkSource, ...] = ()
    """Files that users' networks come from."""
    page: LivePage | None = None
    """A page that is kept up to date."""
    _said: set[tuple[str, str]] = field(default_factory=set)
    """What was said of users' networks that cannot be trained: the architecture, and why, without numbers."""

    def train(self, *, private: bool) -> None:
        """Train until nothing is missing that has an attempt left, or a signal has come.

        Args:
            private: whether the cluster is the driver's own, which its keeper ends.

        Raises:
            ClusterError: the cluster cannot be used, was lost, or makes no progress.
            Interrupted: it was lost, and a signal is the reason.
            StorageError: the results cannot be written any more.
        """
        ready = self._serve(CLUSTER_S)
        assert isinstance(ready, Ready)  # noqa: S101  # nothing was asked for yet that could end
        self.state.slots = ready.slots
        while not self.signals.pending and (trials := self.state.begin_round()):
            self.driver.send(Train(trials=tuple(map(self._assign, trials)), networks=self.networks))
            ended = self._serve()
            assert isinstance(ended, RoundEnded)  # noqa: S101  # the cluster is up
            if not self.signals.pending:
                self.state.end_round(ended.reason, no_worker=ended.no_worker)
        if not (private or self.signals.pending):
            self.driver.dismiss()

    def _assign(self, settings: TrialSettings) -> Assignment:
        trial_id = settings.trial_id
        return Assignment(
            settings=settings,
            attempt=self.state.attempt(trial_id),
            timeout_s=self.state.timeout_s(settings),
            has_state=bool(self.writer.saved.states.usable(settings)),
            keep_state=self.keep_state,
        )

    def _serve(self, timeout_s: float | None = None) -> Ready | RoundEnded:
        """Deal with the driver's events until the cluster is up, or a round has ended."""
        while True:
            if self.signals.pending and not self.state.stopping:
                self.state.stopping = True
                self.driver.send(Stop())
            item = self.driver.receive(until_signal=not self.state.stopping, timeout_s=timeout_s)
            if item is None:
                continue
            event, payload = item
            if isinstance(event, Ready | RoundEnded):
                return event
            if isinstance(event, Wanted):
                self._send_state(event.trial_id)
            elif isinstance(event, Slots):
                self.state.slots = event.slots
            else:
                self._take(event, payload)
                if self.page is not None and (problem := self.page.renew()):
                    self.display.tell(clean_text(f"the page was not renewed: {problem}"))

    def _send_state(self, trial_id: str) -> None:
        """Send what a trial goes on from; nothing if there is nothing."""
        damaged: list[Damage] = []
        settings = self.state.planned.get(trial_id)
        state = self.writer.saved.latest(settings, damaged) if settings else None
        for damage in damaged:
            self.display.tell(clean_text(f"{damage.path}: {damage.what}; set aside, not used"))
        self.driver.send(Checkpoint(trial_id=trial_id), state or b"")

    def _take(self, event: Message, payload: bytes) -> None:
        """Apply an event of a trial to the run; ignore events of trials that are not missing any more."""
        state = self.state
        if not isinstance(event, Started | Progress | Checkpoint | NotUsed | Finished | Failed):
            raise ClusterError(f"the driver sent a message out of turn: {event.type}")
        if event.trial_id not in state.missing:
            return
        match event:
            case Started():
                state.start(event.trial_id)
            case Progress():
                self.signals.orderly = True  # from now on there is something to wait for
                state.progress(event.trial_id, event.epoch, event.loss, event.accuracy)
            case Checkpoint():
                self.writer.put_checkpoint(event.trial_id, payload)
            case NotUsed():
                self.display.tell(
                    f"{event.trial_id} is trained from the start; a saved state is {event.reason}"
                )
            case Finished():
                self._commit(event, payload)
            case Failed() if not self.signals.pending:  # the signal may have gone to its worker, too
                self._fail(event)

    def _commit(self, event: Finished, payload: bytes) -> None:
        """Commit a trial; whatever is wrong with it is its failure, and that trial's alone."""
        try:
            trial, state = _unpack(event, payload)
            self.writer.commit(trial, state)
        except StorageError:
            raise
        except ResultsError as error:  # what came back is not that trial's
            self._fail(_failed(event, str(error), ""))
        except Exception as error:  # noqa: BLE001  # a defect of ours, and its traceback is kept
            message = f"{type(error).__name__}: {clean_text(str(error))}"
            self._fail(_failed(event, message, traceback.format_exc()))
        else:
            finished = self.state.finish(
                event.trial_id, event.exact_match, event.seconds, event.inherited_epochs
            )
            self.display.finished(finished)
            if self.keep_state and state is None:
                self.display.tell(f"{event.trial_id}: its state is too large to be kept")

    def _fail(self, event: Failed) -> None:
        """Count an attempt that failed, show it and record it."""
        trial_id, kind = event.trial_id, event.kind
        what = event.message if kind == "error" else f"{kind.replace('_', ' ')} ({event.message})"
        line = self.state.fail(trial_id, what, hopeless=event.hopeless)
        said = self.state.planned[trial_id].arch, re.sub(r"\d+", "", event.message)
        if not event.hopeless or said not in self._said:
            self.display.tell(f"failed: {line}", "red")
        if event.hopeless:
            self._said.add(said)
        self.writer.record_failure(
            Failure(
                trial_id=trial_id,
                kind=kind,
                message=event.message,
                traceback=event.traceback,
                attempts=self.state.attempts[trial_id],
                host=event.host,
                time=datetime.now(UTC),
            )
        )


def _failed(event: Finished, message: str, trace: str) -> Failed:
    """Return the failure of a trial whose result cannot be committed."""
    return Failed(trial_id=event.trial_id, kind="error", message=message, traceback=trace, host=event.host)


def _unpack(event: Finished, payload: bytes) -> "tuple[EncodedTrial, bytes | None]":
    """Return a trial's tables and its state, if it was kept."""
    from raysweep.store.encoding import EncodedTrial  # and Arrow, while nothing waits for it

    said = sum(size or 0 for size in event.sizes)
    if said != len(payload):
        raise ResultsError(f"{len(payload):,} bytes came for {event.trial_id}, {said:,} were said")
    parts: list[bytes | None] = []
    begin = 0
    for size in event.sizes:
        parts.append(None if size is None else payload[begin : begin + size])
        begin += size or 0
    row, predictions, curves, state = parts
    return EncodedTrial(event.trial_id, row or b"", predictions, curves or b""), state
