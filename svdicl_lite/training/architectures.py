"""The language models before training: a GPT-2 (`icl-gpt2`), and two that are none, `icl-llama` and
`icl-moe`.

Llama has rotary positions, RMSNorm, a gated MLP (SwiGLU) and fewer keys and values than queries
(grouped-query attention). Mixtral replaces that MLP by several, its experts, of which a router
chooses two for each token; ours begins as the trained Llama. All come from `transformers`, at one
size; `language` trains them. Taught in chapter 13.
"""

from typing import Any

import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from svdicl_lite.training import loop
from svdicl_lite.training.recipes import LanguageRecipe

EXPERTS, EXPERTS_PER_TOKEN = 4, 2
# of a gated MLP, in widths of the model: three matrices then weigh about what GPT-2's two of four
# widths do
GATED_WIDTH = 2.75
EXPERT_WIDTH = 2.0


def new_model(recipe: LanguageRecipe, tokenizer: PreTrainedTokenizerFast) -> PreTrainedModel:
    """An untrained model of the recipe's family."""
    families = {"gpt2": gpt2, "llama": llama, "mixtral": mixtral}
    return families[recipe.family](recipe, tokenizer)


def gpt2(recipe: LanguageRecipe, tokenizer: PreTrainedTokenizerFast) -> GPT2LMHeadModel:
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


def llama(recipe: LanguageRecipe, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """An untrained Llama of the recipe's size; two query heads share one of keys and values."""
    torch.manual_seed(recipe.seed)
    return LlamaForCausalLM(
        LlamaConfig(intermediate_size=int(GATED_WIDTH * recipe.width), **_common(recipe, tokenizer))
    )


def mixtral(recipe: LanguageRecipe, tokenizer: PreTrainedTokenizerFast) -> MixtralForCausalLM:
    """An untrained Mixtral of the recipe's size, with four experts in each layer, two of them for
    each token.
    """
    torch.manual_seed(recipe.seed)
    experts: dict[str, Any] = {
        "num_local_experts": EXPERTS,
        "num_experts_per_tok": EXPERTS_PER_TOKEN,
        "intermediate_size": int(EXPERT_WIDTH * recipe.width),
    }
    return MixtralForCausalLM(
        MixtralConfig(
            router_aux_loss_coef=0.01, sliding_window=None, **experts, **_common(recipe, tokenizer)
        )
    )


@torch.no_grad()
def upcycled(
    dense: LlamaForCausalLM, recipe: LanguageRecipe, tokenizer: PreTrainedTokenizerFast
) -> MixtralForCausalLM:
    """A Mixtral that begins close to `dense`, a Llama of the same recipe otherwise: sparse
    upcycling (Komatsuzaki et al. 2023).

    Everything but the MLPs is taken as it is. An expert gets neurons of the MLP drawn by lot,
    scaled up by the share that it lacks, so that the mean over experts is the MLP and no two
    experts are alike. The router begins at random.
    """
    model = mixtral(recipe, tokenizer)
    shared = {name: weight for name, weight in dense.state_dict().items() if ".mlp." not in name}
    missing, unexpected = model.load_state_dict(shared, strict=False)
    assert not unexpected and all(".mlp." in name for name in missing)
    for old, new in zip(dense.model.layers, model.model.layers):
        experts = new.mlp.experts
        for e in range(EXPERTS):
            mine = torch.randperm(dense.config.intermediate_size)[: model.config.intermediate_size]
            experts.gate_up_proj[e] = torch.cat(
                (old.mlp.gate_proj.weight[mine], old.mlp.up_proj.weight[mine])
            )  # (2 I, H)
            experts.down_proj[e] = (
                old.mlp.down_proj.weight[:, mine] * dense.config.intermediate_size / len(mine)
            )  # (H, I)
    return model


def _common(recipe: LanguageRecipe, tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": recipe.width,
        "num_hidden_layers": recipe.layers,
        "num_attention_heads": recipe.heads,
        "num_key_value_heads": recipe.heads // 2,
        "max_position_embeddings": recipe.positions,
        "initializer_range": 0.06,
        "tie_word_embeddings": True,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
