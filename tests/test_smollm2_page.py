"""The page at /smollm2/ says what PyTorch says: a small Llama of random weights at every layer and
module, and the real one once; keyboard, errors, and no request to another host.
"""

import os
import random

import numpy as np
import onnxruntime_web
import pytest
import serve
import torch
from browsers import axe_faults, opened, press, said
from model_in_page import in_torch
from test_chapters import ROOT
from test_serve import serving
from transformers import LlamaConfig, LlamaForCausalLM

from svdicl_lite.clipping.clip import clipped
from svdicl_lite.clipping.svd import rank_at
from svdicl_lite.models import smollm2
from svdicl_lite.models.loading import load_model

ANSWERED = "[aria-busy=false] [data-share]"
START = {
    "name": "a test",
    "words": ["neg", "pos"],
    "demonstrations": "text: great fun sentiment: pos\ntext: awful sentiment: neg\n",
    "queries": [
        [f"text: {what} sentiment:", label] for what in ("good", "bad") for label in (0, 1)
    ],
}
CLIP = {"layer": 1, "module": "mlp", "clip_rate": 0.5}
# The worker asked as the page asks it: read the prompt, choose, cut. `clips`: layer, module, rate.
ASK = """async ([tokens, clips]) => {
  const { rankAt } = await import("/smollm2/widgets/base.js");
  const worker = new Worker("/smollm2/worker.js", { type: "module" });
  const ask = (call, ...args) => new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => {
      if ("error" in data) reject(new Error(data.error));
      if ("value" in data) resolve(data.value);
    };
    worker.postMessage({ id: 0, call, args });
  });
  await ask("load", await (await fetch("/smollm2/start.json")).json());
  const found = [[...await ask("read", tokens)]];
  for (const [layer, module, rate] of clips) {
    const ranks = (await ask("choose", layer, module)).map((k) => [k, rankAt(k, rate)]);
    found.push([...await ask("again", Object.fromEntries(ranks))]);
  }
  worker.terminate();
  return found;
}"""


@pytest.fixture(scope="module")
def runtime():
    """onnxruntime-web, from the cache or npm. Without it the tests skip, and under CI fail."""
    try:
        return onnxruntime_web.fetch()
    except OSError as error:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(str(error))


def llama(tokenizer, **change):
    """A random Llama of odd sizes: two query heads a key head, an MLP narrower than the rest."""
    torch.manual_seed(0)
    small = {
        "vocab_size": len(tokenizer),
        "hidden_size": 48,
        "intermediate_size": 36,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "initializer_range": 0.2,
        "tie_word_embeddings": True,
        "rope_parameters": {"rope_type": "default", "rope_theta": 500.0},
    }
    return LlamaForCausalLM(LlamaConfig(**small | change)).eval()


@pytest.fixture(scope="module")
def small():
    tokenizer = load_model("icl-gpt2")[1]
    model = llama(tokenizer)
    return serve.Live(model, tokenizer, [START], CLIP, 1)


@pytest.fixture(scope="module")
def address(small, runtime, site):
    with serving(lambda: small, site) as address:
        yield f"{address}/smollm2/"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """What the page takes from the book: letters and a picture for its tab."""
    static = tmp_path_factory.mktemp("site") / "_static"
    static.mkdir()
    for file in (*(ROOT / "book/assets").iterdir(), ROOT / "book/_ext/vendor"):
        (static / file.name).symlink_to(file)
    return static.parent


def in_page(browser, address, tokens, clips):
    """The logits (1 + clips, vocabulary) that the worker finds."""
    with opened(browser, f"{address}page.css") as page:
        found = np.array(page.evaluate(ASK, [tokens, clips]))
        assert page.faults == []
    return found


def test_the_page_s_logits_are_pytorch_s_whatever_is_clipped(browser, address, small):
    tokens = random.Random(0).choices(range(small.model.config.vocab_size), k=23)
    clips = [
        (layer, module, rate)
        for layer in range(3)
        for module in small.modules
        for rate in (0.1, 0.75, 1)
    ]
    assert small.modules == ["mlp", "attn", "all", "q", "k", "v", "o", "gate", "up", "fc_out"]
    found = in_page(browser, address, tokens, clips)
    differences = [np.abs(found[0] - in_torch(small.model, [tokens])[0]).max()]
    for clip, logits in zip(clips, found[1:]):
        with clipped(small.model, *clip):
            differences.append(np.abs(logits - in_torch(small.model, [tokens])[0]).max())
    assert max(differences) < 1e-3 < np.ptp(found[0])
    moved = np.abs(found[1:] - found[0]).max(1)
    assert (moved > 1e-2).all()  # every clip changes what is said


def test_embeddings_wider_than_the_heads_and_one_layer_alone(browser, runtime):
    """The first block is the last one here, and heads are together wider than what they read."""
    tokenizer = load_model("icl-gpt2")[1]
    model = llama(tokenizer, num_hidden_layers=1, head_dim=20, num_key_value_heads=1)
    live, clips = (
        serve.Live(model, tokenizer, [START], CLIP, 0),
        [(0, "attn", 0.5), (0, "mlp", 0.9)],
    )
    with serving(lambda: live) as address:
        found = in_page(browser, f"{address}/smollm2/", [5, 4, 3], clips)
    for clip, logits in zip([None, *clips], found):
        with clipped(model, *(clip or (0, "all", 0))):
            assert np.abs(logits - in_torch(model, [[5, 4, 3]])[0]).max() < 1e-3


@pytest.fixture
def page(browser, address):
    with opened(browser, address) as page:
        page.wait_for_selector(ANSWERED)
        yield page
        assert page.faults == []


