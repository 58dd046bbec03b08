"""The plain path: one full forward a prompt, nothing shared. What every faster path must return.

An option, the answer of a task such as COPA (paper, appendix C.1), is scored by the mean
log-likelihood of its tokens. The mean, not the sum: of two options the longer one has more tokens
to lose probability by. The released code of the paper averages raw logits over all positions and
the whole vocabulary instead, in which the option itself hardly counts. Taught in chapter 03.
"""

import numpy as np
import torch

from svdicl_lite.scoring.prompts import OptionPrompts, Prompts


@torch.inference_mode()
def option_scores_plain(model, prompts: OptionPrompts) -> np.ndarray:
    """Mean log-likelihood in nats (N, C) of each option behind its query: one forward a prompt,
    nothing shared.
    """
    scores = np.empty((len(prompts.tokens), len(prompts.tokens[0])), dtype=np.float32)
    for i, row in enumerate(zip(prompts.tokens, prompts.n_option_tokens)):
        for c, (prompt, n) in enumerate(zip(*row)):
            tokens = torch.tensor([prompt], device=model.device)  # (1, T)
            logits = (
                model(tokens).logits[0, -n - 1 : -1].float()
            )  # (n, V): position t speaks about token t + 1
            scores[i, c] = logits.log_softmax(-1).gather(1, tokens[0, -n:, None]).mean().item()
    return scores


def plain_scores(model, prompts: Prompts | OptionPrompts) -> np.ndarray:
    """Label-word logits (N, C), or mean log-likelihoods of options: one full forward a prompt,
    nothing shared.
    """
    if isinstance(prompts, OptionPrompts):
        return option_scores_plain(model, prompts)
    rows = []
    with torch.inference_mode():
        for tokens, label_tokens in zip(prompts.tokens, prompts.label_tokens):
            logits = model(torch.tensor([tokens], device=model.device)).logits[0, -1]
            rows.append(logits[label_tokens].float().cpu().numpy())
    return np.stack(rows)
