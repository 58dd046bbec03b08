"""What makes a model this very one: a digest of its weights. Taught in chapter 15."""

import hashlib

import torch
from torch import nn


def weights_digest(model: nn.Module) -> str:
    """Sixteen hex digits of every weight's name, shape and bytes; a second or two for each GB.

    Two models share it only if they share every bit, whatever folder they were loaded from.
    """
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        digest.update(f"{name} {tuple(tensor.shape)}".encode())
        flat = tensor.detach().cpu().contiguous().flatten()
        digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]
