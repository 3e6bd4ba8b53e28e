"""Embedders with random weights: the published recipes, the published networks, the fast path, bad input.

Where a folder of installed models is named by PIX_TEST_MODELS, the real files are used too.
"""

import gzip
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

from ml_models import pix_small_fused, weights
from ml_models.clip import ClipPictures, ClipTexts, picture_tensors, text_tensors
from ml_models.clip_tokenizer import CONTEXT_LENGTH, Tokenizer
from ml_models.layout import channels_last
from ml_models.torchvision_import import import_torchvision
from ml_models.vision_transformer import DinoVisionTransformer
from processing.algorithms.codecs.raster import Raster
from processing.algorithms.embedding import inputs as embedding_input
from processing.algorithms.embedding.embedders import (
    EMBEDDERS,
    find_embedder,
    load_embedder,
    normalised,
    ready,
)
from processing.algorithms.embedding.inputs import prepare
from processing.algorithms.embedding.network import plain
from processing.algorithms.errors import ProcessingError
from tests.processing.algorithms.pictures import noise

MODELS = os.environ.get("PIX_TEST_MODELS", "")
SPECS = [pytest.param(spec, id=name) for name, spec in EMBEDDERS.items()]


def published_recipe(spec):
    """The preprocessing as it is published with each model, in torchvision's own words."""
    import_torchvision()
    from torchvision import transforms
    from torchvision.transforms import InterpolationMode

    mode = {"bicubic": InterpolationMode.BICUBIC, "bilinear": InterpolationMode.BILINEAR}
    size, mean, deviation = {
        # dinov2/data/transforms.py, make_classification_eval_transform
        "dinov2": ((256, "bicubic"), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        # clip/clip.py, _transform
        "clip": (
            (224, "bicubic"),
            (0.48145466, 0.4578275, 0.40821073),
            (0.26862954, 0.26130258, 0.27577711),
        ),
        # torchvision/models/resnet.py, ResNet50_Weights.IMAGENET1K_V2
        "resnet50": ((232, "bilinear"), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        "pix_small": ((224, "bilinear"), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    }[spec.name]
    return transforms.Compose(
        [
            transforms.Resize(size[0], interpolation=mode[size[1]]),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize(mean, deviation),
        ]
    )


@pytest.mark.parametrize("size", [(640, 480), (301, 407), (100, 90), (231, 999)], ids=str)
@pytest.mark.parametrize("spec", SPECS)
def test_prepare_equals_published_recipe_to_the_bit(spec, size):
    width, height = size
    pixels = noise(height, width, 3)
    expected = published_recipe(spec)(Image.fromarray(pixels)).numpy()
    assert np.array_equal(prepare(Raster(pixels), spec.recipe), expected)


def test_prepare_lays_transparency_on_white_and_repeats_grey():
    grey, alpha = noise(40, 60), np.zeros((40, 60), np.uint8)
    recipe = EMBEDDERS["pix_small"].recipe
    assert np.all(prepare(Raster(grey, alpha), recipe) == 1)
    planes = prepare(Raster(grey), recipe)
    assert np.array_equal(planes[0], planes[1])
    assert np.array_equal(planes[0], planes[2])


def test_prepare_takes_a_line_without_building_its_enlargement(monkeypatch):
    recipe = EMBEDDERS["dinov2"].recipe
    assert prepare(Raster(noise(1, 16_384, 3)), recipe).shape == (3, 224, 224)
    pixels = noise(50, 700, 3)
    whole = prepare(Raster(pixels), recipe)
    monkeypatch.setattr(embedding_input, "_LONGEST_RESIZED_PX", 100)
    one_level = 1.01 / 255 / min(recipe.deviation)
    assert np.abs(prepare(Raster(pixels), recipe) - whole).max() <= one_level


def random_weights(network: nn.Module, seed: int = 0) -> nn.Module:
    """Weights as large as trained ones: with the usual first values, these networks hardly look at an image."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for value in network.parameters():
            if value.dim() == 4:
                nn.init.kaiming_normal_(value)
            elif value.dim() > 1:
                value.normal_(0, 0.04)
            else:
                value.normal_(0.5, 0.2)
        if any(isinstance(layer, nn.BatchNorm2d) for layer in network.modules()):
            network.train()(torch.randn(4, 3, 224, 224))  # the normalisation sees what it will see
    return network


def test_dinov2_equals_timm():
    """timm's network reads the same names; at the trained size neither has to interpolate positions."""
    import_torchvision()
    import timm

    network = random_weights(DinoVisionTransformer()).eval()
    other = timm.create_model("vit_small_patch14_dinov2", img_size=518, num_classes=0).eval()
    state = network.state_dict()
    del state["mask_token"]  # for training only
    other.load_state_dict(state)
    picture = torch.randn(1, 3, 518, 518)
    with torch.inference_mode():
        assert torch.allclose(network(picture), other(picture), atol=1e-5)


def test_dinov2_interpolates_positions_as_published():
    """Reference: `interpolate_pos_encoding` of facebookresearch/dinov2 at 027a9ac, torch 2.13, on the ramp below."""
    network = DinoVisionTransformer(dim=6, depth=1, heads=1)
    ramp = torch.linspace(0, 1, 37 * 37).sin().view(1, -1, 1) * torch.arange(1, 7)
    with torch.no_grad():
        network.pos_embed[:, 1:] = ramp
        positions = network._positions(16, 16)[0, 1:, 0]
    assert positions.shape == (256,)
    assert [round(float(positions[n]), 6) for n in (0, 1, 17, 128, 255)] == REFERENCE_POSITIONS


REFERENCE_POSITIONS = [0.015422, 0.017153, 0.081157, 0.493087, 0.828808]


def torch_attention(block, tokens, mask):
    """CLIP's block in torch's own attention, as openai/CLIP writes it."""
    attention = nn.MultiheadAttention(tokens.shape[-1], block.attn.heads, batch_first=True)
    attention.load_state_dict(block.attn.state_dict())
    normal = block.ln_1(tokens)
    tokens = tokens + attention(normal, normal, normal, need_weights=False, attn_mask=mask)[0]
    inner = functional.linear(block.ln_2(tokens), block.mlp.c_fc.weight, block.mlp.c_fc.bias)
    return tokens + block.mlp.c_proj(inner * torch.sigmoid(1.702 * inner))


def test_clip_pictures_equal_published_code():
    network = random_weights(ClipPictures(width=64, depth=2, heads=4)).eval()
    picture = torch.randn(2, 3, 224, 224)
    with torch.inference_mode():
        patches = (
            functional.conv2d(picture, network.conv1.weight, stride=32).reshape(2, 64, -1).permute(0, 2, 1)
        )
        tokens = torch.cat([network.class_embedding + torch.zeros(2, 1, 64), patches], dim=1)
        tokens = network.ln_pre(tokens + network.positional_embedding)
        for block in network.transformer.resblocks:
            tokens = torch_attention(block, tokens, None)
        assert torch.allclose(network(picture), network.ln_post(tokens[:, 0]) @ network.proj, atol=1e-4)


def test_clip_texts_equal_published_code():
    network = random_weights(ClipTexts(width=64, depth=2, heads=4)).eval()
    tokens = torch.zeros(2, CONTEXT_LENGTH, dtype=torch.int64)
    tokens[0, :3] = torch.tensor([49406, 320, 49407])
    tokens[1, :5] = torch.tensor([49406, 7, 8, 9, 49407])
    with torch.inference_mode():
        states = network.token_embedding(tokens) + network.positional_embedding
        mask = torch.full((77, 77), float("-inf")).triu(1)
        for block in network.transformer.resblocks:
            states = torch_attention(block, states, mask)
        ends = network.ln_final(states)[torch.arange(2), torch.tensor([2, 4])]
        assert torch.allclose(network(tokens), ends @ network.text_projection, atol=1e-4)


def test_clip_halves_take_their_parts_of_the_file():
    pictures, texts = ClipPictures(width=64, depth=1, heads=1), ClipTexts(width=64, depth=1, heads=1)
    file = {f"visual.{name}": value for name, value in pictures.state_dict().items()} | texts.state_dict()
    file |= {"logit_scale": torch.ones(()), "context_length": torch.tensor(77)}
    pictures.load_state_dict(picture_tensors(file))
    texts.load_state_dict(text_tensors(file))


@pytest.mark.parametrize("spec", SPECS)
def test_fast_path_agrees_with_float32(spec):
    inputs = [prepare(Raster(noise(200, 260, 3, seed=seed)), spec.recipe) for seed in range(3)]
    network = random_weights(spec.build(None))
    reference = normalised(plain(network)(np.stack(inputs)))
    vectors = ready(spec, network).embed(inputs)
    assert vectors.shape == (3, spec.dim)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert (vectors * reference).sum(axis=1).min() >= 0.999
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-4  # it looks at the image


@pytest.mark.skipif(not pix_small_fused.is_possible(), reason="this PyTorch has no fused convolutions")
@pytest.mark.parametrize("sides", [(224, 224), (97, 130)], ids=str)
def test_fused_pix_small_gives_the_numbers_of_the_plain_one(sides):
    network = random_weights(EMBEDDERS["pix_small"].build(None)).eval()
    fused = channels_last(pix_small_fused.FusedPixSmall(network))
    pictures = torch.randn(2, 3, *sides)
    with torch.inference_mode():
        expected = network(pictures)
        found = fused(pictures.contiguous(memory_format=torch.channels_last))
    assert (found - expected).abs().max() <= 2e-5 * expected.abs().max()


def test_embed_gives_the_same_alone_and_in_a_batch():
    spec = EMBEDDERS["pix_small"]
    embedder = ready(spec, random_weights(spec.build(None)))
    inputs = [prepare(Raster(noise(64, 64, 3, seed=seed)), spec.recipe) for seed in range(18)]
    together = embedder.embed(inputs)
    assert np.allclose(together[17], embedder.embed(inputs[17:])[0], atol=1e-5)
    assert embedder.embed([]).shape == (0, 384)


def test_normalised_refuses_what_has_no_direction():
    for row in ([0.0, 0.0], [np.nan, 1.0], [np.inf, 1.0]):
        with pytest.raises(ProcessingError, match="no usable values"):
            normalised(np.array([[1.0, 0.0], row], np.float32))


def test_every_row_names_weights_of_its_size():
    for spec in EMBEDDERS.values():
        entry = weights.entry(spec.weights)
        assert (entry.family, entry.dim) == ("embedding", spec.dim)
        assert spec.recipe.crop_px == 224


def test_missing_weights_are_said_with_the_command(tmp_path):
    with pytest.raises(ProcessingError, match=r"models fetch dinov2") as caught:
        load_embedder("dinov2", tmp_path)
    assert caught.value.code == "model_unavailable"


def test_unknown_embedder_is_refused():
    with pytest.raises(
        ProcessingError, match="'vgg' is not a valid choice. Choose one of: dinov2, clip, resnet50, pix_small"
    ):
        find_embedder("vgg")


def small_tokenizer(tmp_path: Path) -> Tokenizer:
    """A vocabulary of a few merges in the form of the published file."""
    merges = ["c a", "ca t</w>", "d o", "do g</w>", "' s</w>"]
    path = tmp_path / "vocabulary.txt.gz"
    path.write_bytes(gzip.compress("\n".join(["#version: 0.2", *merges, ""]).encode()))
    return Tokenizer.read(path)


def test_tokenizer_joins_the_pairs_of_its_vocabulary(tmp_path):
    tokenizer = small_tokenizer(tmp_path)
    cat, dog, s = 513, 515, 516
    assert tokenizer.encode("Cat DOG  cat's") == [cat, dog, cat, s]
    assert tokenizer.encode("7 &amp; é") == [256 + 22, 256 + 5, 127, 256 + 102]
    assert tokenizer.tokenize("cat")[:4] == [517, cat, 518, 0]
    assert len(tokenizer.tokenize("")) == 77
    with pytest.raises(ValueError, match="76 tokens; the model reads at most 75"):
        tokenizer.tokenize("cat " * 76)


@pytest.mark.skipif(not MODELS, reason="PIX_TEST_MODELS names no folder of installed models")
def test_tokenizer_equals_published_one():
    """Numbers from clip.simple_tokenizer of openai/CLIP."""
    tokenizer = Tokenizer.read(weights.find("clip_vocabulary", MODELS))
    assert tokenizer.encode("a diagram") == [320, 22697]
    assert tokenizer.encode("a photo of a cat") == [320, 1125, 539, 320, 2368]
    text = "It's the dog's 12 toys, isn't it? — “naïve” café & &amp; 3½ ①②"
    assert tokenizer.encode(text) == [
        *(585, 568, 518, 1929, 568, 272, 273, 7162, 267, 2923, 713, 585, 286, 2005, 257, 1097, 35689, 563),
        *(257, 15304, 261, 261, 274, 33613, 158, 239, 510, 158, 239, 350),
    ]


@pytest.mark.parametrize("spec", SPECS)
def test_installed_weights_give_alike_pictures_near_vectors(spec):
    if weights.state(spec.weights, MODELS or "/nowhere").why_not:
        pytest.skip(f"{spec.weights} is not installed")
    picture, other = noise(240, 320, 3, seed=1), noise(240, 320, 3, seed=2)
    other[:] = np.linspace(0, 255, 320, dtype=np.uint8)[None, :, None]
    darker = (picture * 0.9).astype(np.uint8)
    embedder = load_embedder(spec.name, MODELS)
    a, b, c = embedder.embed([prepare(Raster(p), spec.recipe) for p in (picture, darker, other)])
    assert a @ b > a @ c
    assert replace(embedder, run=None).weights_sha256 == weights.sha256_of(spec.weights, MODELS)
