"""Cached and batched against plain, in turn, on the shipped model: seconds, their ratio, and the largest difference of the scores."""

import statistics
import time

import numpy as np
import torch

from svdicl_lite import tasks, zoo
from svdicl_lite.evaluate import ICLEvaluator


def seconds(function):
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


model, tokenizer = zoo.load("icl-gpt2")
task = tasks.load("sentiment")
print(f"{torch.get_num_threads()} threads, torch {torch.__version__}; 200 queries, median of 5 turns")
print(f"{'shots':>5} {'tokens':>6} {'plain s':>8} {'cached s':>8} {'ratio':>6} {'max |difference|':>17}")
for shots in (0, 4, 8, 16):
    evaluator = ICLEvaluator(model, tokenizer, task, n=200, n_shots=shots, seeds=(0,))
    turns = []
    for _ in range(6):
        (slow, plain), (fast, cached) = seconds(evaluator.plain), seconds(evaluator)
        turns.append((slow, fast, np.abs(plain.scores - cached.scores).max()))
    slow, fast, difference = (statistics.median(column) for column in zip(*turns[1:]))
    length = statistics.mean(len(tokens) for tokens in evaluator.groups[0].tokens)
    print(f"{shots:5d} {length:6.0f} {slow:8.2f} {fast:8.3f} {slow / fast:6.1f} {difference:17.1e}")
