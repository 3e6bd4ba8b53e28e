"""Networks and folders of models for tests: random weights where no real ones are needed."""

import os
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from ml_models import fetching

DATA = Path(os.environ.get("PIX_TEST_DATA", "/nonexistent"))
PUBLISHED = "dncnn_color_blind"


def random_dncnn(channels: int = 3, *, seed: int = 0):
    """A DnCNN that changes images visibly: a real network's task with weights of chance."""
    from ml_models.dncnn import DnCNN, initialise

    network = DnCNN(channels)
    initialise(network, seed=seed)
    return network.eval()


def install_random(folder: Path, *, seed: int = 0) -> Path:
    """Install random weights as the published model, whose hash nobody has published: any first file counts."""
    models = folder / f"models-{seed}"
    models.mkdir(parents=True)
    for name, content in _installed(seed).items():
        (models / name).write_bytes(content)
    return models


@cache
def _installed(seed: int) -> dict[str, bytes]:
    """The files that an installation leaves; once per process, because it inspects the weights in another one."""
    import torch

    with TemporaryDirectory() as folder:
        source, models = Path(folder) / "mirror", Path(folder) / "models"
        source.mkdir()
        torch.save(random_dncnn(seed=seed).state_dict(), source / f"{PUBLISHED}.pth")
        fetching.fetch(PUBLISHED, models, source=fetching.Source(folder=source))
        return {path.name: path.read_bytes() for path in models.iterdir()}


def install_published(folder: Path) -> Path:
    """Install the real published weights."""
    fetching.fetch(PUBLISHED, folder, source=fetching.Source(folder=DATA / "weights"))
    return folder
