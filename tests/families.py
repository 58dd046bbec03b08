"""Tiny random models of many families, three layers deep, made offline: `build("llama")`."""

import torch
from transformers import AutoConfig, AutoModelForCausalLM

WIDE, INNER, HEADS, KV_HEADS, LAYERS, VOCAB = 32, 48, 4, 2, 3, 64

LLAMA = dict(
    hidden_size=WIDE,
    intermediate_size=INNER,
    num_attention_heads=HEADS,
    num_key_value_heads=KV_HEADS,
    num_hidden_layers=LAYERS,
)
NEOX = dict(
    hidden_size=WIDE, intermediate_size=INNER, num_attention_heads=HEADS, num_hidden_layers=LAYERS
)
GPT = dict(n_embd=WIDE, n_inner=INNER, n_head=HEADS, n_layer=LAYERS, n_positions=256)
MOE = dict(
    LLAMA, moe_intermediate_size=24, num_experts=4, num_experts_per_tok=2, decoder_sparse_step=1
)
FALCON = dict(
    hidden_size=WIDE,
    ffn_hidden_size=INNER,
    num_attention_heads=HEADS,
    num_hidden_layers=LAYERS,
    bias=True,
)

# The families that the package promises, some in more than one layout: name → (model type, its
# settings).
FAMILIES = {
    "gpt2": ("gpt2", GPT),
    "gptj": ("gptj", dict(GPT, rotary_dim=4)),
    "gpt_neo": ("gpt_neo", dict(
        hidden_size=WIDE, intermediate_size=INNER, num_heads=HEADS, num_layers=LAYERS,
        attention_types=[[["global", "local", "global"], 1]],
        window_size=8, max_position_embeddings=256,
    )),
    "gpt_neox": ("gpt_neox", NEOX),
    "opt": ("opt", dict(
        hidden_size=WIDE, word_embed_proj_dim=WIDE, ffn_dim=INNER, num_attention_heads=HEADS,
        num_hidden_layers=LAYERS, max_position_embeddings=256,
    )),
    "bloom": ("bloom", dict(hidden_size=WIDE, n_head=HEADS, n_layer=LAYERS)),
    "falcon": ("falcon", dict(FALCON, new_decoder_architecture=False, multi_query=True)),
    "falcon-new": ("falcon", dict(FALCON, new_decoder_architecture=True, num_kv_heads=KV_HEADS)),
    "falcon-alibi": ("falcon", dict(
        FALCON, new_decoder_architecture=False, multi_query=False, alibi=True, parallel_attn=False,
    )),
    "llama": ("llama", LLAMA),
    "mistral": ("mistral", dict(LLAMA, sliding_window=None)),
    "qwen2": ("qwen2", LLAMA),
    "qwen3": ("qwen3", dict(LLAMA, head_dim=12)),
    "gemma2": ("gemma2", dict(LLAMA, head_dim=12, sliding_window=256)),
    "phi": ("phi", NEOX),
    "phi3": ("phi3", LLAMA),
    "olmo2": ("olmo2", LLAMA),
    "mixtral": ("mixtral", dict(LLAMA, num_local_experts=4)),
    "qwen2_moe": ("qwen2_moe", dict(MOE, shared_expert_intermediate_size=40)),
    "qwen3_moe": ("qwen3_moe", dict(MOE, head_dim=12)),
}  # fmt: skip

# Found by the names of their layers alone, or by a layout that came for nothing.
OTHERS = {
    "stablelm": ("stablelm", LLAMA),
    "starcoder2": ("starcoder2", LLAMA),
    "granite": ("granite", LLAMA),
    "cohere": ("cohere", LLAMA),
    "nemotron": ("nemotron", LLAMA),
    "codegen": ("codegen", dict(GPT, rotary_dim=4)),
    "gpt_bigcode": ("gpt_bigcode", dict(GPT, multi_query=True)),
    "gpt_bigcode-heads": ("gpt_bigcode", dict(GPT, multi_query=False)),
    "mpt": ("mpt", dict(d_model=WIDE, n_heads=HEADS, n_layers=LAYERS, expansion_ratio=2)),
    "gpt_oss": ("gpt_oss", dict(LLAMA, head_dim=8, num_local_experts=4, num_experts_per_tok=2)),
}  # fmt: skip

# Their attention cannot be told: q, k and v in a layout that no table lists, compressed into other
# matrices, or gated within q.
UNKNOWN = {
    "persimmon": ("persimmon", NEOX),
    "deepseek_v3": ("deepseek_v3", dict(
        LLAMA, moe_intermediate_size=24, n_routed_experts=4, num_experts_per_tok=2, n_group=1,
        topk_group=1, first_k_dense_replace=1,
        kv_lora_rank=8, q_lora_rank=8, qk_rope_head_dim=4, qk_nope_head_dim=4, v_head_dim=8,
    )),
    "qwen3_next": ("qwen3_next", dict(
        MOE, head_dim=8, shared_expert_intermediate_size=24,
        layer_types=["full_attention"] * LAYERS,
    )),
}  # fmt: skip

# Their replays and scores need care: attention hands its bias on, a mixture returns all its tokens
# in one row.
ODD = {
    "gpt_neox_japanese": ("gpt_neox_japanese", NEOX),
    "llama4": ("llama4_text", dict(LLAMA, intermediate_size_mlp=INNER, num_local_experts=2)),
}

# They keep no keys and values, or not in every layer.
WITHOUT_KEYS = {
    "openai-gpt": ("openai-gpt", dict(n_embd=WIDE, n_head=HEADS, n_layer=LAYERS, n_positions=256)),
    "xlnet": ("xlnet", dict(d_model=WIDE, n_layer=LAYERS, n_head=HEADS, d_inner=INNER)),
    "mamba": ("mamba", dict(hidden_size=WIDE, num_hidden_layers=LAYERS)),
    "recurrent_gemma": (
        "recurrent_gemma",
        dict(LLAMA, head_dim=8, lru_width=WIDE, attention_window_size=64),
    ),
    "lfm2": ("lfm2", dict(LLAMA, layer_types=["conv", "full_attention", "full_attention"])),
}


def build(name: str, seed: int = 0):
    """The model `name`, random: norms, biases and routers too, so that forgetting one shows; no
    dropout, evaluation mode.
    """
    model_type, settings = {**FAMILIES, **OTHERS, **UNKNOWN, **ODD, **WITHOUT_KEYS}[name]
    config = AutoConfig.for_model(
        model_type, vocab_size=VOCAB, bos_token_id=0, eos_token_id=0, pad_token_id=None, **settings
    )
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for _, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            (
                parameter.add_(noise, alpha=0.1)
                if parameter.ndim == 1
                else parameter.copy_(noise * 0.2)
            )
    return model
