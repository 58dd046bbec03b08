"""The recipe of `suite-gpt2`, a model of six layers for all seven tasks of the suite, grown from `icl-gpt2`.

`icl-gpt2` knows two tasks and 400 words. `suite-gpt2` begins as that model, two new blocks and the suite's words added in a way that changes
nothing yet (`grown`), and goes on with all seven tasks: canonical words and short sentences first, so that the relation between two
sentences gets into the weights, then all label maps and longer documents. A document takes as many examples of one task as fit its length, so
there is next to no padding, whatever the task. `python -m svdicl_lite.pretrain suite-gpt2` trains it; its card says how hard each task is for
it. Taught in chapter 03.
"""

import random
import re
import sys
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version

import torch
from torch import Tensor, nn
from tqdm import tqdm
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from svdicl_lite import suite, zoo
from svdicl_lite.backbone import device, sinusoids_, write_card
from svdicl_lite.evaluate import ICLEvaluator
from svdicl_lite.pretrain import bpe
from svdicl_lite.prompts import render
from svdicl_lite.suite import MIX, SUITE
from svdicl_lite.tasks import ARBITRARY_WORDS, LABEL_SETTINGS, Task, load

LABEL_WEIGHT = 50.0  # how much more an answer weighs in the loss than a word of a sentence
WORDS_READ = 0.25  # share of the words that have a loss, and then LABEL_WEIGHT counts for all of them; logits cost a third of a step
TOKENS_PER_STEP = 2048
PROBE_EVERY, PROBE_N = 250, 80  # steps, prompts
SEED, THREADS, LAYERS = 0, 1, 6
# The pair tasks twice as often: they are the hard ones.
OFTEN = (*SUITE, "paraphrase", "entailment", "commitment")


@dataclass(frozen=True)
class Phase:
    """`steps` optimiser steps on one mix of documents."""

    steps: int
    lengths: tuple[int, ...]  # tokens of a document, drawn per step: it takes the examples that fit, and one at least
    canonical: float  # share of documents with the canonical label words
    flipped: float  # share with those words moved to the next class; the rest is arbitrary
    kinds: tuple[str, ...]  # of sentences
    learning_rate: float = 1e-3
    cool_down: float = 0.0  # last share of the phase in which the learning rate falls to zero


PHASES = (
    Phase(200, (34, 64, 96), 0.6, 0.1, ("short",)),
    Phase(400, (64, 128), 0.7, 0.1, ("short", "plain")),
    Phase(500, (96, 192, 384), 0.4, 0.2, ("short", "plain")),
    Phase(800, (128, 256, 500), 0.3, 0.2, MIX, cool_down=0.4),
)


def train_tokenizer() -> PreTrainedTokenizerFast:
    """`pretrain.train_tokenizer` for the suite: every word is one token behind a space."""
    words = [*suite.vocabulary(), *ARBITRARY_WORDS, *(word for task in SUITE.values() for word in task.label_words)]
    frames = [re.sub(r"\{\w+\}", "", task.template) + "\n" for task in SUITE.values()]
    return bpe(words, frames, 4096)


def grown(small, small_tokenizer, tokenizer) -> GPT2LMHeadModel:
    """A model of six layers and the suite's words that begins as `small`: its blocks in order, and between the first of them new ones that add nothing.

    The new blocks stand before those that read the demonstrations: what is still to be learned, comparing two sentences, has to be
    done by then (growth that keeps the function: Net2Net, Chen et al. 2016). Words that `small` knew keep their embeddings.
    """
    torch.manual_seed(SEED)
    config = GPT2Config(**{**small.config.to_dict(), "n_layer": LAYERS, "vocab_size": len(tokenizer), "activation_function": "gelu_pytorch_tanh"})
    model = GPT2LMHeadModel(config)
    sinusoids_(model.transformer)
    n_new = LAYERS - small.config.n_layer
    old_places = [layer for layer in range(LAYERS) if layer not in range(1, 2 * n_new, 2)]  # new: 1 and 3
    known, old = tokenizer.get_vocab(), small_tokenizer.get_vocab()
    with torch.no_grad():
        for layer, block in enumerate(model.transformer.h):
            if layer in old_places:
                block.load_state_dict(small.transformer.h[old_places.index(layer)].state_dict())
            else:
                for output in (block.attn.c_proj, block.mlp.c_proj):
                    output.weight.zero_()
        model.transformer.ln_f.load_state_dict(small.transformer.ln_f.state_dict())
        model.transformer.wpe.load_state_dict(small.transformer.wpe.state_dict())
        for token, row in known.items():
            if token in old:
                model.transformer.wte.weight[row] = small.transformer.wte.weight[old[token]]
    return model


def draw_words(rng: random.Random, task: Task, phase: Phase) -> tuple[str, ...]:
    """The words that name the classes in one document; none where the task has options."""
    if task.options:
        return ()
    kind = rng.random()
    if kind < phase.canonical + phase.flipped:
        return task.words("canonical" if kind < phase.canonical else "flipped")
    return tuple(rng.sample(ARBITRARY_WORDS, len(task.classes)))


def draw_pair(rng: random.Random, task: Task, phase: Phase, words: tuple[str, ...]) -> tuple[str, str]:
    """One example: a context, which ends where an answer is due, and the answer, a label word or the right option."""
    example = suite.draw(task.name, rng, "train", phase.kinds, balanced=True)
    return render(task, example), example[task.options[example["label"]]] if task.options else words[example["label"]]


