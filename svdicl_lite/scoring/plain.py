"""The plain path: one full forward a prompt, nothing shared. What every faster path must return.

An option, the answer of a task such as COPA (paper, appendix C.1), is scored by the mean
log-likelihood of its tokens. The mean, not the sum: of two options the longer one has more tokens
to lose probability by. The released code of the paper averages raw logits over all positions and
the whole vocabulary instead, in which the option itself hardly counts. A label word is one token
after the same context as its rivals, so its logit says the same as its log-likelihood. Taught in
chapter 03.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel

from svdicl_lite.scoring.prompts import Prompts
from svdicl_lite.scoring.rotary import as_never_read
from svdicl_lite.scoring.tokens import Tokens


@torch.inference_mode()
def plain_scores(model: PreTrainedModel, prompts: Prompts) -> NDArray[np.float32]:
    """Logits of label words (N, C), or mean log-likelihoods of options in nats: one full forward a
    prompt, nothing shared.
    """
    rows = []
    for context, answers in zip(prompts.contexts, prompts.continuations):
        as_never_read(model)
        if prompts.of_options:
            likelihoods = [log_likelihood(model, context, answer) for answer in answers]
            rows.append(np.array(likelihoods, dtype=np.float32))
        else:
            logits = model(torch.tensor([context], device=model.device)).logits[0, -1]  # (V,)
            rows.append(logits[[answer[0] for answer in answers]].float().cpu().numpy())
    return np.stack(rows)


def log_likelihood(model: PreTrainedModel, context: Tokens, answer: Tokens) -> float:
    """The mean, in nats, of log p(token | all before it) over the tokens of `answer`."""
    tokens = torch.tensor([context + answer], device=model.device)  # (1, T)
    n = len(answer)
    # position t speaks about token t + 1
    logits = model(tokens).logits[0, -n - 1 : -1].float()  # (n, V)
    told: torch.Tensor = logits.log_softmax(-1).gather(1, tokens[0, -n:, None])  # (n, 1)
    return told.mean().item()
