"""The manifest, what is found of it, and what is loaded."""

import hashlib
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ml_models import contents, hashing, torchscript, weights
from ml_models.weights import ModelUnavailable
from tests.documents import section
from tests.ml_models.conftest import GOOD, OTHER, bare_pickle, sha256, table, tensors_file, trapped_file

DATA = os.environ.get("PIX_TEST_DATA")
ROOT = Path(__file__).resolve().parents[2]
PROMISED = {
    "dncnn_colour",
    "dncnn_grey",
    "dncnn_color_blind",
    "pix_small",
    "resnet50",
    "dinov2",
    "clip",
    "clip_vocabulary",
    "brisque",
    "niqe",
    "ilniqe",
    "musiq",
}


def test_every_entry_is_complete():
    assert set(weights.entries()) >= PROMISED
    for entry in weights.entries().values():
        assert entry.family in weights.FAMILIES, entry.name
        assert all((entry.title, entry.file, entry.licence, entry.input, entry.version, entry.used_by)), (
            entry.name
        )
        assert re.fullmatch(r"([0-9a-f]{64})?", entry.sha256), entry.name
        assert entry.is_bundled or entry.address.startswith("https://"), entry.name
        assert entry.is_bundled or entry.address.endswith(f"/{entry.file}"), entry.name
        assert entry.family != "embedding" or entry.dim or entry.name == "clip_vocabulary", entry.name
    files = [entry.file for entry in weights.entries().values()]
    assert len(set(files)) == len(files)


def test_files_that_come_with_pix_are_those_of_the_manifest():
    bundled = {entry.file: entry for entry in weights.entries().values() if entry.is_bundled}
    there = sorted(path.name for path in weights.BUNDLED_DIR.glob("*.safetensors"))

    assert set(there) <= set(bundled)
    for name in there:
        content = (weights.BUNDLED_DIR / name).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (
            bundled[name].byte_size,
            bundled[name].sha256,
        )


def test_neither_the_manifest_nor_the_state_imports_torch():
    code = (
        "import sys; from ml_models import weights, fetching;"
        "[weights.state(name, '/nowhere') for name in weights.entries()];"
        "print([m for m in ('torch', 'safetensors', 'scipy', 'django') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)

    assert run.stdout.strip() == "[]"


def test_unknown_name_says_which_there_are():
    with pytest.raises(KeyError, match="'nope' is not a valid choice. Choose one of: dncnn_colour"):
        weights.entry("nope")


def test_unknown_field_of_the_manifest_is_refused(manifest):
    manifest(table("known", GOOD, colour="red"))

    with pytest.raises(ValueError, match=r"\[known\]: unknown colour"):
        weights.entries()


def install(folder, name, content):
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(content)
    return path


def test_missing_model_names_the_command(manifest, folder):
    with pytest.raises(ModelUnavailable) as caught:
        weights.find("known", folder)

    error = caught.value
    assert (error.name, error.command) == ("known", "manage.py models fetch known")
    assert error.detail.endswith("Run: manage.py models fetch known")
    assert str(pickle.loads(pickle.dumps(error))) == error.detail


def test_right_file_is_found(manifest, folder):
    path = install(folder, "known.gz", GOOD)

    assert weights.find("known", folder) == path
    assert weights.sha256_of("known", folder) == sha256(GOOD)
    assert weights.state("known", folder) == weights.State(
        "known", True, True, "", "manage.py models fetch known", sha256(GOOD)
    )


@pytest.mark.parametrize("content", [OTHER, GOOD[:-1], b""], ids=["swapped", "truncated", "empty"])
def test_wrong_file_is_refused_by_everything(manifest, folder, content):
    install(folder, "known.gz", content)

    state = weights.state("known", folder)
    assert (state.is_present, state.is_verified) == (True, False)
    assert "damaged or a different file" in state.why_not
    for ask in (weights.find, weights.sha256_of, weights.load_tensors):
        with pytest.raises(ModelUnavailable, match="damaged or a different file"):
            ask("known", folder)


def test_file_swapped_after_it_was_found_is_refused(manifest, folder):
    path = install(folder, "known.gz", GOOD)
    times = path.stat()
    weights.find("known", folder)
    path.write_bytes(OTHER)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))

    with pytest.raises(ModelUnavailable, match="damaged or a different file"):
        weights.find("known", folder)


def test_note_spares_the_state_a_reading_and_what_loads_believes_none(manifest, folder):
    path = install(folder, "known.gz", OTHER)
    hashing.write_note(path, sha256(GOOD))

    assert weights.state("known", folder).is_verified
    with pytest.raises(ModelUnavailable, match="damaged or a different file"):
        weights.find("known", folder)


def test_note_counts_only_while_the_file_is_the_same(manifest, folder):
    path = install(folder, "known.gz", GOOD)
    weights.remember(path)
    path.write_bytes(OTHER)

    assert not weights.state("known", folder).is_verified


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"sha256": "x", "stamp": 3}', '{"sha256": "x", "stamp": ["a"]}', "\0"]
)
def test_note_that_cannot_be_read_is_no_note(manifest, folder, text):
    path = install(folder, "known.gz", GOOD)
    hashing.note_path(path).write_text(text)

    assert weights.state("known", folder).is_verified


def test_folder_in_the_place_of_a_file_is_said(manifest, folder):
    (folder / "known.gz").mkdir(parents=True)

    assert "cannot be read" in weights.state("known", folder).why_not


def test_known_good_alternative_is_taken(manifest, folder):
    manifest(table("known", OTHER, other_sha256=[sha256(GOOD)]))
    install(folder, "known.gz", GOOD)

    assert weights.find("known", folder)
    assert weights.sha256_of("known", folder) == sha256(GOOD)


