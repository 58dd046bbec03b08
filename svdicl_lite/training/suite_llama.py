"""The recipe of `suite-llama`, a model of six layers for all seven tasks of the suite, grown from
`icl-llama`.

`icl-llama` knows two tasks and 400 words. `suite-llama` begins as that model, two new blocks and
the suite's words added in a way that changes nothing yet (`grown`), and goes on with all seven
tasks. The relation of two sentences is what is hard, and this is the way to it: single pairs first,
which tell one event or two that have nothing in common; then pairs that differ in one word, behind
more and more demonstrations; then hard sentences. Only when that stands do most documents ask for
what a prompt has to teach: what the labels are called changes from document to document, for all
tasks but those two, as a model that has to look for the words of a relation in the prompt does not
find the relation, or loses it again. A document takes as many examples of one task as fit its
length, so there is next to no padding, whatever the task. `python -m svdicl_lite.training
suite-llama` trains it; its card says how hard each task is for it. Taught in chapter 03.
"""

import itertools
import random
import re
import sys
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version

import torch
from torch import Tensor, nn
from tqdm import tqdm
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from svdicl_lite.models import loading
from svdicl_lite.models.loading import load_model
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.scoring.prompts import render
from svdicl_lite.tasks import suite
from svdicl_lite.tasks.loading import load_task
from svdicl_lite.tasks.suite import MIX, SUITE
from svdicl_lite.tasks.task import ARBITRARY_WORDS, LABEL_SETTINGS, Task
from svdicl_lite.training.loop import device, write_card
from svdicl_lite.training.pretrain import bpe

LABEL_WEIGHT = 50.0  # how much more an answer weighs in the loss than a word of a sentence
# share of the words that have a loss, and then LABEL_WEIGHT counts for all of them; logits cost a
# third of a step
WORDS_READ = 0.25
TOKENS_PER_STEP, ONE_PAIR = 2048, 26  # tokens of a step; of an example of a relation, about
PROBE_EVERY, PROBE_N = 500, 80  # steps, prompts
SEED, THREADS, LAYERS = 0, 2, 6
RELATIONS = ("paraphrase", "entailment")  # the hard ones: two sentences have to be compared
OTHERS = ("mixed-sentiment", "mixed-topic", "emotion", "choice", "commitment")


@dataclass(frozen=True)
class Phase:
    """`steps` optimiser steps on one mix of documents."""

    steps: int
    lengths: tuple[
        int, ...
    ]  # tokens of a document, drawn per step: it takes the examples that fit, and one at least
    canonical: float  # share of documents with the canonical label words
    flipped: float  # share with those words moved to the next class; the rest is arbitrary
    kinds: tuple[str, ...]  # of sentences
    relations: float = 0.4  # share of documents of the two tasks of relation
    single: float = (
        0.0  # share of steps on one example a document, of those two, with canonical words
    )
    easy: tuple[float, float] = (
        0.0,
        0.0,
        # share of their examples that are easy, at the first step and, on a straight line, after
        # the
        # last
    )
    word: float = 1 / LABEL_WEIGHT  # what a word of a sentence weighs in the loss, on average
    learning_rate: float = 1e-3
    cool_down: float = 0.0  # last share of the phase in which the learning rate falls to zero
    others: tuple[str, ...] = (
        # what the other documents are drawn from; a name that stands twice comes twice as often
        OTHERS
    )


RELATING = (
    Phase(
        700, (64, 96), 0.7, 0.1, ("short",), relations=0.55, single=0.7, easy=(0.8, 0.8), word=0.1
    ),
    Phase(
        700,
        (64, 96, 128),
        0.6,
        0.1,
        ("short",),
        relations=0.55,
        single=0.6,
        easy=(0.8, 0.2),
        word=0.1,
    ),
    Phase(600, (50, 75), 1.0, 0.0, ("short",), relations=0.55, single=0.25, easy=(0.3, 0.0)),
    Phase(800, (75, 125, 200), 1.0, 0.0, ("short",), relations=0.55, single=0.12),
    Phase(500, (125, 250), 0.7, 0.1, ("short", "plain"), relations=0.55, single=0.05),
    Phase(600, (128, 256), 0.3, 0.2, ("short", "plain"), relations=0.5, single=0.03),
    Phase(900, (128, 256, 400), 0.3, 0.2, MIX, relations=0.45, cool_down=0.5),
)
FOR_THE_PROMPT = (
    ("mixed-sentiment", "mixed-topic", "emotion") * 3 + ("commitment",) * 2 + ("choice",)
)  # most of what the prompt teaches the words of
READING = (
    Phase(
        700,
        (128, 256),
        0.3,
        0.2,
        ("short", "plain"),
        relations=0.3,
        single=0.02,
        others=FOR_THE_PROMPT,
    ),
    Phase(
        2000, (128, 256, 400), 0.3, 0.2, MIX, relations=0.3, cool_down=0.4, others=FOR_THE_PROMPT
    ),
)
STAGES = (RELATING, READING)  # each with an optimiser of its own
RECIPE = {
    "stages": [[asdict(phase) for phase in phases] for phases in STAGES],
    "start_from": "icl-llama",
    "layers": LAYERS,
    "tokens_per_step": TOKENS_PER_STEP,
    "seed": SEED,
    "threads": THREADS,
}


