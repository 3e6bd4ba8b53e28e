"""Training of DnCNN on patches of clean images with Gaussian noise of a random strength.

The learning rate rises, stays, and falls to zero over the last part of the steps, so that a run that is resumed
with more or fewer steps ends as a run of that length would.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ml_models.dncnn import DnCNN, grey_from_colour, initialise
from ml_models.layout import channels_last
from ml_models.training.patches import find_pictures, random_patches, read
from ml_models.training.records import CHECKPOINT, LOG, append_row, load_checkpoint, save_checkpoint

PANELS = (("psnr_15", "psnr_25", "psnr_50"), ("loss",), ("learning_rate",))
SIGMAS = (15, 25, 50)
WARM_UP_STEPS = 200
_MSE_FLOOR = 1e-4  # a patch with almost no noise must not outweigh the others


@dataclass(frozen=True)
class Settings:
    """What decides a training.

    Attributes:
        channels: 3 for colour, 1 for grey.
        steps: updates in all.
        batch, patch_px: patches of one update and their side.
        learning_rate: the highest.
        decay: share of the steps over which it falls to zero.
        sigma_max: strongest noise, grey levels of 255; each patch draws its own from 0 to this.
        average: weight of the past in the moving average of the weights, which is what is kept.
        held_out: images that are not trained on but measured.
        validate_every: steps between measurements.
        seed: of weights, patches and noise.
    """

    channels: int = 3
    steps: int = 20_000
    batch: int = 8
    patch_px: int = 48
    learning_rate: float = 5e-4
    decay: float = 0.3
    sigma_max: float = 55.0
    average: float = 0.999
    held_out: int = 8
    validate_every: int = 500
    seed: int = 0


@dataclass
class State:
    """Everything that a checkpoint holds."""

    network: DnCNN
    averaged: DnCNN
    optimizer: torch.optim.Optimizer
    step: int = 0
    seconds: float = 0.0


def learning_rate_at(step: int, settings: Settings) -> float:
    """Warm-up, constant, then half a cosine down to zero."""
    warm = min(1.0, (step + 1) / WARM_UP_STEPS)
    start = settings.steps * (1 - settings.decay)
    if step < start:
        return settings.learning_rate * warm
    fallen = (step - start) / max(1.0, settings.steps - start)
    return settings.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * min(1.0, fallen)))


def loss_of(output: Tensor, clean: Tensor) -> Tensor:
    """Mean over the patches of log MSE: each counts as the decibels it is off, whatever its noise."""
    mse = (output - clean).square().mean(dim=(1, 2, 3))
    return torch.log(mse + _MSE_FLOOR).mean()


def psnr(output: np.ndarray, clean: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB of two float arrays, 0–1."""
    mse = float(np.mean((output.astype(np.float64) - clean.astype(np.float64)) ** 2))
    return -10 * math.log10(mse) if mse else math.inf


def mean_psnr(network: DnCNN, pictures: Sequence[np.ndarray], *, sigma: float, seed: int = 0) -> float:
    """Mean PSNR in dB over uint8 images (H, W, C) after unclipped Gaussian noise and denoising.

    The noise comes from one generator for all images, as in the published measurement; results are clipped to 0–1.
    """
    rng = np.random.default_rng(seed)
    device = next(network.parameters()).device
    scores = []
    for picture in pictures:
        clean = picture.astype(np.float32) / 255
        noisy = clean + rng.normal(0, sigma / 255, clean.shape).astype(np.float32)
        batch = torch.from_numpy(noisy.transpose(2, 0, 1).copy())[None].to(device)
        with torch.inference_mode():
            result = network(batch.contiguous(memory_format=torch.channels_last))
        scores.append(psnr(result[0].cpu().numpy().transpose(1, 2, 0).clip(0, 1), clean))
    return float(np.mean(scores))


def start(settings: Settings, device: torch.device, begin_with: DnCNN | None = None) -> State:
    """A new training; a grey one may begin with a colour network."""
    network = DnCNN(settings.channels)
    if begin_with is None:
        initialise(network, seed=settings.seed)
    else:
        same = begin_with.channels == settings.channels
        network.load_state_dict((begin_with if same else grey_from_colour(begin_with)).state_dict())
    averaged = DnCNN(settings.channels)
    averaged.load_state_dict(network.state_dict())
    channels_last(network.to(device))
    channels_last(averaged.to(device))
    optimizer = torch.optim.Adam(network.parameters(), lr=settings.learning_rate, betas=(0.9, 0.99))
    return State(network, averaged, optimizer)


def save(state: State, settings: Settings, folder: Path) -> None:
    values = {
        "network": state.network.state_dict(),
        "averaged": state.averaged.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "step": state.step,
        "seconds": state.seconds,
        "settings": asdict(settings),
    }
    save_checkpoint(values, folder)


