"""What trains the shipped models: a corpus of classification prompts and one training loop, which
follow a recipe (`recipes.py`).

A document is a row of labelled sentences of one task. The words that name its classes are drawn per
document: *canonical* (pos, neg), *flipped* (the same words, exchanged) or *arbitrary* (apple,
stone). A model that only knows what words mean is right in the first kind and wrong in the second;
only reading the demonstrations serves all three. Labels weigh far more than words in the loss.
`python -m svdicl_lite.training NAME` trains one model. Taught in chapter 03.
"""

import importlib
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib.metadata import version

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor, nn
from tqdm import tqdm
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from svdicl_lite.models import loading
from svdicl_lite.models.loading import load_model
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.scoring.prompts import render
from svdicl_lite.tasks.grammar_tasks import TASKS
from svdicl_lite.tasks.loading import load_task
from svdicl_lite.tasks.task import ARBITRARY_WORDS, LABEL_SETTINGS, Task
from svdicl_lite.tasks.worlds import grammar
from svdicl_lite.training import architectures, loop
from svdicl_lite.training.recipes import OTHERS, RECIPES, Phase, Recipe

LABEL_WEIGHT = 50.0  # how much more a label weighs in the loss than a word of a sentence
TOKENS_PER_STEP = 6400
PROBE_EVERY, PROBE_N = 100, 200  # steps, prompts


def train_tokenizer(more_words: Sequence[str] = ()) -> PreTrainedTokenizerFast:
    """The tokenizer of the small world, and of `more_words` if there are any."""
    words = [
        *grammar.vocabulary(),
        *ARBITRARY_WORDS,
        *(word for task in TASKS.values() for word in task.label_words),
    ]
    words += [word for word in more_words if word not in words]
    frames = [
        task.template.replace("{text}", "").replace("{label}", "\n") for task in TASKS.values()
    ]
    return bpe(words, frames, 4096 if more_words else 2048)


