"""What a training leaves behind: checkpoints, a log as CSV, curves as PNG, the weights as safetensors."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

CHECKPOINT = "checkpoint.pt"
LOG = "log.csv"
CURVES = "curves.png"


class OtherTraining(ValueError):
    """The folder holds the checkpoint of a training with other settings."""


def save_checkpoint(values: Mapping[str, Any], folder: Path) -> None:
    """Write beside the old checkpoint, then put it in its place: a crash leaves one of them whole."""
    temporary = folder / f"{CHECKPOINT}.new"
    torch.save(dict(values), temporary)
    temporary.replace(folder / CHECKPOINT)


def load_checkpoint(folder: Path, settings: Mapping[str, Any], device: torch.device) -> dict[str, Any]:
    """The folder's checkpoint; the number of steps may have changed since.

    Raises:
        OtherTraining: another setting differs.
    """
    values: dict[str, Any] = torch.load(folder / CHECKPOINT, weights_only=True, map_location=device)
    before = values["settings"]
    changed = [
        f"{name} was {before.get(name)}, now {value}"
        for name, value in settings.items()
        if name != "steps" and before.get(name) != value
    ]
    if changed:
        raise OtherTraining(f"{folder} holds a training with other settings: {', '.join(changed)}.")
    return values


def append_row(path: Path, row: Mapping[str, Any]) -> None:
    """Add a line to a CSV file; the first one names the columns. Numbers get five significant digits."""
    is_new = not path.exists()
    with path.open("a", newline="") as stream:
        writer = csv.DictWriter(stream, list(row))
        if is_new:
            writer.writeheader()
        writer.writerow({name: f"{v:.5g}" if isinstance(v, float) else v for name, v in row.items()})


def plot_curves(log: Path, png: Path, panels: Sequence[Sequence[str]]) -> None:
    """Draw columns of a log over the steps, one panel for each group of columns."""
    from matplotlib.figure import Figure  # slow import

    with log.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    steps = [int(row["step"]) for row in rows]
    figure = Figure(figsize=(5 * len(panels), 4), layout="constrained")
    for axes, columns in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        for column in columns:
            axes.plot(steps, [float(row[column]) for row in rows], label=column)
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(png, dpi=110)


def save_weights(network: torch.nn.Module, path: Path, *, about: Mapping[str, str]) -> None:
    """Write a network's tensors in half precision, with `about` in the file's header."""
    from safetensors.torch import save_file

    tensors = {name: value.detach().half().contiguous().cpu() for name, value in network.state_dict().items()}
    save_file(tensors, path, metadata=dict(about))
