"""The one transform that Pty-Chi needs."""

from __future__ import annotations

import torch


class GaussianBlur:
    """Blur of the last two axes by a Gaussian of a number of pixels, edges reflected."""

    def __init__(self, kernel_size: tuple[int, int], sigma: tuple[float, float]) -> None:
        self.kernels = []
        for size, deviation in zip(kernel_size, sigma, strict=True):
            places = torch.arange(size) - (size - 1) / 2
            kernel = torch.exp(-((places / deviation) ** 2) / 2)
            self.kernels.append(kernel / kernel.sum())

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        kernel = torch.outer(self.kernels[1], self.kernels[0])[None, None].to(image)
        y, x = (len(one) // 2 for one in (self.kernels[1], self.kernels[0]))
        planes = image.reshape(-1, 1, *image.shape[-2:])
        padded = torch.nn.functional.pad(planes, (x, x, y, y), mode="reflect")
        return torch.nn.functional.conv2d(padded, kernel).reshape(image.shape)