def test_bundled_model_is_found_beside_the_code(manifest, folder):
    assert "not in ml_models/weights" in weights.state("ours", folder).why_not
    install(weights.BUNDLED_DIR, "ours.gz", GOOD)

    assert weights.find("ours", folder) == weights.BUNDLED_DIR / "ours.gz"


def test_bundled_model_without_a_hash_is_not_loaded(manifest, folder):
    manifest(table("ours", GOOD, is_bundled=True, sha256=""))
    assert "not part of this version" in weights.state("ours", folder).why_not
    install(weights.BUNDLED_DIR, "ours.gz", GOOD)

    with pytest.raises(ModelUnavailable, match=r"no hash in weights\.toml"):
        weights.find("ours", folder)


def test_tensors_of_pth_and_safetensors(manifest, folder):
    import torch
    from safetensors.torch import save

    safe = save({"a": torch.arange(4.0), "b": torch.ones(2, dtype=torch.float16)})
    manifest(table("pth", tensors_file(), suffix=".pth"), table("safe", safe, suffix=".safetensors"))
    install(folder, "pth.pth", tensors_file())
    install(folder, "safe.safetensors", safe)

    assert {key: value.shape for key, value in weights.load_tensors("pth", folder).items()} == {
        "conv.weight": (1000,)
    }
    loaded = weights.load_tensors("safe", folder)
    assert {key: value.tolist() for key, value in loaded.items()} == {"a": [0, 1, 2, 3], "b": [1, 1]}
    assert loaded["b"].dtype == torch.float16


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("make", [trapped_file, bare_pickle])
def test_file_with_the_right_hash_that_would_run_code_is_refused(manifest, folder, tmp_path, make):
    content = make(tmp_path / "trap")
    manifest(table("net", content, suffix=".pth"))
    install(folder, "net.pth", content)

    with pytest.raises(ModelUnavailable, match=r"net\.pth: it contains more than tensors and would run code"):
        weights.load_tensors("net", folder)
    assert not (tmp_path / "trap").exists()


@pytest.mark.parametrize(
    ("suffix", "said"),
    [
        (".pth", "not a PyTorch file"),
        (".safetensors", "not a safetensors file"),
        (".mat", "are not supported"),
    ],
)
def test_file_of_another_kind_is_refused(manifest, folder, suffix, said):
    manifest(table("net", b"<html>" * 99, suffix=suffix))
    install(folder, f"net{suffix}", b"<html>" * 99)

    with pytest.raises(ModelUnavailable, match=said):
        weights.load_tensors("net", folder)


def scripted(path):
    """A TorchScript archive, and the state of the module that it was made of."""
    import torch

    class Inner(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(3, 4, 3).half()
            self.lines = torch.nn.ModuleList([torch.nn.Linear(4, 4), torch.nn.Linear(4, 2)])
            self.register_buffer("positions", torch.arange(5))
            self.sizes = [1, 2, 3]
            self.label = "x"

        def forward(self, x):
            return self.lines[0](self.conv(x).float().mean((2, 3))) * self.sizes[0]

    module = Inner().eval()
    torch.jit.script(module).save(str(path))
    return module.state_dict()


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_torchscript_archive_is_read_without_running_it(tmp_path):
    expected = scripted(tmp_path / "a.pt")

    with (tmp_path / "a.pt").open("rb") as stream:
        found = contents.tensors(stream, ".pt")

    assert set(found) == set(expected)
    for key, value in expected.items():
        assert found[key].dtype == value.dtype
        assert found[key].equal(value), key


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_torchscript_archive_that_asks_for_a_function_is_refused(tmp_path):
    import zipfile

    path, trap = tmp_path / "evil.pt", tmp_path / "trap"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("evil/data.pkl", bare_pickle(trap))
        archive.writestr("evil/constants.pkl", b"")

    with path.open("rb") as stream:
        assert torchscript.is_archive(stream)
        with pytest.raises(contents.Refused, match="mkdir, which is not a tensor"):
            contents.tensors(stream, ".pt")
    assert not trap.exists()


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_damaged_torchscript_archive_is_refused(tmp_path):
    scripted(tmp_path / "a.pt")
    whole = bytearray((tmp_path / "a.pt").read_bytes())
    at = whole.index(b"data.pkl") + 60
    whole[at : at + 40] = bytes(40)
    (tmp_path / "a.pt").write_bytes(whole)

    with (tmp_path / "a.pt").open("rb") as stream, pytest.raises(contents.Refused):
        contents.tensors(stream, ".pt")


@pytest.mark.skipif(not DATA, reason="PIX_TEST_DATA is not set")
def test_published_files_are_recognised_and_read():
    folder = Path(DATA) / "weights"

    assert set(weights.load_tensors("dncnn_color_blind", folder)) == {
        f"model.{2 * layer}.{part}" for layer in range(20) for part in ("weight", "bias")
    }
    coefficients, vectors = weights.load_tensors("brisque", folder).values()
    assert (coefficients.shape, vectors.shape) == ((774,), (774, 36))
    for name in ("niqe", "ilniqe"):
        contents.check(weights.find(name, folder), ".mat")


def test_guide_names_every_model_with_its_licence():
    guide = section(ROOT / "docs" / "using.md", "Models")
    rows = {
        name: row.split("|")[3]
        for row in guide.splitlines()
        if row.startswith("| `")
        for name in re.findall(r"`([\w-]+)`", row.split("|")[1])
    }

    assert set(rows) == set(weights.entries())
    for name, licence in rows.items():
        assert licence.strip().startswith(weights.entry(name).licence), name
    assert "PolyForm Noncommercial 1.0.0" in guide
