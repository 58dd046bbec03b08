"""Tiny random models of every family for the tests, and how one matrix of theirs is replaced."""

from functools import cache

import pytest
import torch
from families import FAMILIES, OTHERS, VOCAB, build

from svdicl_lite.clipping.matrices import matrices

TOKENS = torch.randint(VOCAB, (2, 7), generator=torch.Generator().manual_seed(0))
KNOWN = (*FAMILIES, *OTHERS)
MOE = ("mixtral", "qwen2_moe", "qwen3_moe", "gpt_oss")

families = pytest.mark.parametrize("name", KNOWN)


@cache
def pristine(name):
    """For tests that put back what they change."""
    return build(name)


@pytest.fixture
def model(name, fingerprint):
    before = fingerprint(pristine(name))
    yield pristine(name)
    assert fingerprint(pristine(name)) == before


def roles(name, layer=1):
    return {matrix.role for matrix in matrices(pristine(name), layer)}


def only(model, role, layer=1):
    (matrix,) = matrices(model, layer, role)
    return matrix
