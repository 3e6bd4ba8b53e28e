"""Networks and folders of models for tests: random weights where no real ones are needed."""

import os
from pathlib import Path

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
    import torch

    source = folder / f"mirror-{seed}"
    source.mkdir(parents=True)
    torch.save(random_dncnn(seed=seed).state_dict(), source / f"{PUBLISHED}.pth")
    models = folder / f"models-{seed}"
    fetching.fetch(PUBLISHED, models, source=fetching.Source(folder=source))
    return models


def install_published(folder: Path) -> Path:
    """Install the real published weights."""
    fetching.fetch(PUBLISHED, folder, source=fetching.Source(folder=DATA / "weights"))
    return folder
