"""Training of PixSmall by distillation: it learns to give the embeddings of a teacher, without any labels.

It begins as the teacher with a sixth of its hidden channels left out (see `pruning.py`) or with random weights, and is
then trained as a whole. What it learns to give are the teacher's 1280 features centred, projected on the 384 directions
in which images differ most, each divided by the square root of its deviation, so that few strong directions do not
decide every distance alone. The loss is the cosine distance. Source: Hinton et al., "Distilling the Knowledge in a
Neural Network" (2015).
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
from torch.nn import functional

from ml_models.layout import channels_last
from ml_models.pix_small import DIMENSIONS, INPUT_PX, MEAN, SCALE, PixSmall
from ml_models.training.measuring import Grouping, measure_grouping, read_classes
from ml_models.training.patches import read
from ml_models.training.pruning import prune
from ml_models.training.records import CHECKPOINT, LOG, append_row, load_checkpoint, save_checkpoint
from ml_models.training.teacher import MobileNetV2
from ml_models.training.views import Photographs, Views, centre_crop

PANELS = (("distance", "held_out_distance"), ("learning_rate",))


@dataclass(frozen=True)
class Settings:
    """What decides a training.

    Attributes:
        steps: updates in all; small and large images take turns.
        small_batch, small_px: images of one step out of small ones, and the side they are shown at.
        large_batch, large_px: the same for crops out of photographs. Sides are multiples of 32.
        learning_rate: the highest; it falls to zero along half a cosine.
        warm_up: steps over which it rises.
        watched: batches on which the teacher is watched before the first step.
        from_random: begin with random weights instead of the teacher's.
        validate_every: steps between measurements and checkpoints.
        seed: of weights, crops and choices.
    """

    steps: int = 2500
    small_batch: int = 12
    small_px: int = 128
    large_batch: int = 8
    large_px: int = 224
    learning_rate: float = 2e-4
    warm_up: int = 100
    watched: int = 200
    from_random: bool = False
    validate_every: int = 250
    seed: int = 0


@dataclass
class State:
    """Everything that a checkpoint holds; `projection` is the teacher's, as weight and bias."""

    student: PixSmall
    projection: tuple[Tensor, Tensor]
    optimizer: torch.optim.Optimizer
    step: int = 0
    seconds: float = 0.0


def learning_rate_at(step: int, settings: Settings) -> float:
    """Warm-up, then half a cosine down to zero."""
    warm = min(1.0, (step + 1) / settings.warm_up)
    return settings.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * min(1.0, step / settings.steps)))


def as_input(pictures: np.ndarray | Tensor) -> Tensor:
    """uint8 (N, H, W, 3) RGB to float (N, 3, H, W), -1 to 1, channels last."""
    tensor = torch.as_tensor(pictures).permute(0, 3, 1, 2).float()
    return tensor.sub_(MEAN[0]).div_(SCALE).contiguous(memory_format=torch.channels_last)


def main_directions(features: Tensor) -> tuple[Tensor, Tensor]:
    """Weight (384, 1280) and bias (384,) that centre features (N, 1280) and keep their main directions."""
    mean = features.double().mean(0)
    variances, directions = torch.linalg.eigh(torch.cov((features.double() - mean).T))
    # From the largest variance down; directions without any must not be enlarged.
    deviations = variances.clamp_min(1e-6 * float(variances[-1])).sqrt().flip(0)[:DIMENSIONS]
    weight = directions.T.flip(0)[:DIMENSIONS] * deviations.rsqrt()[:, None]
    return weight.float(), -(weight @ mean).float()


