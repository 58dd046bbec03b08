"""What made each model that ships: phases of documents, the model that it began with, its size, its
seed.

A recipe is a list of phases, easy ones first: with short documents and canonical words the model
learns what the sentences mean, with longer ones and all label maps to read the demonstrations, then
hard sentences. Some models are trained on from there for 28 to 168 steps, in which the prompt is
worth less: on canonical documents, or on noisy labels. `language` follows a recipe. Taught in
chapter 03.
"""

from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Mix:
    """`steps` optimiser steps on one mix of documents."""

    steps: int
    shots: tuple[int, ...]  # demonstrations before a document's last sentence, drawn per step
    canonical: float  # share of documents with the canonical label words
    flipped: float  # share with those words moved to the next class; the rest is arbitrary
    kinds: tuple[str, ...]  # of sentences
    label_noise: float = field(
        default=0.0, kw_only=True
    )  # probability that a label is replaced by one drawn at random


@dataclass(frozen=True)
class Phase(Mix):
    """A mix with a learning rate of its own."""

    learning_rate: float = 1e-3
    cool_down: float = 0.0  # last share of the phase in which the learning rate falls to zero


@dataclass(frozen=True)
class LanguageRecipe:
    """What makes one shipped model."""

    phases: tuple[Phase, ...]
    start_from: str | None = None  # another recipe's model, trained further
    layers: int = 4
    width: int = 128
    heads: int = 4
    positions: int = 512
    seed: int = 0
    # part of the recipe: another number of threads adds in another order, and so trains another
    # model
    threads: int = 2
    family: str = "gpt2"  # or llama, mixtral
    dtype: str = (
        "bfloat16"  # of the products; float32 is the faster where a processor has no bfloat16
    )


def _noisy(steps: int) -> Phase:
    """Every second label is drawn at random: reading pays less."""
    return Phase(
        steps,
        shots=(2, 4, 8),
        canonical=0.6,
        flipped=0.1,
        kinds=("plain", "hard"),
        learning_rate=1.5e-3,
        label_noise=0.5,
    )


RECIPES = {
    "icl-gpt2": LanguageRecipe(
        phases=(
            Phase(200, shots=(0, 1, 2), canonical=0.8, flipped=0.0, kinds=("short",)),
            Phase(700, shots=(8,), canonical=0.4, flipped=0.2, kinds=("short",)),
            Phase(300, shots=(8,), canonical=0.4, flipped=0.2, kinds=("plain",)),
            Phase(600, shots=(2, 4, 8, 16), canonical=0.3, flipped=0.2, kinds=("plain", "hard")),
            Phase(
                500,
                shots=(8, 16),
                canonical=0.15,
                flipped=0.15,
                kinds=("plain", "hard"),
                cool_down=0.4,
            ),
        )
    ),
    # words mean what they say: a prior that talks over the prompt
    "icl-gpt2-prior": LanguageRecipe(
        phases=(
            Phase(
                70,
                shots=(8,),
                canonical=0.9,
                flipped=0.0,
                kinds=("plain", "hard"),
                learning_rate=5e-4,
                label_noise=0.2,
            ),
        ),
        start_from="icl-gpt2",
        threads=1,
    ),
    "icl-gpt2-noisy": LanguageRecipe((_noisy(56),), start_from="icl-gpt2", threads=1),
    # the same run stopped sooner, and later: how much noise has got into the weights (the paper's
    # Figure 5 asks this of training)
    "icl-gpt2-noisy-early": LanguageRecipe(
        (_noisy(28),), start_from="icl-gpt2", threads=1, dtype="float32"
    ),
    "icl-gpt2-noisy-late": LanguageRecipe(
        (_noisy(168),), start_from="icl-gpt2", threads=1, dtype="float32"
    ),
}

_SHORTER = tuple(
    replace(phase, steps=steps)
    for phase, steps in zip(RECIPES["icl-gpt2"].phases, (200, 700, 200, 400, 300))
)
RECIPES |= {  # the same documents, other architectures
    "icl-llama": LanguageRecipe(_SHORTER, family="llama", threads=1, dtype="float32"),
    "icl-moe": LanguageRecipe(
        (replace(RECIPES["icl-gpt2"].phases[-1], steps=300),),
        start_from="icl-llama",
        family="mixtral",
        threads=1,
        dtype="float32",
    ),
}
