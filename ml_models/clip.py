"""CLIP ViT-B/32: images and English sentences as vectors that can be compared.

Source: Radford et al., "Learning Transferable Visual Models From Natural Language Supervision" (2021), and the code
of openai/CLIP. The names of the parameters are those of the published file `ViT-B-32.pt`, whose image half begins
with `visual.`.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

DIM = 512
CONTEXT_LENGTH = 77
VOCABULARY = 49_408


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.in_proj_weight)

    def forward(self, tokens: Tensor, *, is_causal: bool) -> Tensor:
        count, length, width = tokens.shape
        together = functional.linear(tokens, self.in_proj_weight, self.in_proj_bias)
        parts = together.view(count, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        query, key, value = parts.unbind(0)
        taken = functional.scaled_dot_product_attention(query, key, value, is_causal=is_causal)
        return cast(Tensor, self.out_proj(taken.transpose(1, 2).reshape(count, length, width)))


class _Mlp(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.c_fc = nn.Linear(width, 4 * width)
        self.c_proj = nn.Linear(4 * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        inner = self.c_fc(tokens)
        return cast(Tensor, self.c_proj(inner * torch.sigmoid(1.702 * inner)))  # QuickGELU


class _Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attn = _Attention(width, heads)
        self.ln_1 = nn.LayerNorm(width)
        self.mlp = _Mlp(width)
        self.ln_2 = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, *, is_causal: bool) -> Tensor:
        tokens = tokens + self.attn(self.ln_1(tokens), is_causal=is_causal)
        return tokens + cast(Tensor, self.mlp(self.ln_2(tokens)))


class _Transformer(nn.Module):
    def __init__(self, width: int, *, depth: int, heads: int, is_causal: bool) -> None:
        super().__init__()
        self.is_causal = is_causal
        self.resblocks = nn.ModuleList(_Block(width, heads) for _ in range(depth))

    def forward(self, tokens: Tensor) -> Tensor:
        for block in self.resblocks:
            tokens = block(tokens, is_causal=self.is_causal)
        return tokens


class ClipPictures(nn.Module):
    """Images as float tensors (N, 3, 224, 224) to vectors (N, 512), not normalised."""

    def __init__(self, *, width: int = 768, depth: int = 12, heads: int = 12, patch_px: int = 32) -> None:
        super().__init__()
        scale = width**-0.5
        self.conv1 = nn.Conv2d(3, width, patch_px, stride=patch_px, bias=False)
        self.class_embedding = nn.Parameter(scale * torch.randn(width))
        self.positional_embedding = nn.Parameter(scale * torch.randn((224 // patch_px) ** 2 + 1, width))
        self.ln_pre = nn.LayerNorm(width)
        self.transformer = _Transformer(width, depth=depth, heads=heads, is_causal=False)
        self.ln_post = nn.LayerNorm(width)
        self.proj = nn.Parameter(scale * torch.randn(width, DIM))

    def forward(self, pictures: Tensor) -> Tensor:
        patches = self.conv1(pictures).flatten(2).transpose(1, 2)
        first = self.class_embedding.expand(len(patches), 1, -1)
        tokens = self.ln_pre(torch.cat((first, patches), dim=1) + self.positional_embedding)
        return cast(Tensor, self.ln_post(self.transformer(tokens)[:, 0]) @ self.proj)


class ClipTexts(nn.Module):
    """Token numbers (N, 77), int64, zeros behind the end token, to vectors (N, 512), not normalised."""

    def __init__(self, *, width: int = 512, depth: int = 12, heads: int = 8) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(VOCABULARY, width)
        self.positional_embedding = nn.Parameter(0.01 * torch.randn(CONTEXT_LENGTH, width))
        self.transformer = _Transformer(width, depth=depth, heads=heads, is_causal=True)
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(width**-0.5 * torch.randn(width, DIM))

    def forward(self, tokens: Tensor) -> Tensor:
        states = self.transformer(self.token_embedding(tokens) + self.positional_embedding)
        ends = tokens.argmax(dim=-1)  # the end token has the highest number
        return cast(Tensor, self.ln_final(states[torch.arange(len(states)), ends]) @ self.text_projection)


def picture_tensors(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The part of the file that `ClipPictures` loads."""
    return {
        name.removeprefix("visual."): value for name, value in tensors.items() if name.startswith("visual.")
    }


def text_tensors(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The part of the file that `ClipTexts` loads."""
    names = (
        "token_embedding.",
        "positional_embedding",
        "transformer.resblocks.",
        "ln_final.",
        "text_projection",
    )
    return {name: value for name, value in tensors.items() if name.startswith(names)}