def train_tokenizer() -> PreTrainedTokenizerFast:
    """`pretrain.train_tokenizer` for the suite: every word is one token behind a space."""
    words = [
        *suite.vocabulary(),
        *ARBITRARY_WORDS,
        *(word for task in SUITE.values() for word in task.label_words),
    ]
    frames = [re.sub(r"\{\w+\}", "", task.template) + "\n" for task in SUITE.values()]
    return bpe(words, frames, 4096)


def grown(small, small_tokenizer, tokenizer) -> LlamaForCausalLM:
    """A model of six layers and the suite's words that begins as `small`: its blocks in order, and
    between the first of them new ones that add nothing.

    The new blocks stand before those that read the demonstrations: what is still to be learned,
    comparing two sentences, has to be done by then (growth that keeps the function: Net2Net, Chen
    et al. 2016). Words that `small` knew keep their embeddings.
    """
    torch.manual_seed(SEED)
    model = LlamaForCausalLM(
        LlamaConfig(
            **{**small.config.to_dict(), "num_hidden_layers": LAYERS, "vocab_size": len(tokenizer)}
        )
    )
    n_new = LAYERS - small.config.num_hidden_layers
    old_places = [
        layer for layer in range(LAYERS) if layer not in range(1, 2 * n_new, 2)
    ]  # new: 1 and 3
    known, old = tokenizer.get_vocab(), small_tokenizer.get_vocab()
    with torch.no_grad():
        for layer, block in enumerate(model.model.layers):
            if layer in old_places:
                block.load_state_dict(small.model.layers[old_places.index(layer)].state_dict())
            else:
                for output in (block.self_attn.o_proj, block.mlp.down_proj):
                    output.weight.zero_()
        model.model.norm.load_state_dict(small.model.norm.state_dict())
        for token, row in known.items():
            if token in old:
                model.model.embed_tokens.weight[row] = small.model.embed_tokens.weight[old[token]]
    return model


def draw_words(rng: random.Random, task: Task, phase: Phase) -> tuple[str, ...]:
    """The words that name the classes in one document; none where the task has options."""
    if task.options:
        return ()
    if task.name in RELATIONS:
        return task.words("canonical")
    kind = rng.random()
    if kind < phase.canonical + phase.flipped:
        return task.words("canonical" if kind < phase.canonical else "flipped")
    return tuple(rng.sample(ARBITRARY_WORDS, len(task.classes)))


def draw_pair(
    rng: random.Random, task: Task, kinds: tuple[str, ...], words: tuple[str, ...]
) -> tuple[str, str]:
    """One example: a context, which ends where an answer is due, and the answer, a label word or
    the right option.
    """
    example = suite.draw(task.name, rng, "train", kinds, balanced=True)
    return render(task, example), (
        example[task.options[example["label"]]] if task.options else words[example["label"]]
    )


def draw_document(
    rng: random.Random, phase: Phase, tokenizer, length: int, easy: float = 0.0
) -> tuple[list[int], list[float]]:
    """Tokens and loss weights of as many examples of one task as fit, one at least; answers weigh
    1, words `phase.word` on average and most of them 0, line ends four times that.

    A length of 0 asks for one example of a relation, with canonical words.
    """
    relation = not length or rng.random() < phase.relations
    task = SUITE[rng.choice(RELATIONS if relation else phase.others)]
    words, row, weight = draw_words(rng, task, phase) if length else task.words("canonical"), [], []
    word = phase.word / WORDS_READ
    while True:
        kinds = ("easy",) if relation and rng.random() < easy else phase.kinds
        context, answer = draw_pair(rng, task, kinds, words)
        context, answer, end = tokenizer([context, f" {answer}", "\n"])["input_ids"]
        if row and len(row) + len(context) + len(answer) + len(end) > length:
            return row, weight
        row += context + answer + end
        weight += (
            [word * (rng.random() < WORDS_READ) for _ in context] + [1.0] * len(answer) + [word]
        )


