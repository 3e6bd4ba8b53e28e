"""Groupings in a real worker's subprocess, by the command, and stopped."""

import io
import subprocess
import sys

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from batches.clustering import compute as analysis_compute
from batches.clustering import service as analysis
from batches.clustering.compute import Task
from batches.models import ClusterRun
from processing.engine.worker import run_until_idle
from processing.tasks.progress import STOP, Stopped, share_of
from tests.factories.analyzed import MODEL, batch_of, groups_of, heaps, with_vectors
from tests.processing.engine.processes import ROOT, wait_until, workers


def told(*arguments) -> str:
    out = io.StringIO()
    call_command("analyze_batch", *map(str, arguments), stdout=out, stderr=io.StringIO())
    return out.getvalue()


@pytest.mark.check
@pytest.mark.django_db(transaction=True)
def test_a_worker_groups_a_batch():
    batch = batch_of(with_vectors(heaps(8, 12, noise=4)))
    run = analysis.submit_analysis(batch, parameters=analysis.parse_parameters({"model": MODEL}))

    with workers(1, "ml"):
        wait_until(
            lambda: not ClusterRun.objects.filter(pk=run.pk, status__in=["queued", "running"]).exists()
        )

    run.refresh_from_db()
    assert (run.status, run.error_detail, run.n_groups) == ("completed", "", 2)
    assert groups_of(batch)["1"] == list(range(9, 21))


@pytest.mark.parametrize(
    "module", ["clustering.compute", "clustering.incremental", "clustering.task", "groups.split_task"]
)
def test_the_subprocess_needs_no_django(module):
    code = f"import sys, batches.{module}; sys.exit('django' in sys.modules or 'torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def task(folder, vectors):
    np.savez(folder / "inputs.npz", vectors=vectors)
    parameters = {"min_cluster_size": 5, "min_samples": 2}
    return Task("full", str(folder / "inputs.npz"), parameters, 0, str(folder))


def test_a_grouping_tells_how_far_it_is(tmp_path):
    outcome = analysis_compute.analyse(task(tmp_path, heaps(8, 8)))

    assert share_of(tmp_path) is not None
    assert np.bincount(outcome.labels).tolist() == [8, 8]


def test_a_grouping_stops_when_it_is_asked_to(tmp_path):
    asked = task(tmp_path, heaps(8, 8))
    (tmp_path / STOP).touch()

    with pytest.raises(Stopped):
        analysis_compute.analyse(asked)


@pytest.mark.django_db
def test_the_command_says_what_it_would_take_and_does_nothing():
    batch = batch_of(with_vectors(heaps(8, 8)), "Shoes")

    text = told("Shoes", "--dry-run", "--model", MODEL)

    assert text.startswith("16 images, 0 without a vector. Estimate: ")
    assert batch.runs.count() == 0


@pytest.mark.django_db
def test_the_command_starts_a_run_with_its_parameters():
    batch = batch_of(with_vectors(heaps(8, 8)), "Shoes")

    text = told(
        batch.pk, "--model", MODEL, "--min-cluster-size", 4, "--min-samples", "null", "--metric", "cosine"
    )
    run_until_idle()

    run = batch.runs.get()
    assert f"Run 1 is queued (job {run.job_id})." in text
    assert (run.status, run.parameters["min_cluster_size"], run.parameters["min_samples"]) == (
        "completed",
        4,
        None,
    )
    assert (run.parameters["metric"], run.job.source) == ("cosine", "command")


@pytest.mark.check
@pytest.mark.django_db(transaction=True)
def test_the_command_waits_and_shows_the_groups():
    batch_of(with_vectors(heaps(8, 12)), "Shoes")

    with workers(1, "ml"):
        text = told("Shoes", "--model", MODEL, "--wait")

    assert "20 images, 2 groups, 0 unassigned. The run is active." in text
    assert text.splitlines()[-2].split()[:3] == ["1", "12", "images"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["Nothing"], "no batch 'Nothing'"),
        (["Shoes", "--min-cluster-size", "1"], "min_cluster_size: Enter"),
        (["Shoes", "--mode", "sweep", "--sizes", "3,x"], "sizes: Enter"),
        (["Shoes", "--mode", "incremental"], "no active run"),
    ],
)
def test_the_command_refuses_in_a_sentence(arguments, match):
    batch = batch_of(with_vectors(heaps(6)), "Shoes")

    with pytest.raises(CommandError, match=match):
        told(*arguments, *(["--model", MODEL] if arguments[0] == "Shoes" else []))

    assert batch.runs.count() == 0
