"""Training of PixSmall by distillation: it learns to give the embeddings of a teacher, without any labels.

Both networks give maps of the same sizes after five stages. At first every stage of the student receives the
teacher's map and learns the teacher's next one, a local regression that thousands of positions in each picture
teach; with the steps, more and more stages receive what the student itself made of the picture, until it stands
alone. The loss is the error of each map, relative to the map's variance, and the cosine distance of the embeddings.
Source of learning from inner maps: Romero et al., "FitNets" (2015); of the gradual change from the teacher's values
to the student's own: Bengio et al., "Scheduled Sampling" (2015).
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
from ml_models.pix_small import DIMENSIONS, INPUT_PX, MEAN, SCALE, PixSmall, fold
from ml_models.training.measuring import Grouping, measure_grouping, read_classes
from ml_models.training.patches import read
from ml_models.training.records import CHECKPOINT, LOG, append_row, load_checkpoint, save_checkpoint
from ml_models.training.teacher import MobileNetV2
from ml_models.training.views import Photographs, Views, centre_crop

PANELS = (("maps", "cosine"), ("held_out_cosine",), ("learning_rate", "own_share"))
WARM_UP_STEPS = 200
EMBEDDING_WEIGHT = 4.0  # the five maps' errors together are about 1 at the end
SAMPLE_FOR_PROJECTION = 4000


@dataclass(frozen=True)
class Settings:
    """What decides a training.

    Attributes:
        steps: updates in all; small and large pictures take turns.
        small_batch, small_px: pictures of one step out of small ones, and the side they are shown at.
        large_batch, large_px: the same for crops out of photographs.
        learning_rate: the highest; it falls to zero along half a cosine.
        alone_from: share of the steps after which every stage receives the student's own maps.
        weight_decay: of AdamW.
        validate_every: steps between measurements and checkpoints.
        seed: of weights, crops and choices.
    """

    steps: int = 6000
    small_batch: int = 24
    small_px: int = 128
    large_batch: int = 10
    large_px: int = 192
    learning_rate: float = 2e-3
    alone_from: float = 0.5
    weight_decay: float = 0.02
    validate_every: int = 250
    seed: int = 0


@dataclass
class State:
    """Everything that a checkpoint holds."""

    student: PixSmall
    optimizer: torch.optim.Optimizer
    step: int = 0
    seconds: float = 0.0


def learning_rate_at(step: int, settings: Settings) -> float:
    """Warm-up, then half a cosine down to zero."""
    warm = min(1.0, (step + 1) / WARM_UP_STEPS)
    return settings.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * min(1.0, step / settings.steps)))


def own_share_at(step: int, settings: Settings) -> float:
    """How probably a stage receives the student's own map."""
    return min(1.0, step / max(1.0, settings.alone_from * settings.steps))


def as_input(pictures: np.ndarray | Tensor) -> Tensor:
    """uint8 (N, H, W, 3) RGB to float (N, 3, H, W), -1 to 1, channels last."""
    tensor = torch.as_tensor(pictures).permute(0, 3, 1, 2).float()
    return tensor.sub_(MEAN[0]).div_(SCALE).contiguous(memory_format=torch.channels_last)


def distil(
    student: PixSmall, teacher: MobileNetV2, pictures: Tensor, *, own: Sequence[bool]
) -> tuple[Tensor, Tensor]:
    """Error of the maps and cosine distance of the embeddings of one batch.

    Args:
        own: for each stage after the first and for the head, whether it receives the student's own map.
    """
    with torch.no_grad():
        targets = teacher.stages(pictures)
        embedding = teacher.embed(targets[-1])
    value, errors = pictures, []
    for stage, target, is_own in zip(student.stages, targets, own, strict=True):
        made = stage(value)
        errors.append((made - target).square().mean() / target.var())
        value = made if is_own else target
    features = student.features(value)
    cosine = 1 - functional.cosine_similarity(features, embedding).mean()
    return torch.stack(errors).sum(), cosine