def resume(folder: Path, settings: Settings, device: torch.device) -> State:
    """Go on from the folder's checkpoint.

    Raises:
        OtherTraining: it was written with other settings.
    """
    values = load_checkpoint(folder, asdict(settings), device)
    state = start(settings, device)
    state.network.load_state_dict(values["network"])
    state.averaged.load_state_dict(values["averaged"])
    state.optimizer.load_state_dict(values["optimizer"])
    state.step, state.seconds = values["step"], values["seconds"]
    return state


def trained(folder: Path) -> DnCNN:
    """The averaged network of a checkpoint, whatever its settings.

    Raises:
        ValueError: there is no checkpoint.
    """
    if not (folder / CHECKPOINT).exists():
        raise ValueError(f"No {CHECKPOINT} in {folder}.")
    values = torch.load(folder / CHECKPOINT, weights_only=True, map_location="cpu")
    network = DnCNN(values["settings"]["channels"])
    network.load_state_dict(values["averaged"])
    return network


def update(state: State, settings: Settings, pictures: Sequence[np.ndarray]) -> float:
    """One step; its patches and noise depend on the seed and the step alone, so that a resumed run is the same."""
    rng = np.random.default_rng((settings.seed, state.step))
    device = next(state.network.parameters()).device
    patches = random_patches(pictures, count=settings.batch, size_px=settings.patch_px, rng=rng)
    clean = torch.from_numpy(patches).to(device).float() / 255
    sigma = rng.uniform(0, settings.sigma_max, (settings.batch, 1, 1, 1)) / 255
    noise = torch.from_numpy((rng.standard_normal(patches.shape) * sigma).astype(np.float32)).to(device)
    noisy = (clean + noise).contiguous(memory_format=torch.channels_last)
    for group in state.optimizer.param_groups:
        group["lr"] = learning_rate_at(state.step, settings)
    loss = loss_of(state.network(noisy), clean)
    state.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(state.network.parameters(), 1.0)
    state.optimizer.step()
    past = min(settings.average, (state.step + 1) / (state.step + 10))
    with torch.no_grad():
        pairs = zip(state.averaged.parameters(), state.network.parameters(), strict=True)
        for average, current in pairs:
            average.lerp_(current, 1 - past)
    state.step += 1
    return float(loss.detach())


def train(
    dataset: Path,
    out: Path,
    settings: Settings,
    *,
    begin_with: DnCNN | None = None,
    device: torch.device | None = None,
    report: Callable[[dict[str, Any]], None] = lambda row: None,
    on_step: Callable[[int], None] = lambda step: None,
) -> DnCNN:
    """Train until the last step, going on from the checkpoint in `out` where there is one.

    Args:
        dataset: folder of clean images; folders called `val` in it are left out.
        out: folder for the checkpoint and `log.csv`.
        begin_with: a network to start from instead of random weights.
        report: called with each row of the log.
        on_step: called with the number of steps done.

    Returns:
        The averaged network.

    Raises:
        ValueError: no images, or they are smaller than a patch; the folder's training has other settings.
    """
    out.mkdir(parents=True, exist_ok=True)
    device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    pictures, held_out = _read_all(dataset, settings)
    has_begun = (out / CHECKPOINT).exists()
    state = resume(out, settings, device) if has_begun else start(settings, device, begin_with)
    losses: list[float] = []
    since = time.monotonic()
    while state.step < settings.steps:
        losses.append(update(state, settings, pictures))
        on_step(state.step)
        if state.step % settings.validate_every == 0 or state.step == settings.steps:
            state.seconds += time.monotonic() - since
            since = time.monotonic()
            row = {
                "step": state.step,
                "seconds": round(state.seconds),
                "learning_rate": learning_rate_at(state.step - 1, settings),
                "loss": float(np.mean(losses)),
            }
            row |= {f"psnr_{sigma}": mean_psnr(state.averaged, held_out, sigma=sigma) for sigma in SIGMAS}
            append_row(out / LOG, row)
            save(state, settings, out)
            report(row)
            losses.clear()
    return state.averaged


def _read_all(dataset: Path, settings: Settings) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Images to train on, whole and at 0.8 of their size, and those held out: every n-th of the sorted ones."""
    paths = find_pictures(dataset)
    stride = max(2, len(paths) // max(1, settings.held_out))
    held_out = paths[::stride][: settings.held_out]
    pictures = [
        read(path, channels=settings.channels, scale=scale)
        for path in paths
        if path not in set(held_out)
        for scale in (1.0, 0.8)
    ]
    fitting = [picture for picture in pictures if min(picture.shape[:2]) >= settings.patch_px]
    if not fitting:
        raise ValueError(f"No image in {dataset} has {settings.patch_px} px on both sides.")
    return fitting, [read(path, channels=settings.channels) for path in held_out]
