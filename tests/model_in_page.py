"""The GPT-2 that runs in the page, asked from Python."""

import numpy as np
import pytest
import torch

from svdicl_lite.models.loading import load_model

MODEL = "icl-gpt2-noisy"


@pytest.fixture(scope="module")
def shipped():
    return load_model(MODEL)


@torch.inference_mode()
def in_torch(model, prompts):
    return np.stack(
        [model(torch.tensor([prompt])).logits[0, -1].double().numpy() for prompt in prompts]
    )
