"""What Ray and TensorFlow print goes to the log, or nowhere."""

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import resource, sys
from pathlib import Path
from raysweep.sweep.quiet import output_to, streams_of_its_own

resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))
with streams_of_its_own() as streams, output_to(Path(sys.argv[1]), streams):
    print("\\x1b[31m" + "a worker's line " * 100)
    print("b worker's line " * 100, end="", file=sys.stderr)
    print("raysweep's own", file=streams.out)
print("the report")
"""


def test_what_the_log_has_no_room_for_never_reaches_the_terminal(tmp_path: Path) -> None:
    log = tmp_path / "run.log"
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = [sys.executable, "-c", SCRIPT, str(log)]
    done = subprocess.run(command, env=buffered, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "raysweep's own\nthe report\n"
    assert done.stderr == ""
    assert log.stat().st_size == 1024
