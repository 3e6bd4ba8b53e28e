"""DINOv2's vision transformer, as far as the embedding of an image needs it.

Source: Oquab et al., "DINOv2: Learning Robust Visual Features without Supervision" (2023), and the code of
facebookresearch/dinov2. The names of the parameters are those of the published file `dinov2_vits14_pretrain.pth`.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

DIM = 384
PATCH_PX = 14
TRAINED_SIDE = (
    37  # patches along each side of the images of 518 px that the position embedding was trained for
)
INTERPOLATION_OFFSET = 0.1
NORM_EPS = 1e-6


class _Attention(nn.Module):
    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, tokens: Tensor, *, queries: int) -> Tensor:
        """What the first `queries` tokens take from all tokens; (N, T, D) to (N, queries, D)."""
        count, length, dim = tokens.shape
        shape = (count, -1, self.heads, dim // self.heads)
        weights, biases = self.qkv.weight.split((dim, 2 * dim)), self.qkv.bias.split((dim, 2 * dim))
        query = functional.linear(tokens[:, :queries], weights[0], biases[0]).view(shape).transpose(1, 2)
        both = functional.linear(tokens, weights[1], biases[1]).view(count, length, 2, *shape[2:])
        key, value = both.permute(2, 0, 3, 1, 4).unbind(0)
        taken = functional.scaled_dot_product_attention(query, key, value)
        result: Tensor = self.proj(taken.transpose(1, 2).reshape(count, queries, dim))
        return result


class _Scale(nn.Module):
    """A factor for each channel (LayerScale)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(dim))

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens * self.gamma


class _Mlp(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, 4 * dim)
        self.fc2 = nn.Linear(4 * dim, dim)

    def forward(self, tokens: Tensor) -> Tensor:
        result: Tensor = self.fc2(functional.gelu(self.fc1(tokens)))
        return result


class _Block(nn.Module):
    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=NORM_EPS)
        self.attn = _Attention(dim, heads)
        self.ls1 = _Scale(dim)
        self.norm2 = nn.LayerNorm(dim, eps=NORM_EPS)
        self.mlp = _Mlp(dim)
        self.ls2 = _Scale(dim)

    def forward(self, tokens: Tensor, *, queries: int) -> Tensor:
        tokens = tokens[:, :queries] + self.ls1(self.attn(self.norm1(tokens), queries=queries))
        result: Tensor = tokens + self.ls2(self.mlp(self.norm2(tokens)))
        return result


class _PatchEmbed(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, dim, PATCH_PX, stride=PATCH_PX)


class DinoVisionTransformer(nn.Module):
    """ViT-S/14: images as float tensors (N, 3, H, W), sides multiples of 14 px, to embeddings (N, 384).

    The embedding is the class token behind the last normalisation. In the last block only that token is followed,
    since nothing reads the others: the same numbers for a fourteenth less work.
    """

    def __init__(self, *, dim: int = DIM, depth: int = 12, heads: int = 6) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, TRAINED_SIDE**2 + 1, dim))
        self.mask_token = nn.Parameter(torch.zeros(1, dim))  # in the file; only training uses it
        self.patch_embed = _PatchEmbed(dim)
        self.blocks = nn.ModuleList(_Block(dim, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(dim, eps=NORM_EPS)

    def forward(self, pictures: Tensor) -> Tensor:
        patches = self.patch_embed.proj(pictures)
        rows, columns = patches.shape[2:]
        tokens = patches.flatten(2).transpose(1, 2)
        tokens = torch.cat((self.cls_token.expand(len(tokens), -1, -1), tokens), dim=1)
        tokens = tokens + self._positions(rows, columns)
        for block in self.blocks[:-1]:
            tokens = block(tokens, queries=tokens.shape[1])
        result: Tensor = self.norm(self.blocks[-1](tokens, queries=1))[:, 0]
        return result

    def _positions(self, rows: int, columns: int) -> Tensor:
        """The position embedding for another number of patches, by the published code's own interpolation.

        It passes the scale (with an offset against rounding) instead of the size, which shifts the sampling points
        a little, and does not smooth beforehand; the published embeddings depend on both.
        """
        if rows == columns == TRAINED_SIDE:
            return self.pos_embed
        grid = self.pos_embed[:, 1:].reshape(1, TRAINED_SIDE, TRAINED_SIDE, -1).permute(0, 3, 1, 2)
        scale = tuple((float(n) + INTERPOLATION_OFFSET) / math.sqrt(TRAINED_SIDE**2) for n in (rows, columns))
        moved = functional.interpolate(grid, scale_factor=scale, mode="bicubic")
        return torch.cat((self.pos_embed[:, :1], moved.permute(0, 2, 3, 1).flatten(1, 2)), dim=1)
