"""The GPT-2 that runs in the page says what PyTorch says: its tokenizer, its logits, its clips, in
a real browser.
"""

import base64
import random

import model_in_page
import numpy as np
import pytest
import torch
from model_in_page import in_torch
from transformers import GPT2Config, GPT2LMHeadModel

from svdicl_lite.clipping.clip import clipped
from svdicl_lite.models.loading import load_model
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.tasks.loading import load_task
from svdicl_lite.tasks.task import ARBITRARY_WORDS, LABEL_SETTINGS
from svdicl_lite.tasks.worlds import grammar
from svdicl_lite.widgets.base import script
from svdicl_lite.widgets.packed_gpt2 import (
    packed_model,
    packed_tokenizer,
    weights_of,
    whole_numbers,
)

# Fixtures: pytest looks for their names here.
shipped = model_in_page.shipped
CODE = (
    script("ask_clipped") + "\nexport { Tokenizer, GPT2, factors, thinned, rankAt, rolesOf };"
)  # what the widget runs, opened for the test
RUN = """async ({ code, config, weights, prompts, clips }) => {
  const page = await import(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
  const bytes = Uint8Array.from(atob(weights), (letter) => letter.charCodeAt(0));
  const unpacked = await page.unpacked(new DataView(bytes.buffer), config.shapes);
  const model = new page.GPT2(config, unpacked);
  const read = prompts.map((tokens) => model.read(tokens)), said = [];
  for (const [prompt, layer, module, rate] of clips) {
    const thin = {};
    for (const role of page.rolesOf(module)) {
      const found = await page.factors(model.blocks[layer][role], () => null);
      thin[role] = page.thinned(found, page.rankAt(found.k, rate));
    }
    said.push([...model.again(read[prompt], layer, module, thin)]);
  }
  return [read.map(({ logits }) => [...logits]), said];
}"""


@pytest.fixture(scope="module")
def page(browser):
    return browser.new_page()


