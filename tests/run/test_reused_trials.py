"""What is said of trials that other folders give."""

from pathlib import Path

from raysweep.run.reused_trials import reused_trials

A, B, C = (Path(f"results/{name}") for name in "abc")


def test_the_sentences() -> None:
    refused = dict.fromkeys((f"{n}: damaged" for n in range(12)), C)
    words = [*reused_trials([A, B, C], {A: 1}, refused, "will be taken")]
    assert words[:3] == [
        "1 trial will be taken from results/a.",
        "No trial will be taken from results/b: it has none that is still missing here.",
        "No trial will be taken from results/c.",
    ]
    assert words[3:13] == [f"{n}: damaged; not taken" for n in range(10)]
    assert words[13:] == ["2 more files not taken; `raysweep verify` lists damage"]
