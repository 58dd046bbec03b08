"""How likely a model finds each option of a choice: the mean log-likelihood of its tokens (COPA in the paper, appendix C.1).

The mean, not the sum: of two options the longer one has more tokens to lose probability by. The released code of the paper
averages raw logits over all positions and the whole vocabulary instead, in which the option itself hardly counts.
"""

import numpy as np
import torch

from svdicl_lite.prompts import OptionPrompts


@torch.inference_mode()
def option_scores_plain(model, prompts: OptionPrompts) -> np.ndarray:
    """Mean log-likelihood in nats (N, C) of each option behind its query: one forward a prompt, nothing shared."""
    scores = np.empty((len(prompts.tokens), len(prompts.tokens[0])), dtype=np.float32)
    for i, row in enumerate(zip(prompts.tokens, prompts.n_option_tokens)):
        for c, (prompt, n) in enumerate(zip(*row)):
            tokens = torch.tensor([prompt], device=model.device)  # (1, T)
            logits = model(tokens).logits[0, -n - 1 : -1].float()  # (n, V): position t speaks about token t + 1
            scores[i, c] = logits.log_softmax(-1).gather(1, tokens[0, -n:, None]).mean().item()
    return scores
