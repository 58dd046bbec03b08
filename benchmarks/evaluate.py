"""Cached and batched against plain, in turn, on the shipped model: seconds, their ratio, and the
largest difference of the scores.

Then few queries behind each of ten sets of demonstrations, a batch for each set against batches of
several sets. Then the way to the tokens: whole prompts with each label word behind them, against
label words behind the query alone.
"""

import statistics
import time
from functools import partial

import numpy as np
import torch

from svdicl_lite.models.loading import load_model
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.scoring.prompts import draw_demonstrations, encode, render
from svdicl_lite.tasks import grammar_tasks
from svdicl_lite.tasks.loading import load_task


def seconds(function):
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def whole_prompts(texts, words):
    """Whole prompts with each label word behind them: tokens, and those of the label words."""
    tokens = tokenizer(texts)["input_ids"]
    answered = [tokenizer([f"{text} {word}" for text in texts])["input_ids"] for word in words]
    return tokens, [[longer[-1] for longer in row] for row in zip(*answered)]


model, tokenizer = load_model("icl-gpt2")
task = load_task("sentiment")
print(
    f"{torch.get_num_threads()} threads, torch {torch.__version__}; 200 queries, median of 5 turns"
)
print(
    f"{'shots':>5} {'tokens':>6} {'plain s':>8} {'cached s':>8} {'ratio':>6}"
    f" {'max |difference|':>17}"
)
for shots in (0, 4, 8, 16):
    evaluator = ICLEvaluator(model, tokenizer, task, n=200, n_shots=shots, seeds=(0,))
    turns = []
    for _ in range(6):
        (slow, plain), (fast, cached) = seconds(evaluator.plain), seconds(evaluator)
        turns.append((slow, fast, np.abs(plain.scores - cached.scores).max()))
    slow, fast, difference = (statistics.median(column) for column in zip(*turns[1:]))
    length = statistics.mean(len(tokens) for tokens in evaluator.groups[0].contexts)
    print(f"{shots:5d} {length:6.0f} {slow:8.2f} {fast:8.3f} {slow / fast:6.1f} {difference:17.1e}")

print(
    "\nten sets of demonstrations, a batch for each against batches of several; the MLP of layer 0"
    " changes"
)
print(
    f"{'model':>9} {'shots':>5} {'n':>4} {'apart ms':>9} {'together ms':>12} {'ratio':>6}"
    f" {'max |difference|':>17}"
)
for name in ("icl-gpt2", "icl-llama"):
    sisters = load_model(name)
    for shots in (0, 4, 16):
        for n in (80, 320):
            judges = [
                ICLEvaluator(
                    *sisters, task, n=n, n_shots=shots, seeds=range(10), batch_size=size
                ).from_layer(0)
                for size in (n // 10, 128)
            ]
            turns = []
            for _ in range(8):
                (slow, apart), (fast, together) = (
                    seconds(partial(judge, "mlp")) for judge in judges
                )
                turns.append(
                    (1000 * slow, 1000 * fast, np.abs(apart.scores - together.scores).max())
                )
            slow, fast, difference = (statistics.median(column) for column in zip(*turns[1:]))
            print(
                f"{name:>9} {shots:5d} {n:4d} {slow:9.0f} {fast:12.0f} {slow / fast:6.2f}"
                f" {difference:17.1e}"
            )

print(f"\n{'task':>10} {'shots':>5} {'whole ms':>9} {'ours ms':>8} {'ratio':>6}")
for name in grammar_tasks.TASKS:
    task = load_task(name)
    words, queries = task.words(), list(task.splits["validation"].select(range(200)))
    for shots in (0, 4, 8, 16):
        demonstrations = draw_demonstrations(task, shots, seed=0)
        shown = "".join(
            render(task, example, words[example["label"]]) for example in demonstrations
        )
        texts = [shown + render(task, query) for query in queries]

        turns = []
        for _ in range(6):
            (slow, plain), (fast, ours) = (
                seconds(partial(whole_prompts, texts, words)),
                seconds(partial(encode, tokenizer, task, words, demonstrations, queries)),
            )
            assert plain == (ours.contexts, ours.label_tokens)
            turns.append((1000 * slow, 1000 * fast))
        slow, fast = (statistics.median(column) for column in zip(*turns[1:]))
        print(f"{name:>10} {shots:5d} {slow:9.0f} {fast:8.0f} {slow / fast:6.1f}")
