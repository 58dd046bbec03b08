"""Gradients of a model's matrices: which parameter a matrix lies in, and the same part of that
parameter's gradient.

A matrix may be a slice of a fused parameter, transposed or interleaved head by head; its gradient
is that very view of the parameter's gradient. Taught in chapter 08.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from svdicl_lite.clipping.matrices import Matrix


def parameter_of(model: nn.Module, matrix: Matrix) -> nn.Parameter:
    """The parameter in whose memory the matrix lies. Raises ValueError if it cannot have a
    gradient.
    """
    address = matrix.stored.data_ptr()
    for _, parameter in model.get_submodule(matrix.name).named_parameters(recurse=False):
        begin = parameter.data_ptr()
        if begin <= address < begin + parameter.numel() * parameter.element_size():
            _check_differentiable(matrix, parameter)
            return parameter
    raise ValueError(f"{matrix} lies in no parameter of {matrix.name}, so it has no gradient")


def part_of(gradient: Tensor, parameter: nn.Parameter, matrix: Matrix) -> Tensor:
    """What of the `gradient` of a parameter belongs to the matrix: (out, in), as `matrix.weight`
    is of the parameter.
    """
    if gradient.stride() != parameter.stride() or gradient.storage_offset():
        shape, stride = parameter.shape, parameter.stride()
        gradient = gradient.new_empty_strided(shape, stride).copy_(gradient)
    stored = matrix.stored
    offset = stored.storage_offset() - parameter.storage_offset()
    return gradient.as_strided(stored.shape, stored.stride(), offset).flatten(0, -2)


@contextmanager
def gradients_of(model: nn.Module, parameters: Sequence[nn.Parameter]) -> Iterator[None]:
    """Inside, autograd is on, and a backward pass reaches these parameters and no others; they
    begin without a gradient. After it, the model's gradients and flags are as they were.
    """
    wanted = {id(parameter) for parameter in parameters}
    saved = [
        (parameter, parameter.requires_grad, parameter.grad) for parameter in model.parameters()
    ]
    with torch.inference_mode(False), torch.enable_grad():
        try:
            for parameter, _, _ in saved:
                # a parameter that is an inference tensor has no flag to set, and no gradient
                if parameter.requires_grad != (id(parameter) in wanted):
                    parameter.requires_grad_(id(parameter) in wanted)
                parameter.grad = None
            yield
        finally:
            for parameter, flag, gradient in saved:
                if parameter.requires_grad != flag:
                    parameter.requires_grad_(flag)
                parameter.grad = gradient


def _check_differentiable(matrix: Matrix, parameter: nn.Parameter) -> None:
    if parameter.is_inference():
        raise ValueError(
            f"{matrix} is an inference tensor, which has no gradient; load the model outside"
            " torch.inference_mode()"
        )
    if not parameter.is_floating_point():
        raise ValueError(
            f"{matrix} is stored as {parameter.dtype}, which has no gradient; load the model"
            " without quantisation"
        )