def start(teacher: MobileNetV2, views: Views, settings: Settings, device: torch.device) -> State:
    """Watch the teacher on some batches; they give the projection and what the student begins with."""
    torch.manual_seed(settings.seed)
    rng = np.random.default_rng((settings.seed, 2**31))
    batches = [as_input(views.batch(index, rng)).to(device) for index in range(settings.watched)]
    with torch.inference_mode():
        weight, bias = main_directions(torch.cat([teacher(batch).cpu() for batch in batches]))
    student = PixSmall() if settings.from_random else prune(teacher, batches[: settings.watched // 4 + 1])
    with torch.no_grad():
        student.project.weight.copy_(weight)
        student.project.bias.copy_(bias)
    return _state(student, (weight, bias), settings, device)


def _state(
    student: PixSmall, projection: tuple[Tensor, Tensor], settings: Settings, device: torch.device
) -> State:
    student = channels_last(student.to(device))
    optimizer = torch.optim.Adam(student.parameters(), lr=settings.learning_rate)
    weight, bias = projection
    return State(student, (weight.to(device), bias.to(device)), optimizer)


def distance(state: State, teacher: MobileNetV2, pictures: Tensor) -> Tensor:
    """Mean cosine distance between the student's embeddings and the teacher's projected ones."""
    with torch.no_grad():
        target = functional.linear(teacher(pictures), *state.projection)
    return 1 - functional.cosine_similarity(state.student(pictures), target).mean()


def update(state: State, teacher: MobileNetV2, pictures: np.ndarray, settings: Settings) -> float:
    """One step; answers the loss."""
    for group in state.optimizer.param_groups:
        group["lr"] = learning_rate_at(state.step, settings)
    loss = distance(state, teacher, as_input(pictures).to(state.projection[0].device))
    state.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(state.student.parameters(), 1.0)
    state.optimizer.step()
    state.step += 1
    return float(loss.detach())


def train(
    small: Sequence[np.ndarray] | np.ndarray,
    photographs: Photographs,
    held_out: np.ndarray,
    teacher: MobileNetV2,
    out: Path,
    settings: Settings,
    *,
    device: torch.device | None = None,
    report: Callable[[dict[str, Any]], None] = lambda row: None,
    on_step: Callable[[int], None] = lambda step: None,
) -> PixSmall:
    """Train until the last step, going on from the checkpoint in `out` where there is one.

    Args:
        small: uint8 images of one size (H, W, 3).
        photographs: larger images, which are cropped.
        held_out: uint8 images (N, H, W, 3) that are only measured.
        out: folder for the checkpoint and `log.csv`.
        report: called with each row of the log.
        on_step: called with the number of steps done.

    Raises:
        OtherTraining: the folder's training has other settings.
    """
    out.mkdir(parents=True, exist_ok=True)
    device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    teacher = teacher.to(device)
    views = Views(small, photographs, settings)
    has_begun = (out / CHECKPOINT).exists()
    state = _resume(settings, out, device) if has_begun else start(teacher, views, settings, device)
    losses: list[float] = []
    since = time.monotonic()
    while state.step < settings.steps:
        rng = np.random.default_rng((settings.seed, state.step))
        losses.append(update(state, teacher, views.batch(state.step, rng), settings))
        on_step(state.step)
        if state.step % settings.validate_every == 0 or state.step == settings.steps:
            state.seconds += time.monotonic() - since
            since = time.monotonic()
            row = _measure(state, teacher, held_out, losses, settings)
            append_row(out / LOG, row)
            _save(state, settings, out)
            report(row)
            losses.clear()
    return state.student.cpu().eval()


def compare(network: PixSmall, teacher: MobileNetV2, folder: Path) -> dict[str, Grouping]:
    """Both networks on the images of a folder with one folder for each class."""
    paths, classes = read_classes(folder)
    pictures = np.stack([centre_crop(read(path), size_px=INPUT_PX) for path in paths])
    measured = {}
    for name, each in (("PixSmall", network), ("teacher", teacher.cpu())):
        with torch.inference_mode():
            parts = [each(as_input(part)).numpy() for part in _parts(pictures)]
        measured[name] = measure_grouping(np.concatenate(parts), classes)
    return measured


def _parts(pictures: np.ndarray) -> list[np.ndarray]:
    return np.array_split(pictures, max(1, len(pictures) // 25))


def _measure(
    state: State, teacher: MobileNetV2, held_out: np.ndarray, losses: Sequence[float], settings: Settings
) -> dict[str, Any]:
    device = state.projection[0].device
    with torch.inference_mode():
        distances = [
            float(distance(state, teacher, as_input(part).to(device))) * len(part)
            for part in _parts(held_out)
        ]
    return {
        "step": state.step,
        "seconds": round(state.seconds),
        "learning_rate": float(learning_rate_at(state.step - 1, settings)),
        "distance": float(np.mean(losses)),
        "held_out_distance": sum(distances) / len(held_out),
    }


def _save(state: State, settings: Settings, folder: Path) -> None:
    values = {
        "student": state.student.state_dict(),
        "projection": list(state.projection),
        "optimizer": state.optimizer.state_dict(),
        "step": state.step,
        "seconds": state.seconds,
        "settings": asdict(settings),
    }
    save_checkpoint(values, folder)


def _resume(settings: Settings, folder: Path, device: torch.device) -> State:
    values = load_checkpoint(folder, asdict(settings), device)
    weight, bias = values["projection"]
    state = _state(PixSmall(), (weight, bias), settings, device)
    state.student.load_state_dict(values["student"])
    state.optimizer.load_state_dict(values["optimizer"])
    state.step, state.seconds = values["step"], values["seconds"]
    return state
