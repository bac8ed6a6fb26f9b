"""The Ray Tune script that one would write today: a function, a list of configurations, `Tuner.fit`."""

import json
import sys

from benchmarks.baselines.notebook_loop import train

if __name__ == "__main__":
    from ray import tune

    def trainable(config: dict) -> None:
        """Train one configuration and report its accuracy."""
        tune.report({"accuracy": train(**config["trial"])})

    tuner = tune.Tuner(
        tune.with_resources(trainable, {"cpu": 1}),
        param_space={"trial": tune.grid_search(json.loads(sys.argv[1]))},
    )
    tuner.fit()