def draw_batch(rng: random.Random, phase: Phase, tokenizer, i: int = 0) -> tuple[Tensor, Tensor]:
    """Tokens (B, T) and loss weights (B, T) of step `i` of a phase; padding weighs 0."""
    length = 0 if rng.random() < phase.single else rng.choice(phase.lengths)
    easy = phase.easy[0] + (phase.easy[1] - phase.easy[0]) * i / phase.steps
    documents = [
        draw_document(rng, phase, tokenizer, length, easy)
        for _ in range(max(1, TOKENS_PER_STEP // (length or ONE_PAIR)))
    ]
    rows, weights = ([torch.tensor(part) for part in parts] for parts in zip(*documents))
    pad = nn.utils.rnn.pad_sequence
    return pad(rows, batch_first=True, padding_value=tokenizer.pad_token_id), pad(
        weights, batch_first=True
    )


def train(model, tokenizer, phases, keep=None, seed: int = SEED) -> list[float]:
    """Trains `model`, any causal one, in place; returns the mean loss on answers of each step.
    `keep(step, loss)` is called after each.
    """
    rng = random.Random(seed)
    torch.manual_seed(seed)
    optimiser = torch.optim.AdamW(model.parameters(), weight_decay=0.01, betas=(0.9, 0.98))
    schedule = ((phase, i) for phase in phases for i in range(phase.steps))
    losses = []
    model.train()
    for step, (phase, i) in enumerate(tqdm(schedule, unit="step", disable=None), start=1):
        left = (phase.steps - i) / phase.steps
        cool = min(1.0, left / phase.cool_down) if phase.cool_down else 1.0
        for group in optimiser.param_groups:
            group["lr"] = phase.learning_rate * cool * min(1.0, step / 100)
        tokens, weights = (
            tensor.to(model.device) for tensor in draw_batch(rng, phase, tokenizer, i)
        )
        read = weights[:, 1:] > 0  # a word without a weight needs no logits
        hidden = model.base_model(tokens, use_cache=False).last_hidden_state[:, :-1][read]
        target, weight = tokens[:, 1:][read], weights[:, 1:][read]
        loss = nn.functional.cross_entropy(
            model.get_output_embeddings()(hidden), target, reduction="none"
        )
        optimiser.zero_grad()
        ((loss * weight).sum() / weight.sum()).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        losses.append(loss[weight == 1].mean().item())
        if keep:
            keep(step, losses[-1])
    model.eval()
    return losses


def probe_of(model, tokenizer):
    """What judges the model along the way: every task and label setting on validation, behind 8
    demonstrations.
    """
    settings = [
        (name, setting)
        for name, task in SUITE.items()
        for setting in (LABEL_SETTINGS[:1] if task.options else LABEL_SETTINGS)
    ]
    evaluators = {
        f"{name} {setting}": ICLEvaluator(model, tokenizer, load_task(name, setting), n=PROBE_N)
        for name, setting in settings
    }
    return lambda model: {
        name: round(evaluate().accuracy, 4) for name, evaluate in evaluators.items()
    }


def figures(model, tokenizer) -> list[dict]:
    """Test accuracy with n and interval behind 8 demonstrations, and whether the task is as hard as
    one wants: `level`.

    A task serves if balanced accuracy lies between 15 points above chance and 95 %: clipping can
    then both hurt and help. Where the classes are unequal (in `emotion` four of five are one
    class), plain accuracy would praise a model that always gives one answer.
    """
    rows = []
    for name, task in SUITE.items():
        for setting in LABEL_SETTINGS[:1] if task.options else LABEL_SETTINGS:
            data = load_task(name, setting)
            outcome = ICLEvaluator(
                model, tokenizer, data, "test", min(1000, len(data.splits["test"])), seeds=range(20)
            )()
            low, high = (round(float(bound), 4) for bound in outcome.interval)
            reached, least = outcome.balanced_accuracy, 1 / len(task.classes) + 0.15
            level = "too hard" if reached < least else "too easy" if reached > 0.95 else "as wanted"
            rows.append(
                {
                    "task": name,
                    "labels": setting,
                    "shots": 8,
                    "n": outcome.n,
                    "accuracy": round(outcome.accuracy, 4),
                    "low": low,
                    "high": high,
                    "balanced_accuracy": round(reached, 4),
                    "level": level,
                }
            )
    return rows


def make() -> None:
    """Trains the model and writes weights, tokenizer and card beside the shipped ones; with a GPU
    if there is one.
    """
    torch.set_num_threads(THREADS)
    tokenizer = train_tokenizer()
    model = grown(*load_model("icl-llama"), tokenizer).to(device()).eval()
    wall, cpu, curve, losses = time.perf_counter(), time.process_time(), [], []
    probe = probe_of(model, tokenizer)
    n_steps = sum(phase.steps for phases in STAGES for phase in phases)
    steps = itertools.count(1)

    def keep(_, loss: float) -> None:
        step = next(steps)
        losses.append(loss)
        if step % PROBE_EVERY == 0 or step == n_steps:
            curve.append(
                {
                    "step": step,
                    "label_loss": round(sum(losses) / len(losses), 4),
                    **probe(model.eval()),
                }
            )
            tqdm.write(str(curve[-1]), file=sys.stderr)
            losses.clear()
            model.train()

    for stage, phases in enumerate(STAGES):
        train(model, tokenizer, phases, keep, SEED + stage)
    seconds, cpu = time.perf_counter() - wall, time.process_time() - cpu
    model.to("cpu")
    folder = loading.CHECKPOINTS / "suite-llama"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    write_card(
        folder,
        {
            "name": "suite-llama",
            "parameters": model.num_parameters(),
            "recipe": RECIPE,
            "label_weight": LABEL_WEIGHT,
            "device": device(),
            "threads": THREADS,
            "seconds": round(seconds),
            "cpu_seconds": round(cpu),
            "torch": version("torch"),
            "transformers": version("transformers"),
            "curve": curve,
            "curve_n": PROBE_N,
            "test": figures(model, tokenizer),
        },
    )
