"""What the notebook does with a grid: one network after another, in one process."""

import json
import sys

from benchmarks.baselines.notebook_loop import train

if __name__ == "__main__":
    for trial in json.loads(sys.argv[1]):
        print(trial, train(**trial))