def prompts_of(model, tokenizer, n):
    """`n` prompts of eight demonstrations, from two tasks and all label settings."""
    found = []
    for task in ("sentiment", "topic"):
        for setting in LABEL_SETTINGS:
            evaluator = ICLEvaluator(
                model,
                tokenizer,
                load_task(task, setting),
                "test",
                max(4, -(-n // 6)),
                8,
                (0, 1, 2, 3),
            )
            found += [prompt for group in evaluator.groups for prompt in group.contexts]
    return found[:n]


def in_page(page, model, prompts, clips=()):
    """The logits of the last position in the page (prompts, vocabulary), and those of each of
    `clips`, (prompt, layer, module, rate).
    """
    config, weights = packed_model(model)
    told = {
        "code": CODE,
        "config": config,
        "weights": base64.b64encode(weights).decode(),
        "prompts": prompts,
        "clips": clips,
    }
    return [np.array(part) for part in page.evaluate(RUN, told)]


def test_the_page_tokenises_as_the_tokenizer_does(page, shipped):
    tokenizer, rng = shipped[1], random.Random(0)
    odd = "abc XYZ 019'.,!?\n\t\r éßΩ漢字\U0001f600\u2028\u0085\ufeff\u200b\u1680ǅ²Ⅷ٣’-_<|>"
    texts = [
        "",
        " ",
        "  a",
        "a  ",
        "don't we'LL they're I'd",
        "<|endoftext|>",
        "a<|endoftext|> b",
        "<|endoftext",
        "\n\n text:  x",
        "🏳️‍🌈",
    ]
    texts += ["".join(rng.choice(odd) for _ in range(rng.randrange(1, 40))) for _ in range(400)]
    texts += [
        f"text: {grammar.draw(rng, 'test').text} sentiment: {rng.choice(ARBITRARY_WORDS)}\n"
        for _ in range(200)
    ]
    told = {"code": CODE, "vocabulary": packed_tokenizer(tokenizer), "texts": texts}
    said = page.evaluate(
        """async ({ code, vocabulary, texts }) => {
          const file = new Blob([code], { type: "text/javascript" });
          const { Tokenizer } = await import(URL.createObjectURL(file));
          const tokenizer = new Tokenizer(vocabulary);
          return texts.map((text) => tokenizer.encode(text));
        }""",
        told,
    )
    assert len(texts) >= 500
    assert said == tokenizer(texts)["input_ids"]


def test_the_page_s_logits_are_pytorch_s_on_100_prompts(page, shipped):
    """The page's weights are rounded to 16 bits a number, and that is nearly all of the difference:
    on the same rounded weights it is a hundred times smaller.
    """
    model, tokenizer = shipped
    prompts = prompts_of(model, tokenizer, 100)
    said, _ = in_page(page, model, prompts)
    real = np.abs(said - in_torch(model, prompts)).max()
    rounded = np.abs(said - in_torch(rounded_copy(model), prompts)).max()
    print(
        f"logits in the page: {real:.1e} from the model's, {rounded:.1e} from those of the rounded"
        " weights"
    )
    assert said.shape == (100, model.config.vocab_size)
    assert real < 1e-3
    assert rounded < 5e-5


def rounded_copy(model):
    """The model with the weights that ride in the page."""
    copy = GPT2LMHeadModel(model.config).eval()
    copy.load_state_dict(model.state_dict())
    with torch.no_grad():
        for block in copy.transformer.h:
            for holder in (block.attn.c_attn, block.attn.c_proj, block.mlp.c_fc, block.mlp.c_proj):
                holder.weight.copy_(rounded(holder.weight.T).T)
        for holder in (copy.transformer.wte, copy.transformer.wpe):
            holder.weight.copy_(rounded(holder.weight))
    return copy


def rounded(W):
    numbers, scale = whole_numbers(W.detach().numpy())
    return torch.from_numpy(numbers * scale)


def test_the_page_clips_as_the_library_does(page, shipped):
    model, tokenizer = shipped
    prompts = prompts_of(model, tokenizer, 4)
    last = model.config.n_layer - 1
    places = [
        (0, "mlp"),
        (0, "attn"),
        (1, "all"),
        (last, "mlp"),
        (last, "attn"),
        (1, "q"),
        (last, "k"),
        (0, "v"),
        (1, "o"),
        (1, "fc_in"),
        (last, "fc_out"),
    ]
    clips = [
        (i % 4, *place, rate)
        for i, (place, rate) in enumerate(
            (place, rate) for place in places for rate in (0.1, 0.5, 0.95, 1)
        )
    ]
    _, said = in_page(page, model, prompts, clips)
    for (prompt, layer, module, rate), logits in zip(clips, said):
        with clipped(model, layer, module, rate):
            assert np.abs(logits - in_torch(model, prompts[prompt : prompt + 1])[0]).max() < 1e-3, (
                layer,
                module,
                rate,
            )


def test_the_page_runs_a_gpt2_of_any_shape(page):
    """Odd sizes, a head of its own, six layers: retrained models need no other code."""
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=51,
        n_positions=40,
        n_embd=18,
        n_layer=6,
        n_head=3,
        n_inner=37,
        initializer_range=0.3,
        tie_word_embeddings=False,
        bos_token_id=0,
        eos_token_id=0,
    )
    model = GPT2LMHeadModel(config).eval()
    prompts = [[3], list(range(40)), [7, 7, 7, 50, 1]]
    clips = [(1, 2, "all", 0.5), (2, 5, "attn", 0.75)]
    said, cut = in_page(page, model, prompts, clips)
    assert np.abs(said - in_torch(model, prompts)).max() < 1e-3
    for (prompt, *clip), logits in zip(clips, cut):
        with clipped(model, *clip):
            assert np.abs(logits - in_torch(model, prompts[prompt : prompt + 1])[0]).max() < 1e-3


def test_the_weights_that_ride_in_a_page_are_at_most_3_mb(shipped):
    config, weights = packed_model(shipped[0])
    assert len(weights) <= 3e6
    entries = sum(tensor.size for tensor in weights_of(shipped[0]).values())
    assert (
        sum(np.prod(shape[1:]) for shape in config["shapes"])
        == entries
        > 0.9 * (shipped[0].num_parameters() - 256 * shipped[0].config.n_embd)
    )


@pytest.mark.parametrize(
    "change, says",
    [({"model_type": "gptj"}, "not gptj"), ({"activation_function": "relu"}, "with relu")],
)
def test_a_model_that_the_page_cannot_run_is_refused(change, says):
    model = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=5,
            n_positions=8,
            n_embd=8,
            n_layer=1,
            n_head=1,
            bos_token_id=0,
            eos_token_id=0,
        )
    )
    for name, value in change.items():
        setattr(model.config, name, value)
    with pytest.raises(ValueError, match=says):
        packed_model(model)


def test_a_tokenizer_that_is_no_byte_level_bpe_is_refused():
    with pytest.raises(ValueError, match="byte-level BPE"):
        packed_tokenizer(load_model("recall-gpt2")[1])
