"""Train PixSmall, the embedder that comes with Pix, by distilling MobileNetV2."""

from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.conf import settings as site
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

HELD_OUT_EVERY = 20


class Command(BaseCommand):
    help = (
        "Train PixSmall on unlabelled images to reproduce a teacher's embeddings. Training resumes from the checkpoint "
        "in --out and writes log.csv, curves.png and the weights as safetensors."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "photographs", type=Path, nargs="+", help="folders of photographs, for example BSDS500"
        )
        parser.add_argument("--small", type=Path, required=True, help="ZIP of small images of one size")
        parser.add_argument(
            "--teacher", type=Path, required=True, help="file with the weights of MobileNetV2"
        )
        parser.add_argument(
            "--out", type=Path, help="folder for the results (default: training/ in the data folder)"
        )
        parser.add_argument(
            "--from-random", action="store_true", help="start from random weights instead of the teacher's"
        )
        parser.add_argument("--steps", type=int, help="total number of updates")
        parser.add_argument("--seed", type=int)
        parser.add_argument(
            "--validate",
            type=Path,
            action="append",
            default=[],
            help="folder with one subfolder per class, to measure the result on",
        )
        parser.add_argument("--threads", type=int, help="PyTorch threads (default: all cores)")

    def handle(self, *, out: Path | None, **options: Any) -> None:
        import torch  # slow import

        from ml_models.training import embedder

        if options["threads"]:
            torch.set_num_threads(options["threads"])
        given = {name: options[name] for name in ("steps", "seed") if options[name] is not None}
        if given.get("steps", 1) < 1:
            raise CommandError(f"--steps must be greater than 0, not {given['steps']}.")
        settings = replace(embedder.Settings(), from_random=options["from_random"], **given)
        folder = out or site.DATA_DIR / "training" / "pix_small"
        bar = tqdm(total=settings.steps, unit="step", disable=None)
        try:
            network, teacher = self._train(folder, settings, options, bar)
        except (ValueError, OSError) as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError(f"Stopped. Run the same command again to resume from {folder}.") from None
        finally:
            bar.close()
        self._finish(network, teacher, folder, options["validate"])

    def _train(self, folder: Path, settings: Any, options: dict[str, Any], bar: tqdm) -> tuple[Any, Any]:
        import numpy as np

        from ml_models.pix_small import INPUT_PX
        from ml_models.training import embedder, views
        from ml_models.training.teacher import load_teacher

        teacher = load_teacher(options["teacher"])
        photographs = views.read_photographs(options["photographs"])
        held_out = [views.centre_crop(each, size_px=INPUT_PX) for each in photographs[::HELD_OUT_EVERY]]
        network = embedder.train(
            views.read_archive(options["small"]),
            [each for index, each in enumerate(photographs) if index % HELD_OUT_EVERY],
            np.stack(held_out),
            teacher,
            folder,
            settings,
            report=self._report,
            on_step=lambda step: bar.update(step - bar.n),
        )
        return network, teacher

    def _report(self, row: dict[str, Any]) -> None:
        tqdm.write(
            f"step {row['step']}: cosine distance {row['distance']:.4f}, held out {row['held_out_distance']:.4f}",
            file=self.stdout,
        )

    def _finish(self, network: Any, teacher: Any, folder: Path, validate: list[Path]) -> None:
        from ml_models.training import embedder, records

        records.plot_curves(folder / records.LOG, folder / records.CURVES, embedder.PANELS)
        path = folder / "pix_small.safetensors"
        records.save_weights(network, path, about={"network": "PixSmall"})
        self.stdout.write(f"Wrote {path} and {folder / records.CURVES}.")
        for classes in validate:
            for name, measured in embedder.compare(network, teacher, classes).items():
                self.stdout.write(
                    f"{classes.name}, {name}: 1-nearest-neighbour {measured.nearest:.3f}, "
                    f"k-means ARI {measured.ari:.3f} ({measured.pictures} images, {measured.classes} classes)"
                )
