"""The life of a run: steps, records, evaluations, checkpoints, a clean stop, and the files it leaves."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adorym.cli._confidence import Stopped, check_confidence, confidence_of
from adorym.cli._console import console, note
from adorym.cli._content import run_result
from adorym.cli._evaluate import Evaluator
from adorym.cli._interrupt import Interruption
from adorym.cli._jax import prepared_jax
from adorym.cli._measure import measurement
from adorym.cli._measures import Agreement, agreement, error_of
from adorym.cli._prepare import Prepared, checked, prepare
from adorym.cli._profile import AbstractProfiler, profiler, time_of
from adorym.cli._progress import simulation_progress
from adorym.cli._results import (
    environment,
    forget_peak_memory,
    peak_memory,
    predicted_frames,
    probe_of,
    result_of,
    write_predicted,
    write_probe,
    write_result,
    write_slices,
)
from adorym.config import Job, dumps, load_job
from adorym.io import Checkpoint, RunFolder, latest_checkpoint, write_arrays, write_checkpoint
from adorym.report import ReportContent, RunResult, progress_display, write_report

if TYPE_CHECKING:
    from adorym.experiment import Experiment
    from adorym.profiling import Profile
    from adorym.reconstruct import Progress

_BETWEEN = 20.0
"""Times as long as a checkpoint takes to write there is none."""


@dataclasses.dataclass(frozen=True, eq=False)
class Outcome:
    """How a run ended.

    Attributes:
        code: of the process: 0, or 128 and the number of the signal that stopped it.
        result: what the report shows; `None` where the run was stopped.
        summary: what `summary.json` holds.
        profile: where the time went, if that was asked for.
    """

    code: int
    result: RunResult | None = None
    summary: dict[str, Any] = dataclasses.field(default_factory=dict)
    profile: Profile | None = None


def start_run(job: Job, folder: Path, *, overwrite: bool = False, profile: bool = False) -> Outcome:
    """A new run in a folder that is free; `profile` says where its time goes."""
    RunFolder.check_free(folder, replace=overwrite)
    with prepared_jax(*hardware(job)) as devices, profiler(folder / "profile", wanted=profile) as watch:
        checked(job)
        prepared = prepare(job, devices, advance=simulation_progress(), measure=watch.measured(measurement))
        prepared.allotment.check(prepared.task, prepared.job)
        check_confidence(prepared)
        with RunFolder.create(folder, dumps(prepared.job), replace=overwrite) as run:
            return _Session(run, prepared, None, watch=watch).go()


def resume_run(folder: Path, *, profile: bool = False) -> Outcome:
    """Go on with a run from its newest checkpoint that is whole, or from the start where there is none."""
    with RunFolder.resume(folder) as run:
        job = load_job(run.job)
        found = latest_checkpoint(run.checkpoints)
        for sentence in found.skipped:
            note(sentence)
        where = "from the start" if found.checkpoint is None else f"after step {found.checkpoint.step}"
        note(f"{folder} goes on {where}.")
        with prepared_jax(*hardware(job)) as devices, profiler(run.profile, wanted=profile) as watch:
            prepared = prepare(job, devices, advance=simulation_progress(), measure=watch.measured(measurement))
            return _Session(run, prepared, found.checkpoint, watch=watch).go()


def hardware(job: Job) -> tuple[int, int]:
    """Precision and devices, needed before JAX makes its first array; wrong values are refused with the other keys."""
    precision, devices = job.tables.get("precision", 32), job.tables.get("devices", 0)
    return (64 if precision == 64 else 32), (devices if isinstance(devices, int) and devices > 0 else 0)


class _Session:
    """One sitting of a run, from a checkpoint or from the start to the end or to a signal."""

    def __init__(
        self, run: RunFolder, prepared: Prepared, checkpoint: Checkpoint | None, *, watch: AbstractProfiler
    ) -> None:
        self.run, self.prepared, self.checkpoint, self.watch = run, prepared, checkpoint, watch
        header = {} if checkpoint is None else checkpoint.header
        self.seconds_before, self.peak_before = header.get("seconds", 0.0), header.get("peak_memory", 0)
        self.began = self.saved = time.monotonic()
        self.saving = 0.0
        forget_peak_memory()
        self.evaluator = Evaluator(prepared.task, prepared.output.evaluations, self._error_of())
        self.total = sum(leg.steps for leg in prepared.task.legs())
        stages = prepared.task.stages
        self.per_epoch = [one.solver.steps_per_epoch(prepared.task.feed(i)) for i, one in enumerate(stages)]
        self.taken = [0] * len(stages)
        self.fit: dict[str, float] = {}

    @property
    def seconds(self) -> float:
        """Wall time of the run, earlier sittings included."""
        return self.seconds_before + time.monotonic() - self.began

    def go(self) -> Outcome:
        """Runs to the end and writes the results, or to a signal."""
        model, signal = self._refined()
        return self._finish(model) if model is not None else self._stopped(signal)

    def _refined(self) -> tuple[Experiment | None, int]:
        """The model after all steps, or the signal that stopped them; what the solver remembers is given back."""
        from adorym.reconstruct import Snapshot, iterate, restored

        task, found = self.prepared.task, self.checkpoint
        start = None if found is None else Snapshot(found.step, found.arrays)
        self.run.cut_metrics(-1 if found is None else found.step)
        for record in self.run.records():
            self.taken[record.get("stage", 0)] += bool(record["step"])
        model: Experiment | None = None
        bar = progress_display(
            self.total,
            note,
            console=console(errors=True),
            title=self.run.path.name,
            start=0 if found is None else found.step,
            at_most=any(isinstance(stage.epochs, str) for stage in task.stages),
        )
        with self.watch.span("compile"):
            task.compile_ahead(start)
        with Interruption() as asked, bar:
            if found is None:
                with self.watch.span("look"):
                    look = self.evaluator.look(task.model, task.problem, whole=False)
                self.run.append({"step": 0, "seconds": 0.0, **look})
            for progress in self.watch.steps(iterate(task, start)):
                if progress.last:
                    model = progress.model
                with self.watch.span("look"):
                    told = {"misfit": self._record(progress), "total": progress.steps, "binning": progress.coarse}
                    bar.update(progress.step, **told)
                with self.watch.span("checkpoint"):
                    self._save(progress, stopping=bool(asked.signal))
                if asked.signal:
                    break
                if progress.over and not progress.last:
                    with self.watch.span("compile"):
                        task.compile_after(progress.level.leg)
        if asked.signal:
            return None, asked.signal
        if model is None:  # no step was left
            model = task.model if start is None else restored(task, start)
        return model, 0

    def _stopped(self, signal: int) -> Outcome:
        note(f"Stopped with a checkpoint; go on with: adorym resume {self.run.path}")
        return Outcome(128 + signal, profile=self.watch.finish())

    def _record(self, progress: Progress) -> float | None:
        """One line of `metrics.jsonl`; the misfit where it was measured."""
        task, step = self.prepared.task, progress.step
        self.taken[progress.stage] += 1
        epoch = sum(taken / each for taken, each in zip(self.taken, self.per_epoch, strict=True))
        found: dict[str, float] = {}
        if self.evaluator.due(step) or progress.last:
            found = self.evaluator.look(progress.model, task.problem, whole=progress.last)
        if progress.last:
            self.fit = found
        line: dict[str, Any] = {"step": step, "stage": progress.stage, "epoch": epoch, "seconds": self.seconds}
        if any(one.binning != (1,) for one in task.stages):
            line["binning"] = progress.level.factor
        if progress.info.every > 1:
            line["every"] = progress.info.every
        if task.problem.open:
            opened = zip(task.problem.regularizers, progress.problem.regularizers, strict=True)
            line["weight"] = next(float(now.weight) for before, now in opened if before.weight == "auto")
        self.run.append({**line, "objective": progress.info.value, "note": progress.info.note, **found})
        return found.get("misfit")

    def _save(self, progress: Progress, *, stopping: bool) -> None:
        """A checkpoint, where one is due."""
        from adorym.reconstruct import snapshot

        least = self.prepared.output.checkpoint_seconds
        late = time.monotonic() - self.saved >= max(least, _BETWEEN * self.saving if least else 0.0)
        if late or stopping or progress.over:
            header = {
                "seconds": self.seconds,
                "peak_memory": max(self.peak_before, peak_memory()),
                "memory": self.prepared.memory,
            }
            begun = time.monotonic()
            taken = snapshot(progress)
            write_checkpoint(self.run.checkpoints, taken.step, taken.arrays, header=header)
            self.saved = time.monotonic()
            self.saving = self.saved - begun

    def _finish(self, model: Experiment) -> Outcome:
        """Measures and writes everything that is left behind, the summary last."""
        try:
            with self.watch.span("results"):
                content, summary = self._results(model)
        except Stopped as stopped:
            return self._stopped(stopped.signal)
        profile = self.watch.finish()
        content = dataclasses.replace(content, time=time_of(self.run))
        title = self.prepared.output.title or self.run.path.resolve().name
        write_report(self.run.path, ReportContent(title=title, run=content, provenance=_provenance(summary)))
        self.run.write_summary(summary)
        return Outcome(0, content, summary, profile)

    def _results(self, model: Experiment) -> tuple[RunResult, dict[str, Any]]:
        """Measures and writes the result; what the report and the summary tell of it."""
        prepared, dataset = self.prepared, self.prepared.task.dataset
        result = result_of(model, dataset)
        weight = self._weight()
        found = None if prepared.truth is None else agreement(result, prepared.truth)
        summary = self._summary(model, found)
        with Interruption() as asked:
            left = self.evaluator.unexplained(model, prepared.task.problem)
            trust = confidence_of(prepared, model, result, left=left, weight=weight, asked=asked)
        summary |= trust.numbers
        shown, probe = predicted_frames(model, dataset, prepared.output.frames), probe_of(model)
        write_result(self.run, result)
        write_slices(self.run, model, dataset)
        if probe is not None:
            write_probe(self.run, probe, dataset)
        write_predicted(self.run, shown, dataset.mask)
        write_arrays(self.run.confidence, trust.arrays)
        records = self.run.records()
        content = run_result(
            prepared, result, summary,
            found=found, shown=shown, records=records, probe=probe, confidence=trust.shown,
        )  # fmt: skip
        return content, summary

    def _summary(self, model: Experiment, found: Agreement | None) -> dict[str, Any]:
        task, job = self.prepared.task, self.prepared.job
        done = [record["step"] for record in self.run.records()]
        fit = self.fit or self.evaluator.look(model, task.problem, whole=True)
        nothing = self.evaluator.misfit(_emptied(model), task.problem)
        names = ("misfit", "reduced_chi2", "held_out_misfit", "held_out_reduced_chi2")
        decided = {name: job.tables[name] for name in ("experiment", "regularizers", "stages") if name in job.tables}
        return {
            **{name: fit[name] for name in names if name in fit},
            "relative_misfit": fit["misfit"] / nothing if nothing > 0 else None,
            "misfit_of_empty_object": nothing,
            **({} if found is None else {**found.numbers(), "fourier_correlation": found.curve()}),
            "seconds": self.seconds,
            "peak_memory": max(self.peak_before, peak_memory()),
            "memory": self.prepared.memory,
            "steps": max(done, default=0),
            "seed": job.seed,
            "precision": job.precision,
            "devices": job.tables["devices"],
            "versions": environment(),
            "decided": decided,
            **({"weight": self._weight()} if task.problem.open else {}),
        }

    def _weight(self) -> float:
        """The weight that the run ended with, for regularisers that left it open."""
        found = [record["weight"] for record in self.run.records() if "weight" in record]
        return found[-1] if found else 0.0

    def _error_of(self) -> Callable[[Experiment], float] | None:
        """The error of a model against the truth, for the curve of the run."""
        truth, dataset = self.prepared.truth, self.prepared.task.dataset
        if truth is None:
            return None

        return lambda model: error_of(result_of(model, dataset), truth)


def _emptied(model: Experiment) -> Experiment:
    """The model without its sample: whatever an object is described by, zeros are vacuum."""
    import equinox as eqx
    import jax

    nothing = jax.tree.map(jax.numpy.zeros_like, model.object)
    return eqx.tree_at(lambda one: one.object, model, nothing)


def _provenance(summary: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    rows = {**summary["versions"], "seed": summary["seed"], "precision": f"{summary['precision']} bits"}
    return tuple((name, str(value)) for name, value in rows.items())
