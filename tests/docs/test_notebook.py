"""docs/analysis.ipynb runs from top to bottom in a real kernel, and shows what it says."""

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.docs.pages import ROOT

NOTEBOOK = ROOT / "docs" / "analysis.ipynb"


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The notebook after a run in the folder that it names."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
        patch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
        notebook = nbformat.read(NOTEBOOK, as_version=4)
        client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(ROOT / "docs")}})
        client.execute()
    return notebook


def shown(notebook: Any) -> list[dict[str, Any]]:
    """What each cell of code shows last."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs for cell in cells), "a cell shows nothing"
    return [cell.outputs[-1].get("data", {}) for cell in cells]


@pytest.mark.e2e
def test_the_notebook_runs_and_shows_tables_and_charts(executed: Any) -> None:
    outputs = shown(executed)
    assert "168 done of 168 trials" in outputs[0]["text/html"]
    charts = [data for data in outputs if any("vega" in str(value)[:5000].lower() for value in data.values())]
    assert len(charts) == 5
    assert not [
        output
        for cell in executed.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "error" or output.get("name") == "stderr"
    ]


def test_the_notebook_is_stored_without_outputs() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert not [cell for cell in notebook.cells if cell.get("outputs") or cell.get("execution_count")]
    assert NOTEBOOK.stat().st_size < 20_000


def test_the_sweeps_that_the_notebook_reads_exist() -> None:
    text = NOTEBOOK.read_text(encoding="utf-8")
    for name in ("reference", "longer"):
        assert f"../results/{name}" in text
        assert Path(ROOT / "results" / name).is_dir()
