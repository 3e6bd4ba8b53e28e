"""Training on tiny sets: it goes on where it stopped, and ends with files that load."""

import io
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from PIL import Image

torch = pytest.importorskip("torch")

from ml_models.dncnn import DnCNN, grey_from_colour, initialise  # noqa: E402
from ml_models.pix_small import DIMENSIONS, FEATURES  # noqa: E402
from ml_models.training import dncnn, embedder, measuring, patches, records  # noqa: E402
from ml_models.training.pruning import prune  # noqa: E402
from ml_models.training.teacher import MobileNetV2, load_teacher  # noqa: E402
from ml_models.training.views import Views  # noqa: E402

SHORT = dncnn.Settings(steps=4, batch=2, patch_px=16, held_out=1, validate_every=2)
FEW = embedder.Settings(
    steps=2, small_batch=2, small_px=32, large_batch=2, large_px=32, validate_every=1, seed=3, watched=4
)


def photograph(seed: int, height: int = 48, width: int = 64) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    return np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))


@pytest.fixture
def dataset(tmp_path):
    folder = tmp_path / "pictures"
    for name in ("train/a.png", "train/b.png", "test/c.png", "val/secret.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photograph(len(name))).save(folder / name)
    return folder


def weights_of(network) -> np.ndarray:
    return np.concatenate([value.detach().numpy().ravel() for value in network.state_dict().values()])


def test_pictures_for_validation_are_left_out(dataset):
    assert [path.name for path in patches.find_pictures(dataset)] == ["c.png", "a.png", "b.png"]


def test_folder_without_pictures_is_refused(tmp_path):
    with pytest.raises(ValueError, match="No images in"):
        patches.find_pictures(tmp_path)


def test_dncnn_has_the_published_layout():
    keys = list(DnCNN(3).state_dict())
    assert keys == [f"model.{2 * i}.{name}" for i in range(20) for name in ("weight", "bias")]
    assert DnCNN(3).state_dict()["model.38.weight"].shape == (3, 64, 3, 3)


def test_dncnn_begins_near_the_identity():
    network = DnCNN(3)
    initialise(network, seed=0)
    picture = torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert float((network(picture) - picture).abs().mean()) < 0.5


def test_grey_network_begins_with_the_colour_one():
    colour = DnCNN(3)
    initialise(colour, seed=1)
    grey = grey_from_colour(colour)
    picture = torch.rand(1, 1, 24, 24)
    with torch.inference_mode():
        expected = colour.model(picture.expand(1, 3, 24, 24)).mean(1, keepdim=True)
        assert torch.allclose(grey.model(picture), expected, atol=1e-5)


@pytest.mark.check
def test_training_that_was_interrupted_ends_as_one_that_was_not(dataset, tmp_path):
    whole = dncnn.train(dataset, tmp_path / "whole", SHORT)
    dncnn.train(dataset, tmp_path / "parts", replace(SHORT, steps=2, decay=0.0))
    # The learning rate depends on the number of steps: give both halves the same one.
    constant = replace(SHORT, decay=0.0)
    again = dncnn.train(dataset, tmp_path / "parts", constant)
    unbroken = dncnn.train(dataset, tmp_path / "unbroken", constant)
    assert np.array_equal(weights_of(again), weights_of(unbroken))
    assert not np.array_equal(weights_of(whole), weights_of(unbroken))


def test_training_with_other_settings_does_not_go_on(dataset, tmp_path):
    dncnn.train(dataset, tmp_path / "out", replace(SHORT, steps=2))
    with pytest.raises(records.OtherTraining, match="seed was 0, now 1"):
        dncnn.train(dataset, tmp_path / "out", replace(SHORT, seed=1))


def test_learning_rate_rises_stays_and_falls_to_zero():
    settings = dncnn.Settings(steps=1000, learning_rate=1.0)
    rates = [dncnn.learning_rate_at(step, settings) for step in (0, 199, 500, 850, 1000)]
    assert rates == pytest.approx([0.005, 1.0, 1.0, 0.5, 0.0])


def test_train_dncnn_leaves_weights_log_and_curves(dataset, tmp_path, capsys):
    options = {"steps": 2, "batch": 1, "patch_px": 16, "validate_every": 1, "validate": dataset, "threads": 1}
    call_command("train_dncnn", dataset, out=tmp_path / "out", grey=True, **options)
    from safetensors.torch import load_file

    tensors = load_file(tmp_path / "out" / "dncnn_grey.safetensors")
    DnCNN(1).load_state_dict({name: value.float() for name, value in tensors.items()})
    assert {value.dtype for value in tensors.values()} == {torch.float16}
    assert len((tmp_path / "out" / records.LOG).read_text().splitlines()) == 3
    assert Image.open(tmp_path / "out" / records.CURVES).width > 500
    assert "3 images, sigma 25: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"steps": -1}, "--steps -1"),
        ({"batch": 0}, "greater than 0"),
        ({"patch_px": 500}, "500 px on both sides"),
        ({"begin_with": "nowhere"}, "No checkpoint.pt in"),
    ],
)
def test_train_dncnn_refuses_bad_values(dataset, tmp_path, options, sentence):
    if "begin_with" in options:
        options = {"begin_with": tmp_path / options["begin_with"]}
    with pytest.raises(CommandError, match=sentence):
        call_command("train_dncnn", dataset, out=tmp_path / "out", **options)