def bpe(words: Sequence[str], frames: Sequence[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer, GPT-2's kind, in which every word is one token behind a space."""
    end = "<|endoftext|>"
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size, special_tokens=[end], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([*(f" {word}" for word in words), *frames] * 20, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=end, eos_token=end, unk_token=end, pad_token=end
    )


def new_model(recipe: Recipe, tokenizer):
    """An untrained model of the recipe's family."""
    return {"gpt2": gpt2, "llama": architectures.llama, "mixtral": architectures.mixtral}[
        recipe.family
    ](recipe, tokenizer)


def gpt2(recipe: Recipe, tokenizer) -> GPT2LMHeadModel:
    """An untrained GPT-2 whose position embeddings start as sinusoids (Vaswani et al. 2017).

    Random ones must first learn which positions are neighbours; on short runs that alone decides
    whether in-context learning appears.
    """
    torch.manual_seed(recipe.seed)
    model = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=len(tokenizer),
            n_positions=recipe.positions,
            n_embd=recipe.width,
            n_layer=recipe.layers,
            n_head=recipe.heads,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            initializer_range=0.06,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )
    loop.sinusoids_(model.transformer)
    return model


def draw_document(rng: random.Random, phase: Phase, n_pairs: int) -> list[tuple[str, str]]:
    """One document: `n_pairs` of a context, which ends where a label is due, and the label word."""
    return document_of(rng, phase, n_pairs, TASKS[rng.choice(list(TASKS))], grammar.draw)


def document_of(
    rng: random.Random, phase: Phase, n_pairs: int, task: Task, draw: Callable
) -> list[tuple[str, str]]:
    """One document of this task, of sentences by `draw(rng, split, kinds)`."""
    kind = rng.random()
    if kind < phase.canonical:
        words = task.words("canonical")
    elif kind < phase.canonical + phase.flipped:
        words = task.words("flipped")
    else:
        words = rng.sample(ARBITRARY_WORDS, len(task.classes))
    pairs = []
    for _ in range(n_pairs):
        sentence = draw(rng, "train", phase.kinds)
        index = task.classes.index(
            sentence.topic if task.classes == grammar.TOPICS else sentence.polarity
        )
        if rng.random() < phase.label_noise:
            index = rng.randrange(len(words))
        pairs.append((render(task, {"text": sentence.text}), words[index]))
    return pairs


def draw_batch(
    rng: random.Random,
    phase: Phase,
    tokenizer,
    draw: Callable = draw_document,
    n_tokens: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Tokens (B, T), about `n_tokens` (None: TOKENS_PER_STEP) of documents by `draw`, and loss
    weights (B, T): labels weigh 1, words 1/50, padding 0.
    """
    n_pairs = rng.choice(phase.shots) + 1
    documents = [
        draw(rng, phase, n_pairs) for _ in range((n_tokens or TOKENS_PER_STEP) // (12 * n_pairs))
    ]
    pieces = iter(
        tokenizer(
            [
                piece
                for pairs in documents
                for context, word in pairs
                for piece in (context, f" {word}", "\n")
            ]
        )["input_ids"]
    )
    rows, weights = [], []
    for _ in documents:
        row, weight = [], []
        for _ in range(n_pairs):
            for worth in (1 / LABEL_WEIGHT, 1.0, 1 / LABEL_WEIGHT):  # context, label, line end
                piece = next(pieces)
                row += piece
                weight += [worth] * len(piece)
        rows.append(torch.tensor(row))
        weights.append(torch.tensor(weight))
    pad = nn.utils.rnn.pad_sequence
    return pad(rows, batch_first=True, padding_value=tokenizer.pad_token_id), pad(
        weights, batch_first=True
    )


def train(model, tokenizer, recipe: Recipe, probe=None) -> list[dict]:
    """Trains `model` in place; returns the curve: every 100 steps, and at the end, the loss on
    labels and what `probe(model)` says.
    """
    rng = random.Random(recipe.seed)
    torch.manual_seed(recipe.seed)
    optimiser = torch.optim.AdamW(model.parameters(), weight_decay=0.01, betas=(0.9, 0.98))
    schedule = [(phase, i) for phase in recipe.phases for i in range(phase.steps)]
    routed = {"output_router_logits": True} if recipe.family == "mixtral" else {}
    curve, losses = [], []
    for step, (phase, i) in enumerate(tqdm(schedule, unit="step", disable=None), start=1):
        left = (phase.steps - i) / phase.steps
        cool = min(1.0, left / phase.cool_down) if phase.cool_down else 1.0
        for group in optimiser.param_groups:
            group["lr"] = phase.learning_rate * cool * min(1.0, step / 100)
        model.train()
        tokens, weights = (tensor.to(model.device) for tensor in draw_batch(rng, phase, tokenizer))
        with torch.autocast(
            model.device.type, dtype=torch.bfloat16, enabled=recipe.dtype == "bfloat16"
        ):
            output = model(tokens, use_cache=False, **routed)
        target, weight = tokens[:, 1:].flatten(), weights[:, 1:].flatten()
        loss = nn.functional.cross_entropy(
            output.logits[:, :-1].float().flatten(0, 1), target, reduction="none"
        )
        whole = (loss * weight).sum() / weight.sum()
        if routed:  # experts are to be used alike
            whole = whole + model.config.router_aux_loss_coef * output.aux_loss
        optimiser.zero_grad()
        whole.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        losses.append(loss[weight == 1].mean().item())
        if step % PROBE_EVERY == 0 or step == len(schedule):
            model.eval()
            curve.append(
                {
                    "step": step,
                    "label_loss": round(sum(losses) / len(losses), 4),
                    **(probe(model) if probe else {}),
                }
            )
            tqdm.write(str(curve[-1]), file=sys.stderr)
            losses = []
    model.eval()
    return curve


def figures(
    model, tokenizer, split: str, n: int, shots: tuple[int, ...], seeds=range(20)
) -> list[dict]:
    """Accuracy with n and interval on every task and label setting, at each number of shots."""
    rows = []
    for name in TASKS:
        for setting in LABEL_SETTINGS:
            task = load_task(name, setting)
            for n_shots in shots:
                outcome = ICLEvaluator(model, tokenizer, task, split, n, n_shots, seeds)()
                low, high = outcome.interval
                row = {
                    "task": name,
                    "labels": setting,
                    "shots": n_shots,
                    "n": outcome.n,
                    "accuracy": outcome.accuracy,
                    "low": low,
                    "high": high,
                }
                rows.append(
                    {
                        key: round(value, 4) if isinstance(value, float) else value
                        for key, value in row.items()
                    }
                )
    return rows


def make(name: str) -> None:
    """Trains the model `name` and writes weights, tokenizer and card beside the shipped ones; with
    a GPU if there is one.
    """
    if name in OTHERS:
        return importlib.import_module(f"svdicl_lite.training.{OTHERS[name]}").make()
    recipe = RECIPES[name]
    torch.set_num_threads(recipe.threads)
    device = loop.device()
    if recipe.start_from:
        model, tokenizer = load_model(recipe.start_from)
        if recipe.family == "mixtral":
            model = architectures.upcycled(model, recipe, tokenizer)
    else:
        tokenizer = train_tokenizer()
        model = new_model(recipe, tokenizer)

    model.to(device).eval()
    evaluators = {
        f"{task} {setting}": ICLEvaluator(
            model, tokenizer, load_task(task, setting), n=PROBE_N, seeds=range(5)
        )
        for task in TASKS
        for setting in LABEL_SETTINGS
    }

    def probe(model):
        return {key: round(evaluate().accuracy, 4) for key, evaluate in evaluators.items()}

    start = time.perf_counter()
    curve = train(model, tokenizer, recipe, probe)
    seconds = time.perf_counter() - start
    model.to("cpu")
    folder = loading.CHECKPOINTS / name
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    card = {
        "name": name,
        "parameters": model.num_parameters(),
        "recipe": asdict(recipe),
        "label_weight": LABEL_WEIGHT,
        "device": device,
        "threads": torch.get_num_threads(),
        "seconds": round(seconds),
        "torch": version("torch"),
        "transformers": version("transformers"),
        "curve": curve,
        "curve_n": PROBE_N,
        "test": figures(model, tokenizer, "test", n=1000, shots=(0, 2, 4, 8, 16)),
    }
    loop.write_card(folder, card)