def start(settings: Settings, device: torch.device) -> State:
    torch.manual_seed(settings.seed)
    student = channels_last(PixSmall(is_training=True).to(device))
    optimizer = torch.optim.AdamW(
        student.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    return State(student, optimizer)


def update(
    state: State, teacher: MobileNetV2, pictures: np.ndarray, settings: Settings, rng: np.random.Generator
) -> tuple[float, float]:
    """One step; answers the error of the maps and the cosine distance."""
    device = next(state.student.parameters()).device
    own = rng.random(len(state.student.stages)) < own_share_at(state.step, settings)
    for group in state.optimizer.param_groups:
        group["lr"] = learning_rate_at(state.step, settings)
    state.student.train()
    maps, cosine = distil(state.student, teacher, as_input(pictures).to(device), own=own.tolist())
    state.optimizer.zero_grad(set_to_none=True)
    (maps + EMBEDDING_WEIGHT * cosine).backward()
    torch.nn.utils.clip_grad_norm_(state.student.parameters(), 5.0)
    state.optimizer.step()
    state.step += 1
    return float(maps.detach()), float(cosine.detach())


def train(
    small: Sequence[np.ndarray] | np.ndarray,
    photographs: Photographs,
    held_out: np.ndarray,
    teacher: MobileNetV2,
    out: Path,
    settings: Settings,
    *,
    device: torch.device | None = None,
    tell: Callable[[dict[str, Any]], None] = lambda row: None,
    on_step: Callable[[int], None] = lambda step: None,
) -> PixSmall:
    """Train until the last step, going on from the checkpoint in `out` where there is one.

    Args:
        small: uint8 pictures of one size (H, W, 3).
        photographs: larger pictures, which are cropped.
        held_out: uint8 pictures (N, H, W, 3) that are only measured.
        out: folder for the checkpoint and `log.csv`.
        tell: called with each row of the log.
        on_step: called with the number of steps done.

    Returns:
        The folded network, its projection set from the embeddings of the training pictures.
    """
    out.mkdir(parents=True, exist_ok=True)
    device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    teacher = teacher.to(device)
    state = start(settings, device)
    if (out / CHECKPOINT).exists():
        _resume(state, settings, out, device)
    views = Views(small, photographs, settings)
    losses: list[tuple[float, float]] = []
    since = time.monotonic()
    while state.step < settings.steps:
        rng = np.random.default_rng((settings.seed, state.step))
        losses.append(update(state, teacher, views.batch(state.step, rng), settings, rng))
        on_step(state.step)
        if state.step % settings.validate_every == 0 or state.step == settings.steps:
            state.seconds += time.monotonic() - since
            since = time.monotonic()
            row = _measure(state, teacher, held_out, losses, settings)
            append_row(out / LOG, row)
            _save(state, settings, out)
            tell(row)
            losses.clear()
    return finish(state.student, views, settings)


def finish(student: PixSmall, views: Views, settings: Settings) -> PixSmall:
    """Fold the network and let its projection keep the directions in which the training pictures differ most.

    The features are centred, projected on their principal components and divided by the square root of their
    deviation, so that few strong directions do not decide every distance alone.
    """
    folded = channels_last(fold(student.cpu()))
    features: list[Tensor] = []
    rng = np.random.default_rng((settings.seed, settings.steps))
    count = 0
    while count < SAMPLE_FOR_PROJECTION:
        pictures = as_input(views.batch(len(features), rng))
        features.append(_features(folded, pictures))
        count += len(pictures)
    set_projection(folded, torch.cat(features))
    return folded


def set_projection(network: PixSmall, features: Tensor) -> None:
    """Set the last layer from features (N, 1280)."""
    mean = features.double().mean(0)
    variances, directions = torch.linalg.eigh(torch.cov((features.double() - mean).T))
    # From the largest variance down; directions without any must not be enlarged.
    deviations = variances.clamp_min(1e-6 * float(variances[-1])).sqrt().flip(0)[:DIMENSIONS]
    weight = directions.T.flip(0)[:DIMENSIONS] * deviations.rsqrt()[:, None]
    with torch.no_grad():
        network.project.weight.copy_(weight)
        network.project.bias.copy_(-(weight @ mean))


def _features(network: PixSmall, pictures: Tensor) -> Tensor:
    with torch.inference_mode():
        for stage in network.stages:
            pictures = stage(pictures)
        features: Tensor = network.features(pictures)
    return features


def compare(network: PixSmall, teacher: MobileNetV2, folder: Path) -> dict[str, Grouping]:
    """Both networks on the pictures of a folder with one folder for each class."""
    paths, classes = read_classes(folder)
    pictures = np.stack([centre_crop(read(path), size_px=INPUT_PX) for path in paths])
    measured = {}
    for name, each in (("PixSmall", network), ("teacher", teacher)):
        with torch.inference_mode():
            parts = [
                each(as_input(part)).numpy() for part in np.array_split(pictures, max(1, len(pictures) // 25))
            ]
        measured[name] = measure_grouping(np.concatenate(parts), classes)
    return measured


def _measure(
    state: State,
    teacher: MobileNetV2,
    held_out: np.ndarray,
    losses: Sequence[tuple[float, float]],
    settings: Settings,
) -> dict[str, Any]:
    state.student.eval()
    device = next(state.student.parameters()).device
    cosines = []
    for batch in np.array_split(held_out, max(1, len(held_out) // 25)):
        pictures = as_input(batch).to(device)
        with torch.inference_mode():
            cosines.append(
                functional.cosine_similarity(_features(state.student, pictures), teacher(pictures))
            )
    maps, cosine = np.mean(losses, axis=0)
    return {
        "step": state.step,
        "seconds": round(state.seconds),
        "learning_rate": float(learning_rate_at(state.step - 1, settings)),
        "own_share": own_share_at(state.step - 1, settings),
        "maps": float(maps),
        "cosine": float(cosine),
        "held_out_cosine": float(torch.cat(cosines).mean()),
    }


def _save(state: State, settings: Settings, folder: Path) -> None:
    values = {
        "student": state.student.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "step": state.step,
        "seconds": state.seconds,
        "settings": asdict(settings),
    }
    save_checkpoint(values, folder)


def _resume(state: State, settings: Settings, folder: Path, device: torch.device) -> None:
    values = load_checkpoint(folder, asdict(settings), device)
    state.student.load_state_dict(values["student"])
    state.optimizer.load_state_dict(values["optimizer"])
    state.step, state.seconds = values["step"], values["seconds"]
