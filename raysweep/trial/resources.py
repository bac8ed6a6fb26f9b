"""Resources of a trial: the cores and GPUs that it occupies while it runs."""

import math

from pydantic import BaseModel, ConfigDict, Field


class Resources(BaseModel):
    """Resources that one trial occupies while it runs; not part of its identity."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    cpu: float = Field(default=1.0, gt=0, le=10_000)
    """Cores."""
    gpu: float = Field(default=0.0, ge=0, le=1_000)
    """GPUs; below 1 a share of one GPU, above 1 a whole number."""

    @property
    def threads(self) -> int:
        """Threads that a trial's TensorFlow may use."""
        return max(int(self.cpu), 1)

    def slots(self, cpus: float, gpus: float) -> int:
        """Return how many trials fit side by side on a machine with these numbers of cores and GPUs.

        >>> Resources(cpu=2).slots(5, 0), Resources(cpu=1, gpu=0.4).slots(8, 2), Resources(gpu=1).slots(8, 0)
        (2, 4, 0)
        """
        fits = math.floor(cpus / self.cpu + 1e-9)
        if 0 < self.gpu < 1:  # a share is a share of one GPU
            return min(fits, math.floor(1 / self.gpu + 1e-9) * math.floor(gpus))
        return min(fits, math.floor(gpus / self.gpu + 1e-9)) if self.gpu else fits
