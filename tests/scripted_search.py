"""A search without a model: matrices with planted spectra, evaluators that answer by a script."""

import numpy as np
import torch

from svdicl_lite.clipping.matrices import matrices
from svdicl_lite.clipping.svd import CLIP_RATES, rank_at
from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.search.algorithm1 import search_clip_rate

ROLES = ("q", "k", "v", "o", "fc_in", "fc_out")


def plant(model, layer, role, condition_number):
    """Writes a matrix with this condition number."""
    W = matrices(model, layer, role)[0].weight
    generator = torch.Generator().manual_seed(layer * 10 + ROLES.index(role))
    U, _, Vh = torch.linalg.svd(
        torch.randn(W.shape, generator=generator, dtype=torch.float64), full_matrices=False
    )
    W.copy_((U * torch.logspace(0, -np.log10(condition_number), 32, dtype=torch.float64)) @ Vh)


def plant_layers(model, module, condition_numbers):
    for layer, numbers in enumerate(condition_numbers):
        for matrix, number in zip(matrices(model, layer, module), numbers, strict=True):
            plant(model, layer, matrix.role, number)


def outcome(n_right, n=20):
    """An evaluation of n examples of which the first n_right are right."""
    predictions = np.array([0] * n_right + [1] * (n - n_right))
    return Evaluation(np.eye(2, dtype=np.float32)[predictions], np.zeros(n, dtype=int))


class Scripted:
    """An evaluator that looks how far the model is clipped, writes that into a shared diary, and
    answers by a script.
    """

    def __init__(self, model, name, script, diary, layer=2):
        self.model, self.name, self.script, self.diary, self.layer = (
            model,
            name,
            script,
            diary,
            layer,
        )
        self.split, self.examples = name, {name}

    def from_layer(self, layer, below=None):
        return lambda module: self()

    def outcome(self, scores):
        return Evaluation(scores, np.zeros(len(scores), dtype=int))

    def __call__(self):
        holder = self.model.get_submodule(
            f"transformer.h.{self.layer}.mlp.c_fc"
        )  # whatever stands there now, one matrix or two thin ones
        with torch.no_grad():
            W = holder(torch.eye(32)) - holder(torch.zeros(1, 32))
        rank = int(torch.linalg.matrix_rank(W.double(), rtol=1e-5))
        rate = next(rate for rate in CLIP_RATES if rank_at(32, rate) == rank)
        self.diary.append((self.name, rate))
        return outcome(self.script[rate])


RATES = (0.0, 0.1, 0.5, 0.75)  # of 32 these leave 32, 28, 16, 8


def run_script(model, validation, test, clip_rates=RATES, **arguments):
    diary = []
    judges = [
        Scripted(model, name, script, diary)
        for name, script in (("validation", validation), ("test", test))
    ]
    return (
        search_clip_rate(
            model, *judges, **{"module": "mlp", "layer": 2, "clip_rates": clip_rates, **arguments}
        ),
        diary,
    )
