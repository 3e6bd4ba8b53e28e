"""Metrics: against pyiqa's own calibration where their files are at hand, with random tensors where they are not."""

import csv
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from ml_models import hashing, weights
from processing.algorithms.errors import ProcessingError
from processing.algorithms.offline import NetworkUsed, offline
from processing.algorithms.quality import metrics as quality
from processing.algorithms.quality import networks
from processing.algorithms.quality.metrics import DEFAULT_METRICS, METRICS, availability, score

DATA = Path(os.environ.get("PIX_TEST_DATA", "/nonexistent"))
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="PIX_TEST_DATA names no folder")
NOTHING = "/nonexistent"
# How far pyiqa 0.1.16 is from the figures of its own table, by the files at hand; sums of floats differ between
# processors (brisque 0.00901 and niqe 0.00203 on one, below 0.009 and 0.002 on another).
TOLERANCE = {"brisque": 0.02, "niqe": 0.005, "ilniqe": 0.08, "piqe": 0.001, "entropy": 0.001}


def _photograph(width: int = 256, height: int = 224) -> np.ndarray:
    from skimage import data

    return data.astronaut()[:height, :width].copy()


@needs_data
@pytest.mark.parametrize("name", TOLERANCE)
def test_scores_equal_the_published_calibration(name: str) -> None:
    folder = DATA / "iqa" / "calibration"
    with (folder / "calibration_summary.csv").open() as stream:
        rows = {row[0]: row[1:] for row in csv.reader(stream)}
    files = rows["Method"][:2] if name == "ilniqe" else rows["Method"]  # it takes seconds for each
    pictures = [np.asarray(Image.open(folder / "dist_dir" / file).convert("RGB")) for file in files]
    values = [result.value for result in score(name, pictures, folder=DATA / "weights")]
    published = [float(text) for text in rows[f"{name}(ours)"][: len(files)]]
    print(name, values, published)
    assert values == pytest.approx(published, abs=TOLERANCE[name])


@needs_data
@pytest.mark.parametrize("name", ["brisque", "niqe", "piqe", "entropy"])
def test_pictures_of_one_size_score_together_as_they_score_alone(name: str) -> None:
    flat, photo = np.full((224, 256, 3), 128, np.uint8), _photograph()
    pictures = [photo, photo[:, ::-1].copy(), flat, _photograph(200, 200), photo[..., 0].copy()]
    together = score(name, pictures, folder=DATA / "weights")
    alone = [score(name, [picture], folder=DATA / "weights")[0] for picture in pictures]
    for one, other in zip(together, alone, strict=True):
        assert (one.value is None) == (other.value is None)
        if one.value is not None and other.value is not None:
            assert one.value == pytest.approx(other.value, abs=0.02)  # float32 sums differ with their order
        assert (one.value is None) == bool(one.error_code)
        assert (one.value is None) == (one.normalized is None)


def test_a_picture_without_structure_has_an_error_instead_of_a_value() -> None:
    (result,) = score("piqe", [np.zeros((64, 64), np.uint8)], folder=NOTHING)
    assert (result.value, result.normalized, result.error_code) == (None, None, "not_measurable")
    assert result.error_detail == "PIQE cannot score this image because it has too little structure."


def test_a_small_picture_is_told_the_limit_and_its_size() -> None:
    small, strip = np.zeros((20, 300, 3), np.uint8), np.zeros((100, 8000), np.uint8)
    results = score("piqe", [small, strip], folder=NOTHING)
    assert [result.error_code for result in results] == ["too_small", "too_small"]
    wanted = "PIQE needs at least 32 px on the shorter side; this image is measured at"
    assert results[0].error_detail == f"{wanted} 300 × 20 px."
    assert results[1].error_detail == f"{wanted} 1024 × 13 px."  # as it is reduced
    assert results[1].input_size == 1024


def test_large_pictures_are_reduced_and_the_size_is_recorded() -> None:
    large = np.kron(_photograph(), np.ones((6, 6, 1), np.uint8))
    (result,) = score("entropy", [large], folder=NOTHING)
    assert result.input_size == 1024
    assert "side 1024" in result.version


def test_normalised_scores_rise_with_quality() -> None:
    for spec in METRICS.values():
        assert spec.normalized(spec.best) == 1
        assert spec.normalized(spec.worst) == 0
        assert (spec.best < spec.worst) == (spec.better == "lower")
        assert min(spec.low, spec.high) <= min(spec.best, spec.worst)
        assert max(spec.best, spec.worst) <= max(spec.low, spec.high)


def test_six_metrics_are_the_default_and_every_file_is_in_the_manifest() -> None:
    assert DEFAULT_METRICS == ("brisque", "niqe", "ilniqe", "piqe", "musiq", "paq2piq")
    for spec in METRICS.values():
        assert set(spec.weights) <= set(weights.entries())
        assert set(METRICS) == set(networks._BUILDERS)


@pytest.mark.parametrize("name", ["musiq", "brisque"])
def test_a_missing_file_names_the_command(name: str) -> None:
    found = availability(name, NOTHING)
    assert (found.is_available, found.command) == (False, f"manage.py models fetch {name}")
    with pytest.raises(ProcessingError, match=f"Run: manage.py models fetch {name}") as raised:
        score(name, [_photograph()], folder=NOTHING)
    assert raised.value.code == "model_unavailable"


def test_a_missing_package_names_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality, "is_installed", lambda package: package != "facexlib")
    assert availability("topiq_nr", NOTHING).command == quality.EXTRA_COMMAND
    monkeypatch.setattr(quality, "is_installed", lambda package: package != "pyiqa")
    assert availability("piqe", NOTHING).why_not == "The package pyiqa is not installed."