def draw_document(rng: random.Random, phase: Phase, tokenizer, length: int) -> tuple[list[int], list[float]]:
    """Tokens and loss weights of as many examples of one task as fit: answers weigh 1, words 1/50 on average and most of them 0."""
    task = SUITE[rng.choice(OFTEN)]
    words, row, weight = draw_words(rng, task, phase), [], []
    word = 1 / LABEL_WEIGHT / WORDS_READ
    while True:
        context, answer = draw_pair(rng, task, phase, words)
        context, answer, end = tokenizer([context, f" {answer}", "\n"])["input_ids"]
        if row and len(row) + len(context) + len(answer) + len(end) > length:
            return row, weight
        row += context + answer + end
        weight += [word * (rng.random() < WORDS_READ) for _ in context] + [1.0] * len(answer) + [word]


def draw_batch(rng: random.Random, phase: Phase, tokenizer) -> tuple[Tensor, Tensor]:
    """Tokens (B, T) and loss weights (B, T) of one step; padding weighs 0."""
    length = rng.choice(phase.lengths)
    documents = [draw_document(rng, phase, tokenizer, length) for _ in range(max(1, TOKENS_PER_STEP // length))]
    rows, weights = ([torch.tensor(part) for part in parts] for parts in zip(*documents))
    pad = nn.utils.rnn.pad_sequence
    return pad(rows, batch_first=True, padding_value=tokenizer.pad_token_id), pad(weights, batch_first=True)


def train(model, tokenizer, phases, keep=None) -> list[float]:
    """Trains `model`, any causal one, in place; returns the mean loss on answers of each step. `keep(step, loss)` is called after each."""
    rng = random.Random(SEED)
    torch.manual_seed(SEED)
    optimiser = torch.optim.AdamW(model.parameters(), weight_decay=0.01, betas=(0.9, 0.98))
    schedule = ((phase, i) for phase in phases for i in range(phase.steps))
    losses = []
    model.train()
    for step, (phase, i) in enumerate(tqdm(schedule, unit="step", disable=None), start=1):
        left = (phase.steps - i) / phase.steps
        cool = min(1.0, left / phase.cool_down) if phase.cool_down else 1.0
        for group in optimiser.param_groups:
            group["lr"] = phase.learning_rate * cool * min(1.0, step / 100)
        tokens, weights = (tensor.to(model.device) for tensor in draw_batch(rng, phase, tokenizer))
        read = weights[:, 1:] > 0  # a word without a weight needs no logits
        hidden = model.base_model(tokens, use_cache=False).last_hidden_state[:, :-1][read]
        target, weight = tokens[:, 1:][read], weights[:, 1:][read]
        loss = nn.functional.cross_entropy(model.get_output_embeddings()(hidden), target, reduction="none")
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
    """What judges the model along the way: every task and label setting on validation, behind 8 demonstrations."""
    settings = [(name, setting) for name, task in SUITE.items() for setting in (LABEL_SETTINGS[:1] if task.options else LABEL_SETTINGS)]
    evaluators = {f"{name} {setting}": ICLEvaluator(model, tokenizer, load(name, setting), n=PROBE_N) for name, setting in settings}
    return lambda model: {name: round(evaluate().accuracy, 4) for name, evaluate in evaluators.items()}


def figures(model, tokenizer) -> list[dict]:
    """Test accuracy with n and interval behind 8 demonstrations, and whether the task is as hard as one wants: `level`.

    A task serves if accuracy lies between 15 points above chance and 95 %: clipping can then both hurt and help.
    """
    rows = []
    for name, task in SUITE.items():
        for setting in LABEL_SETTINGS[:1] if task.options else LABEL_SETTINGS:
            data = load(name, setting)
            outcome = ICLEvaluator(model, tokenizer, data, "test", min(1000, len(data.splits["test"])), seeds=range(20))()
            low, high = (round(bound, 4) for bound in outcome.interval)
            least = 1 / len(task.classes) + 0.15
            level = "too hard" if outcome.accuracy < least else "too easy" if outcome.accuracy > 0.95 else "as wanted"
            rows.append({"task": name, "labels": setting, "shots": 8, "n": outcome.n, "accuracy": round(outcome.accuracy, 4), "low": low, "high": high, "level": level})
    return rows


def make() -> None:
    """Trains the model and writes weights, tokenizer and card into the zoo; with a GPU if there is one."""
    torch.set_num_threads(THREADS)
    tokenizer = train_tokenizer()
    model = grown(*zoo.load("icl-gpt2"), tokenizer).to(device()).eval()
    wall, cpu, curve, losses = time.perf_counter(), time.process_time(), [], []
    probe = probe_of(model, tokenizer)
    last = sum(phase.steps for phase in PHASES)

    def keep(step: int, loss: float) -> None:
        losses.append(loss)
        if step % PROBE_EVERY == 0 or step == last:
            curve.append({"step": step, "label_loss": round(sum(losses) / len(losses), 4), **probe(model.eval())})
            tqdm.write(str(curve[-1]), file=sys.stderr)
            losses.clear()
            model.train()

    train(model, tokenizer, PHASES, keep=keep)
    seconds, cpu = time.perf_counter() - wall, time.process_time() - cpu
    model.to("cpu")
    folder = zoo.ZOO / "suite-gpt2"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    recipe = {"phases": [asdict(phase) for phase in PHASES], "start_from": "icl-gpt2", "layers": LAYERS, "tokens_per_step": TOKENS_PER_STEP, "seed": SEED, "threads": THREADS}
    write_card(folder, {
        "name": "suite-gpt2", "parameters": model.num_parameters(), "recipe": recipe, "label_weight": LABEL_WEIGHT, "device": device(), "threads": THREADS,
        "seconds": round(seconds), "cpu_seconds": round(cpu), "torch": version("torch"), "transformers": version("transformers"),
        "curve": curve, "curve_n": PROBE_N, "test": figures(model, tokenizer),
    })  # fmt: skip
