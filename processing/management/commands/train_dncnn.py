"""Train DnCNN for the operation `denoise` on a folder of clean images."""

from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.conf import settings as site
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm


class Command(BaseCommand):
    help = (
        "Train DnCNN on a folder of clean images. Subfolders named val are ignored. Training resumes from the "
        "checkpoint in --out and writes log.csv, curves.png and the weights as safetensors."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("dataset", type=Path, help="folder of clean images, for example BSDS500")
        parser.add_argument(
            "--out", type=Path, help="folder for the results (default: training/ in the data folder)"
        )
        parser.add_argument(
            "--grey", action="store_true", help="train a network for grey images instead of colour"
        )
        parser.add_argument(
            "--begin-with", type=Path, help="checkpoint folder of a trained network to start from"
        )
        parser.add_argument("--steps", type=int, help="total number of updates; may be changed when resuming")
        parser.add_argument("--batch", type=int, help="patches per update")
        parser.add_argument("--patch-px", type=int, help="side of a patch")
        parser.add_argument("--learning-rate", type=float)
        parser.add_argument(
            "--decay", type=float, help="share of the steps over which the learning rate falls"
        )
        parser.add_argument("--validate-every", type=int, help="steps between measurements and checkpoints")
        parser.add_argument("--seed", type=int)
        parser.add_argument(
            "--validate", type=Path, help="folder of images to measure the result on, for example CBSD68"
        )
        parser.add_argument("--threads", type=int, help="PyTorch threads (default: all cores)")

    def handle(self, *, dataset: Path, out: Path | None, **options: Any) -> None:
        import torch  # slow import

        from ml_models.training import dncnn

        if options["threads"]:
            torch.set_num_threads(options["threads"])
        settings = self._settings(options)
        name = "dncnn_grey" if options["grey"] else "dncnn_colour"
        folder = out or site.DATA_DIR / "training" / name
        bar = tqdm(total=settings.steps, unit="step", disable=None)
        try:
            begin_with = dncnn.trained(options["begin_with"]) if options["begin_with"] else None
            network = dncnn.train(
                dataset,
                folder,
                settings,
                begin_with=begin_with,
                report=self._report,
                on_step=lambda step: bar.update(step - bar.n),
            )
        except (ValueError, OSError) as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError(f"Stopped. Run the same command again to resume from {folder}.") from None
        finally:
            bar.close()
        self._finish(network, folder, name, settings, options["validate"])

    def _settings(self, options: dict[str, Any]) -> Any:
        from ml_models.training.dncnn import Settings

        names = ("steps", "batch", "patch_px", "learning_rate", "decay", "validate_every", "seed")
        given = {name: options[name] for name in names if options[name] is not None}
        wrong = [f"--{name.replace('_', '-')} {value}" for name, value in given.items() if value < 0]
        if wrong or 0 in [given.get(name, 1) for name in ("steps", "batch", "validate_every")]:
            raise CommandError(
                f"These must be greater than 0: {', '.join(wrong) or 'steps, batch, validate-every'}."
            )
        return replace(Settings(channels=1 if options["grey"] else 3), **given)

    def _report(self, row: dict[str, Any]) -> None:
        tqdm.write(
            f"step {row['step']}: loss {row['loss']:.3f}, PSNR {row['psnr_15']:.2f} / {row['psnr_25']:.2f} / "
            f"{row['psnr_50']:.2f} dB at sigma 15 / 25 / 50",
            file=self.stdout,
        )

    def _finish(self, network: Any, folder: Path, name: str, settings: Any, validate: Path | None) -> None:
        from ml_models.training import dncnn, records
        from ml_models.training.patches import find_pictures, read

        records.plot_curves(folder / records.LOG, folder / records.CURVES, dncnn.PANELS)
        path = folder / f"{name}.safetensors"
        records.save_weights(network, path, about={"network": "DnCNN", "steps": str(settings.steps)})
        self.stdout.write(f"Wrote {path} and {folder / records.CURVES}.")
        if validate:
            pictures = [read(each, channels=settings.channels) for each in find_pictures(validate)]
            for sigma in dncnn.SIGMAS:
                psnr = dncnn.mean_psnr(network, pictures, sigma=sigma)
                self.stdout.write(f"{validate.name}, {len(pictures)} images, sigma {sigma}: {psnr:.2f} dB")
