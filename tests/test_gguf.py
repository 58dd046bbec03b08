"""GGUF files: converted exactly, with the tokenizer that they describe, or refused by their reason.

The files are made here, a Llama of two layers; the real one is read where it is in the cache.
"""

import os

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter, dequantize, quantize
from noise_cases import noise_table
from tokenizers import Regex, Tokenizer, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM

from svdicl_lite.models import gguf, quantisation, smollm2
from svdicl_lite.models.checks import PROBES
from svdicl_lite.models.loading import load_model
from svdicl_lite.models.quantisation import noise_floor, rounding_noise

LETTERS = sorted(pre_tokenizers.ByteLevel.alphabet())
MERGES = ["Ġ Ġ", "Ġ a", "n d", "Ġa nd"]
TOKENS = ["<|end|>", *LETTERS, *(merge.replace(" ", "") for merge in MERGES)]
NAMES = {
    "q_proj": "attn_q", "k_proj": "attn_k", "v_proj": "attn_v", "o_proj": "attn_output",
    "gate_proj": "ffn_gate", "up_proj": "ffn_up", "down_proj": "ffn_down",
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
}  # fmt: skip
SIZES = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2}


def tiny_llama():
    torch.manual_seed(0)
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "tie_word_embeddings": True}
    return LlamaForCausalLM(LlamaConfig(vocab_size=len(TOKENS), **SIZES, **heads)).eval()


def gguf_name(name):
    if name == "model.embed_tokens.weight":
        return "token_embd.weight"
    if name == "model.norm.weight":
        return "output_norm.weight"
    _, _, layer, *path, _ = name.split(".")
    return f"blk.{layer}.{NAMES[path[-1]]}.weight"


