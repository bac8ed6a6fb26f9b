"""What the held-out evaluations during training cost, at the default intervals; one thread.

    python -m benchmarks evaluation

Every trial is trained with the evaluations and without, in turns; without, it is still evaluated at the end.
The share is what the evaluations during training add, in the seconds of training and evaluation together,
tracing left out.
"""

import os
import statistics

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

from benchmarks.table import Figures, print_table
from raysweep.experiment import CompiledSteps, Training, configure_threads
from raysweep.trial.result import TrialResult
from raysweep.trial.settings import TrialSettings

TRIALS = (
    *(TrialSettings(arch="echo", len=n_out, mem=mem, seed=0) for n_out in (2, 8) for mem in (16, 300)),
    *(
        TrialSettings(arch="seq2seq", len=n_out, mem=mem, seed=0, epochs=epochs)
        for n_out in (2, 8)
        for mem, epochs in ((50, 5000), (150, 2500), (300, 1000))
    ),
)
ROUNDS = 3


def trained(trial: TrialSettings, steps: CompiledSteps) -> TrialResult:
    """Train and evaluate a trial."""
    training = Training(trial, steps)
    while not training.finished:
        training.advance(seconds=60)
    return training.result()


def one_trial(trial: TrialSettings) -> Figures:
    """Measure one trial: medians over the rounds."""
    steps = CompiledSteps()
    without = trial.model_copy(update={"eval_every": 0})
    trained(trial.model_copy(update={"epochs": trial.eval_every}), steps)
    pairs = [(trained(trial, steps), trained(without, steps)) for _ in range(ROUNDS)]
    shares = [
        (evaluated.eval_s - plain.eval_s) / (evaluated.train_s + evaluated.eval_s)
        for evaluated, plain in pairs
    ]
    slower = [evaluated.train_s / plain.train_s for evaluated, plain in pairs]
    return {
        "trial": f"{trial.arch} len {trial.len} mem {trial.mem}",
        "train_s": statistics.median(one.train_s for one, _ in pairs),
        "evaluations": len(pairs[0][0].evaluations),
        "eval_s": statistics.median(one.eval_s for one, _ in pairs),
        "share": statistics.median(shares),
        "training_slower": statistics.median(slower),
    }


def measure() -> Figures:
    """Measure each trial; print the table, and return its numbers."""
    configure_threads(1)
    figures = [one_trial(trial) for trial in TRIALS]
    columns = ["trial", "training", "looks", "together", "share", "to without"]
    rows = [
        [
            f["trial"],
            f"{f['train_s']:.2f} s",
            str(f["evaluations"]),
            f"{f['eval_s']:.2f} s",
            f"{100 * f['share']:.1f} %",
            f"{f['training_slower']:.2f}",
        ]
        for f in figures
    ]
    print_table("held-out evaluations during training", columns, rows)
    return {"evaluation": figures}


if __name__ == "__main__":
    measure()