@needs_data
def test_a_swapped_file_is_refused(tmp_path: Path) -> None:
    shutil.copy(DATA / "weights" / "niqe_modelparameters.mat", tmp_path / "brisque_svm_weights.pth")
    found = availability("brisque", tmp_path)
    assert not found.is_available
    assert "SHA-256" in found.why_not


def test_a_file_of_another_network_is_an_error_of_its_metric_alone(tmp_path: Path) -> None:
    path = tmp_path / weights.entry("niqe").file
    savemat(path, {"templateModel": np.ones(3)})
    hashing.write_note(path, hashing.quick_sha256(path))

    (broken,) = score("niqe", [_photograph()], folder=tmp_path)
    assert (broken.value, broken.error_code) == (None, "model_unavailable")
    assert broken.error_detail.endswith("Run: manage.py models fetch --force niqe")
    assert score("piqe", [_photograph()], folder=tmp_path)[0].value is not None


def test_an_unknown_metric_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ProcessingError, match="'brisk' is not a valid choice. Choose one of: brisque, niqe"):
        score("brisk", [], folder=NOTHING)


def _saved(network: Any, *, prefix: str) -> dict[str, Any]:
    return {prefix + name: tensor for name, tensor in network.state_dict().items()}


@pytest.mark.parametrize(
    "name", ["musiq", "musiq-ava", "paq2piq", "cnniqa", pytest.param("hyperiqa", marks=pytest.mark.check)]
)
def test_learned_metrics_build_from_their_file_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Random tensors in the layout of the file; nothing may be fetched, not even a backbone."""
    import torch

    torch.manual_seed(0)
    kept: dict[str, Any] = {}
    build = networks._BUILDERS[name]
    monkeypatch.setattr(networks, "_loaded", lambda metric, *_: kept.setdefault("metric", metric))
    with offline():
        networks.import_torchvision()
        build(name, NOTHING)
    saved = _saved(kept["metric"], prefix="params." if name in ("cnniqa", "hyperiqa") else "")
    monkeypatch.undo()
    monkeypatch.setattr(weights, "load_tensors", lambda *_: saved)
    with offline(), torch.inference_mode():
        metric = build(name, NOTHING)
        values = metric(torch.rand(2, 3, 224, 256)).flatten()
    assert values.shape == (2,)
    assert torch.isfinite(values).all()


def test_whole_picture_pool_is_the_region_pooling_of_torchvision() -> None:
    import torch

    for height, width in ((224, 224), (250, 333), (33, 640), (480, 500), (64, 65)):
        features = torch.rand(2, 3, -(-height // 32), -(-width // 32))
        regions = [torch.tensor([[0.0, 0, width, height]])] * 2
        assert torch.equal(networks.whole_picture_pool(features, regions), _roi_pool(features, width, height))


def _roi_pool(features: Any, width: int, height: int) -> Any:
    """The loops of torchvision's CPU kernel, for one region that begins at 0, 0."""
    import torch

    pooled = torch.empty(*features.shape[:2], 2, 2)
    rows, columns = int(height / 32 + 0.5) + 1, int(width / 32 + 0.5) + 1
    for ph in range(2):
        for pw in range(2):
            top, bottom = int(np.floor(ph * rows / 2)), int(np.ceil((ph + 1) * rows / 2))
            left, right = int(np.floor(pw * columns / 2)), int(np.ceil((pw + 1) * columns / 2))
            top, bottom = (min(max(at, 0), features.shape[2]) for at in (top, bottom))
            left, right = (min(max(at, 0), features.shape[3]) for at in (left, right))
            is_empty = bottom <= top or right <= left
            pooled[:, :, ph, pw] = 0 if is_empty else features[:, :, top:bottom, left:right].amax((2, 3))
    return pooled


def test_the_faster_statistics_are_those_of_pyiqa() -> None:
    import torch

    networks.import_torchvision()
    from pyiqa.archs import func_util, niqe_arch

    from processing.algorithms.quality import speed

    generator = torch.Generator().manual_seed(0)
    blocks = torch.randn(6, 1, 40, 30, dtype=torch.float64, generator=generator)
    blocks *= torch.tensor([1, 2, 0.1, 5, 0.01, 30.0]).reshape(6, 1, 1, 1)
    for return_sigma in (False, True):
        theirs = func_util.estimate_aggd_param(blocks, return_sigma)
        ours = speed.asymmetric_gaussian(blocks, return_sigma)
        assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))
    planes = torch.rand(2, 3, 60, 70, dtype=torch.float64, generator=generator)
    for kernel in niqe_arch.gauDerivative(1.66):
        theirs = niqe_arch.conv2d(planes, kernel.repeat(3, 1, 1, 1), groups=3)
        ours = speed.convolve(planes, kernel.repeat(3, 1, 1, 1), groups=3)
        assert torch.allclose(ours, theirs, atol=1e-12)


def test_offline_code_cannot_connect_and_others_can() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        with offline(), pytest.raises(NetworkUsed):
            socket.create_connection(server.getsockname())
        socket.create_connection(server.getsockname()).close()


def test_the_table_and_the_causes_do_not_import_torch() -> None:
    code = (
        "import sys; from processing.algorithms.quality import causes, grading, metrics; "
        "metrics.availability('musiq', '/nonexistent'); metrics.availability('piqe', '/nonexistent'); "
        "print([name for name in ('torch', 'pyiqa', 'torchvision', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