def permuted(name, weight, config):
    """llama.cpp keeps the rows of queries and keys in the order of interleaved rotary positions."""
    if not name.endswith(("q_proj.weight", "k_proj.weight")):
        return weight
    heads = config.num_attention_heads if "q_proj" in name else config.num_key_value_heads
    rows = weight.reshape(heads, 2, weight.shape[0] // heads // 2, weight.shape[1])
    return rows.swapaxes(1, 2).reshape(weight.shape)


def write_gguf(file, model=None, architecture="llama", pre="smollm", **said):
    """A GGUF file of `model`; matrices in four bits, norms in float32."""
    model = tiny_llama() if model is None else model
    config, writer = model.config, GGUFWriter(file, architecture)
    writer.add_name("tiny")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(128)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_dimension_count(config.hidden_size // config.num_attention_heads)
    writer.add_rope_freq_base(10_000.0)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(len(TOKENS))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(TOKENS)
    writer.add_token_types([3] + [1] * (len(TOKENS) - 1))
    writer.add_token_merges(MERGES)
    writer.add_eos_token_id(0)
    writer.add_bos_token_id(0)
    for key, value in said.items():
        key = key.replace("__", ".")
        if isinstance(value, int):
            writer.add_uint32(key, value)
        else:
            writer.add_string(key, value)
    for name, parameter in model.named_parameters():
        weight = permuted(name, parameter.detach().numpy(), config)
        kind = GGMLQuantizationType.Q4_1 if weight.ndim == 2 else GGMLQuantizationType.F32
        data = np.ascontiguousarray(weight)
        if weight.ndim == 2:
            data = quantize(data, kind)
        writer.add_tensor(gguf_name(name), data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("SVDICL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return write_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


def test_a_file_is_a_model_with_exactly_the_numbers_that_its_blocks_stand_for(root, file):
    model, _ = load_model(str(file))
    stored = {tensor.name: tensor for tensor in GGUFReader(file).tensors}
    assert model.dtype == torch.float32 and len(stored) == len(list(model.parameters()))
    for name, parameter in model.named_parameters():
        tensor = stored[gguf_name(name)]
        exact = dequantize(tensor.data, tensor.tensor_type)
        found = permuted(name, parameter.detach().numpy(), model.config)
        assert np.array_equal(found, exact), name


def test_it_computes_what_the_model_behind_it_computes_but_for_four_bits(root, file):
    model, tokenizer = load_model(str(file))
    tokens = tokenizer("and 12 and", return_tensors="pt")["input_ids"]
    whole = tiny_llama()
    with torch.no_grad():
        there, here = whole(tokens).logits, model(tokens).logits
        stored = model.state_dict()
        whole.load_state_dict(stored)
        same = whole(tokens).logits
    assert torch.allclose(here, same, atol=1e-5) and not torch.equal(there, here)
    assert torch.nn.functional.cosine_similarity(there, here, dim=-1).min() > 0.9


def test_it_is_converted_once_and_known_by_what_is_in_it(root, file, tmp_path, monkeypatch):
    first = gguf.gguf_folder(file)
    other = tmp_path / "elsewhere.gguf"
    other.write_bytes(file.read_bytes())
    monkeypatch.setattr(gguf, "convert", lambda *_: pytest.fail("converted again"))
    assert gguf.gguf_folder(other) == first
    assert [path.name for path in root.iterdir() if path.is_dir()] == [first.name]


def test_the_tokenizer_has_the_tokens_of_the_file_and_no_others(root, file):
    model, tokenizer = load_model(str(file))
    assert sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().get) == TOKENS
    assert tokenizer("<|end|>")["input_ids"] == [0] and tokenizer.eos_token == "<|end|>"
    assert max(tokenizer("<|endoftext|>")["input_ids"]) < model.config.vocab_size


def test_digits_are_cut_singly_where_the_file_says_so_and_as_gpt2_does_elsewhere(root, tmp_path):
    text = "a  7 and 12"
    _, smollm = load_model(str(write_gguf(tmp_path / "smollm.gguf", pre="smollm")))
    _, gpt2 = load_model(str(write_gguf(tmp_path / "gpt2.gguf", pre="gpt-2")))
    pieces = [
        tokenizer.convert_ids_to_tokens(tokenizer(text)["input_ids"])
        for tokenizer in (smollm, gpt2)
    ]
    assert pieces[0] == ["a", "ĠĠ", "7", "Ġand", "Ġ", "1", "2"]
    assert pieces[1] == ["a", "Ġ", "Ġ", "7", "Ġand", "Ġ", "1", "2"]


@pytest.mark.parametrize(
    ("said", "match"),
    [
        ({"architecture": "rwkv7"}, "'rwkv7', which transformers does not read from GGUF"),
        ({"architecture": "bert"}, "holds a bert, which is no decoder"),
        ({"pre": "brand-new"}, "by the rule 'brand-new', which transformers does not know"),
        ({"general__type": "adapter"}, "holds a adapter, not a model"),
        ({"split__count": 3}, "is one of 3 parts; join them"),
        ({"llama__rope__scaling__type": "yarn"}, "stretches its rotary positions"),
    ],
)
def test_what_cannot_be_read_rightly_is_refused_by_its_reason(root, tmp_path, said, match):
    file = write_gguf(tmp_path / "tiny.gguf", **said)
    with pytest.raises(ValueError, match=match) as caught:
        load_model(str(file))
    assert "\n" not in str(caught.value) and "damaged" not in str(caught.value)
    assert not root.exists()


@pytest.mark.parametrize("keep", [0.02, 0.5, 0.95])
def test_a_file_that_was_cut_is_called_damaged_and_nothing_is_kept(root, tmp_path, file, keep):
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(file.read_bytes()[: int(file.stat().st_size * keep)])
    with pytest.raises(ValueError, match="cut.gguf is damaged or .*fetch it again"):
        load_model(str(cut))
    assert not root.exists() or not [path for path in root.iterdir() if path.is_dir()]


def test_something_else_by_that_name_is_called_so(root, tmp_path):
    (tmp_path / "page.gguf").write_text("<html>502 Bad Gateway</html>")
    with pytest.raises(ValueError, match="page.gguf is damaged or no GGUF file"):
        load_model(str(tmp_path / "page.gguf"))


def test_a_file_that_is_not_there_is_told(root):
    with pytest.raises(OSError, match="there is no file 'nothing.gguf'"):
        load_model("nothing.gguf")


def test_a_folder_of_gguf_files_names_one(root, tmp_path, file):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "tiny.gguf").write_bytes(file.read_bytes())
    with pytest.raises(ValueError, match="holds GGUF files; name one of them, as in .*tiny.gguf"):
        load_model(str(tmp_path / "models"))


def test_rounding_noise_of_blocks_is_uniform_over_their_steps(file):
    table = rounding_noise(file)
    assert len(table) == 2 * 7 and set(table["layer"]) == {0, 1}
    weights = tiny_llama().state_dict()
    for row in table.itertuples():
        tensor = next(t for t in GGUFReader(file).tensors if t.name == row.tensor)
        name = next(name for name in weights if gguf_name(name) == row.tensor)
        error = dequantize(tensor.data, tensor.tensor_type) - permuted(
            name, weights[name].numpy(), tiny_llama().config
        )
        # 6,144 errors at the least: their deviation is known to one part in a hundred
        assert row.noise == pytest.approx(error.std(), rel=0.05), row.tensor


def test_the_noise_floor_is_the_largest_singular_value_of_noise_of_that_size():
    rng = np.random.default_rng(0)
    for m, n in ((200, 200), (150, 600)):
        noise = rng.normal(0, 0.02, (m, n))
        top = np.linalg.svd(noise, compute_uv=False)[0]
        assert noise_floor(m, n, 0.02)[1] == pytest.approx(top, rel=0.05)


def test_kinds_of_block_whose_step_is_not_plain_are_named():
    class Tensor:
        name = "blk.0.attn_q.weight"

    with pytest.raises(ValueError, match="blk.0.attn_q.weight is stored as Q4_K, whose steps"):
        quantisation._deviation(Tensor, "Q4_K")


@pytest.fixture(scope="module")
def smollm():
    """The real model, where it is in the cache; in CI it must be."""
    if not smollm2.is_here() and not os.environ.get("CI"):
        pytest.skip("smollm2-135m is not in the cache: `python -m svdicl_lite.models` fetches it")
    return load_model("smollm2-135m")


def test_smollm2_has_the_numbers_of_its_file_and_knows_paris(smollm):
    model, tokenizer = smollm
    assert sum(parameter.numel() for parameter in model.parameters()) == 134_515_008
    prompt = tokenizer("The capital of France is", return_tensors="pt")["input_ids"]
    with torch.no_grad():
        assert tokenizer.decode(model(prompt).logits[0, -1].argmax()) == " Paris"
    stored = {tensor.name: tensor for tensor in GGUFReader(smollm2.gguf_file()).tensors}
    for name in ("model.embed_tokens.weight", "model.layers.14.mlp.down_proj.weight"):
        tensor = stored[gguf_name(name)]
        assert np.array_equal(
            model.get_parameter(name).detach().numpy(), dequantize(tensor.data, tensor.tensor_type)
        )


def test_smollm2_cuts_as_llama_cpp_does(smollm):
    _, tokenizer = smollm
    rule = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
    described = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    described.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\p{N}"), "isolated"),
            pre_tokenizers.Split(Regex(rule), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    for text in (*PROBES, "2 + 2  = 4", "a ½ cup, x² ", "in  1995's   7 days\n\n 3\t4"):
        assert tokenizer(text)["input_ids"] == described.encode(text).ids, text


def test_smollm2_has_square_matrices_whose_least_singular_values_are_the_quantisers(smollm):
    model, _ = smollm
    table = noise_table(model, smollm2.gguf_file()).set_index(["layer", "role"])
    square, mlp = table.loc[(24, "o")], table.loc[(14, "fc_out")]
    assert square["sigma_min"] < square["noise_high"] / 100 and square["below"] > 0.1
    assert mlp["below"] == 0 and mlp["above_noise"] == mlp["condition_number"]