def shares(page):
    """(words, 2): without a clip and clipped."""
    page.wait_for_selector(ANSWERED)
    told = page.eval_on_selector_all("[data-share]", "all => all.map((one) => one.dataset.share)")
    return np.array(told, dtype=float).reshape(-1, 2)[:-1]


def in_python(live, layer, module, clip_rate, query=None):
    """The same as PyTorch has it; of the query with which the page begins, unless it is said."""
    (start,), asked = live.begins["starts"], live.begins["asked"]
    prompt = start["demonstrations"] + (query or start["queries"][asked][0])
    answers = [live.tokenizer(f" {word}")["input_ids"][0] for word in start["words"]]
    found = []
    for rate in (0, clip_rate):
        with clipped(live.model, layer, module, rate):
            logits = in_torch(live.model, [live.tokenizer(prompt)["input_ids"]])[0]
        found.append((np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum())[answers])
    return np.transpose(found)


def alike(found, expected):
    """To one in a thousand, however small they are."""
    return np.abs(np.log(found) - np.log(expected)).max() < 1e-3


def test_the_page_is_moved_by_keyboard_and_shows_what_the_clip_makes_of_the_answer(page, small):
    assert alike(shares(page), in_python(small, **CLIP))
    assert "Layer 1, MLP, ξ = 0.500 keeps 18 of 36 singular values." in page.inner_text(".cut")
    press(page, "slider", "Clip rate", "ArrowRight")
    page.wait_for_function("document.querySelector('.cut').textContent.includes('0.600')")
    assert alike(shares(page), in_python(small, 1, "mlp", 0.6))
    press(page, "combobox", "Module", "ArrowDown", "Enter")
    press(page, "combobox", "Layer", "ArrowDown", "Enter")
    page.wait_for_function("document.querySelector('.cut').textContent.startsWith('Layer 2, ATTN')")
    kept = f"keeps {rank_at(48, 0.6)} of 48 and {rank_at(24, 0.6)} of 24 singular values"
    assert kept in page.inner_text(".cut").replace("9 of 24 and 19 of 48", "19 of 48 and 9 of 24")
    assert alike(shares(page), in_python(small, 2, "attn", 0.6))
    assert page.evaluate("crossOriginIsolated")  # threads are allowed
    press(page, "button", "Reset", "Enter")
    page.wait_for_function("document.querySelector('.cut').textContent.startsWith('Layer 1, MLP')")
    assert alike(shares(page), in_python(small, **CLIP))


def test_a_typed_query_is_read_and_a_wrong_one_told(page, small):
    first = shares(page)
    page.locator("summary", has_text="Edit").press("Enter")
    page.get_by_label("Query", exact=True).fill("text: a masterpiece sentiment:")
    page.wait_for_function(
        "was => +document.querySelector('[data-share]').dataset.share !== was", arg=first[0, 0]
    )
    query = "text: a masterpiece sentiment:"
    assert alike(shares(page), in_python(small, **CLIP, query=query))
    assert not alike(shares(page), first)
    page.get_by_label("Label words").fill("neg")
    page.wait_for_function("document.querySelector('.says').textContent.startsWith('Name two')")
    assert page.locator("[data-share]").count() == 0


def test_the_address_keeps_what_was_moved(browser, address, small):
    asked = "?smollm2.layer=0&smollm2.module=o&smollm2.clip_rate=0.9"
    with opened(browser, f"{address}{asked}", width=390, theme="dark") as page:
        assert alike(shares(page), in_python(small, 0, "o", 0.9))
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        assert axe_faults(page) == [] and page.faults == []


def test_what_the_server_lacks_is_said_in_the_page(browser, runtime, tmp_path, monkeypatch):
    monkeypatch.setenv("SVDICL_CACHE", str(tmp_path))
    serve.smollm2_live.cache_clear()
    with serving(serve.smollm2_live) as address:
        for command in (onnxruntime_web.HERE, "python -m svdicl_lite.models smollm2-135m"):
            with opened(browser, f"{address}/smollm2/") as page:
                page.get_by_role("alert").wait_for()
                assert f"`{command}`" in page.inner_text("[role=alert]")
            monkeypatch.setattr(onnxruntime_web, "folder", lambda: runtime)


@pytest.fixture(scope="module")
def real():
    if not smollm2.is_here() and not os.environ.get("CI"):
        pytest.skip("smollm2-135m is not in the cache")
    return serve.smollm2_live()


def test_the_real_model_in_the_page_is_pytorch_s_and_its_first_review_is_turned(
    browser, runtime, real, site
):
    with serving(lambda: real, site) as address, opened(browser, f"{address}/smollm2/") as page:
        page.set_default_timeout(120_000)
        found = shares(page)
        assert alike(found, in_python(real, **serve.BEST))
        label = real.begins["starts"][0]["queries"][serve.TURNED][1]
        assert found[:, 0].argmax() != label == found[:, 1].argmax()
        assert said(page) == "negative → positive; by these demonstrations positive is right."
        texts = ["In 1972, 3½ stars (२ of ⅷ)!", "<|im_start|>  x\n\n y's 𝟗", "漢字 🏳️‍🌈 ok99", ""]
        cut = page.evaluate(
            """async (texts) => {
              const { Tokenizer } = await import("/smollm2/widgets/bpe.js");
              const { vocabulary } = await (await fetch("/smollm2/start.json")).json();
              const tokenizer = new Tokenizer(vocabulary);
              return texts.map((text) => tokenizer.encode(text));
            }""",
            texts,
        )
        assert cut == real.tokenizer(texts)["input_ids"] and page.faults == []