def test_projection_centres_and_evens_out_the_main_directions():
    features = torch.randn(3000, FEATURES, generator=torch.Generator().manual_seed(0)) + 5
    features[:, :3] *= 20
    weight, bias = embedder.main_directions(features)
    projected = features @ weight.T + bias
    assert projected.shape == (3000, DIMENSIONS)
    assert float(projected.mean(0).abs().max()) < 1e-2
    deviations = projected.std(0)
    assert float(deviations[0] / deviations[3]) == pytest.approx(20**0.5, rel=0.3)


def test_pruning_leaves_out_the_channels_that_nothing_reads():
    torch.manual_seed(0)
    teacher = MobileNetV2().eval().requires_grad_(False)
    for block in teacher.blocks[1:]:
        unread = torch.randperm(block.filter.out_channels)[: block.filter.out_channels // 6]
        block.narrow.weight[:, unread] = 0
    pictures = [torch.rand(4, 3, 64, 64) * 2 - 1 for _ in range(3)]
    student = prune(teacher, pictures)
    with torch.inference_mode():
        expected, made = teacher(pictures[0]), student.features(pictures[0])
    assert [block.filter.out_channels for block in student.blocks[:3]] == [32, 80, 120]
    assert float((made - expected).norm() / expected.norm()) < 0.01


@pytest.mark.parametrize("from_random", [False, pytest.param(True, marks=pytest.mark.check)])
def test_embedder_trains_and_goes_on(tmp_path, from_random):
    small = np.stack([photograph(seed, 32, 32) for seed in range(4)])
    large = [photograph(seed) for seed in range(4)]
    held_out = np.stack([photograph(9, 64, 64)])
    torch.manual_seed(0)
    teacher = MobileNetV2().eval()
    rows = []
    settings = replace(FEW, from_random=from_random)
    embedder.train(small, large, held_out, teacher, tmp_path, replace(settings, steps=1), report=rows.append)
    network = embedder.train(small, large, held_out, teacher, tmp_path, settings, report=rows.append)
    assert [row["step"] for row in rows] == [1, 2]
    assert network(torch.zeros(1, 3, 64, 64)).shape == (1, DIMENSIONS)


def test_views_depend_on_the_step_and_the_generator_alone():
    views = Views([photograph(1, 32, 32)], [photograph(2)], FEW)
    first = [views.batch(step, np.random.default_rng(7)) for step in (0, 1)]
    again = [views.batch(step, np.random.default_rng(7)) for step in (0, 1)]
    assert [batch.shape for batch in first] == [(2, 32, 32, 3), (2, 32, 32, 3)]
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_measured_grouping_of_separate_classes_is_perfect():
    rng = np.random.default_rng(0)
    classes = np.repeat([0, 1, 2], 10)
    vectors = np.eye(3)[classes] + rng.normal(0, 0.01, (30, 3))
    measured = measuring.measure_grouping(vectors, classes)
    assert (measured.nearest, measured.ari, measured.classes, measured.pictures) == (1.0, 1.0, 3, 30)


def test_file_that_is_no_teacher_is_refused(tmp_path):
    torch.save({"conv00.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match="no conv51.weight"):
        load_teacher(tmp_path / "other.pth")


@pytest.mark.check
def test_train_embedder_from_files(dataset, tmp_path, capsys, monkeypatch):
    torch.manual_seed(0)
    teacher = MobileNetV2()
    convolutions = [layer for layer in teacher.modules() if isinstance(layer, torch.nn.Conv2d)]
    tensors = {}
    for index, layer in enumerate(convolutions):
        tensors |= {f"conv{index:02d}.weight": layer.weight.half(), f"conv{index:02d}.bias": layer.bias}
    torch.save(tensors, tmp_path / "teacher.pth")
    with zipfile.ZipFile(tmp_path / "small.zip", "w") as archive:
        for seed in range(3):
            stream = io.BytesIO()
            Image.fromarray(photograph(seed, 64, 64)).save(stream, "PNG")
            archive.writestr(f"class/{seed}.png", stream.getvalue())
    monkeypatch.setattr(embedder, "Settings", lambda **given: replace(FEW, steps=1, **given))
    options = {"small": tmp_path / "small.zip", "teacher": tmp_path / "teacher.pth", "out": tmp_path / "out"}
    call_command("train_embedder", dataset, steps=1, threads=1, validate=[dataset], **options)
    out = capsys.readouterr().out
    assert (tmp_path / "out" / "pix_small.safetensors").stat().st_size < 12_000_000
    assert ", PixSmall: 1-nearest-neighbour" in out
