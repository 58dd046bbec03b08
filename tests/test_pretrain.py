import random

import pytest
import torch
from small_recipe import PHASE
from torch import nn

from svdicl_lite.tasks.grammar_tasks import TASKS
from svdicl_lite.tasks.worlds import grammar
from svdicl_lite.training import documents, language
from svdicl_lite.training.architectures import new_model
from svdicl_lite.training.documents import draw_batch
from svdicl_lite.training.language import train
from svdicl_lite.training.recipes import RECIPES, LanguageRecipe, Phase
from svdicl_lite.training.tokenizer import train_tokenizer

RECIPE = LanguageRecipe(phases=(PHASE,), layers=1, width=16, heads=2, positions=128)


@pytest.fixture
def small_steps(monkeypatch):
    monkeypatch.setattr(documents, "TOKENS_PER_STEP", 360)


def trained(recipe, tokenizer):
    model = new_model(recipe, tokenizer)
    return model, train(model, tokenizer, recipe)["curve"]


def test_three_steps_run_and_change_every_weight(tokenizer, small_steps):
    untrained, model, probed = new_model(RECIPE, tokenizer), new_model(RECIPE, tokenizer), []

    def probe():
        probed.append(model.training)
        return {"probe": 0.25}

    curve = train(model, tokenizer, RECIPE, probe)["curve"]
    assert [row["step"] for row in curve] == [3] and curve[0]["probe"] == 0.25 and probed == [False]
    assert not model.training
    same = [
        name
        for (name, p), q in zip(model.named_parameters(), untrained.parameters())
        if torch.equal(p, q)
    ]
    assert same == []
    assert all(torch.isfinite(p).all() for p in model.parameters())


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(
    tokenizer, small_steps, fingerprint
):
    one, curve = trained(RECIPE, tokenizer)
    torch.manual_seed(99)
    random.seed(99)
    other, other_curve = trained(RECIPE, tokenizer)
    assert fingerprint(one) == fingerprint(other) and curve == other_curve
    third, _ = trained(
        LanguageRecipe(phases=(PHASE,), layers=1, width=16, heads=2, positions=128, seed=1),
        tokenizer,
    )
    assert fingerprint(third) != fingerprint(one)


def test_phases_follow_each_other(tokenizer, small_steps, monkeypatch):
    second = Phase(2, shots=(1,), canonical=1, flipped=0, kinds=("plain",))
    seen = []
    monkeypatch.setattr(
        language,
        "draw_batch",
        lambda rng, phase, tokenizer: seen.append(phase) or draw_batch(rng, phase, tokenizer),
    )
    trained(
        LanguageRecipe(phases=(PHASE, second), layers=1, width=16, heads=2, positions=128),
        tokenizer,
    )
    assert seen == [PHASE] * 3 + [second] * 2


def test_the_curve_has_a_row_every_so_many_steps_and_one_at_the_end(
    tokenizer, small_steps, monkeypatch
):
    monkeypatch.setattr(language, "PROBE_EVERY", 2)
    _, curve = trained(
        LanguageRecipe(phases=(PHASE, PHASE), layers=1, width=16, heads=2, positions=128), tokenizer
    )
    assert [row["step"] for row in curve] == [2, 4, 6]
    _, curve = trained(RECIPE, tokenizer)
    assert [row["step"] for row in curve] == [2, 3]


@torch.no_grad()
def mean_label_loss(model, tokenizer, phase, seed, steps):
    rng, losses = random.Random(seed), []
    for _ in range(steps):
        tokens, weights = draw_batch(rng, phase, tokenizer)
        loss = nn.functional.cross_entropy(
            model(tokens).logits[:, :-1].transpose(1, 2), tokens[:, 1:], reduction="none"
        )
        losses.append(loss[weights[:, 1:] == 1].mean())
    return torch.stack(losses).mean().item()


def test_the_reported_loss_is_the_mean_cross_entropy_of_the_labels(
    tokenizer, small_steps, fingerprint
):
    frozen = Phase(3, shots=(0, 2), canonical=0.5, flipped=0.2, kinds=("short",), learning_rate=0.0)
    recipe = LanguageRecipe(phases=(frozen,), layers=1, width=16, heads=2, positions=128)
    untrained = new_model(recipe, tokenizer)
    model, curve = trained(recipe, tokenizer)
    assert fingerprint(model) == fingerprint(
        untrained
    )  # a rate of 0 learns nothing, so every step saw this model
    # bfloat16 rounds each logit of size 1 or so at 0.004; a mean over many labels errs by less
    assert curve[0]["label_loss"] == pytest.approx(
        mean_label_loss(untrained, tokenizer, frozen, recipe.seed, 3), abs=0.004
    )


def test_training_learns(tokenizer, monkeypatch):
    monkeypatch.setattr(documents, "TOKENS_PER_STEP", 600)
    phase = Phase(40, shots=(2,), canonical=1, flipped=0, kinds=("short",), learning_rate=5e-2)
    recipe = LanguageRecipe(phases=(phase,), layers=1, width=16, heads=2, positions=128)
    untrained, (model, _) = new_model(recipe, tokenizer), trained(recipe, tokenizer)
    before, after = (
        mean_label_loss(m, tokenizer, phase, seed=9, steps=4) for m in (untrained, model)
    )
    # Untrained it knows nothing of some 1400 tokens: ln 1400 = 7.2. Knowing the six label words is
    # ln 6 = 1.8.
    assert before > 6 and after < 3


def test_a_new_model_has_the_shape_of_its_recipe_and_positions_that_are_sinusoids(tokenizer):
    model = new_model(
        LanguageRecipe(phases=(), layers=2, width=16, heads=4, positions=64), tokenizer
    )
    config = model.config
    assert (
        config.n_layer,
        config.n_embd,
        config.n_head,
        config.n_positions,
        config.vocab_size,
    ) == (2, 16, 4, 64, len(tokenizer))
    wpe = model.transformer.wpe.weight.detach()
    # The dot product of two sinusoid embeddings depends on their distance only, 64 terms of float32
    # of size 0.0036.
    gram = wpe @ wpe.T
    torch.testing.assert_close(gram[1:, 1:], gram[:-1, :-1], rtol=0, atol=1e-6)
    assert gram[0, 0] > gram[0, 1] > gram[0, 3] > 0


@pytest.mark.parametrize("name", RECIPES)
def test_the_longest_document_of_a_recipe_fits_its_positions(tokenizer, name):
    recipe = RECIPES[name]
    longest = max(len(form.split()) for forms in grammar.FORMS.values() for form in forms)
    frame = (
        max(
            len(tokenizer(task.template.format(text="", label=""))["input_ids"])
            for task in TASKS.values()
        )
        + 2
    )
    assert (
        max(max(phase.shots) + 1 for phase in recipe.phases) * (longest + frame) <= recipe.positions
    )
    for phase in recipe.phases:
        assert 0 <= phase.canonical + phase.flipped <= 1 and {*phase.kinds} <= {*grammar.FORMS}


def test_recipes_start_from_recipes():
    assert all(recipe.start_from in {None, *RECIPES} for recipe in RECIPES.values())


def test_the_tokenizer_gives_every_text_back(tokenizer):
    for text in (
        "text: the coach was kind sentiment: pos\n",
        "Ünïcode 語 \t and   spaces ",
        "never-seen words & (signs)",
    ):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_the_tokenizer_is_the_same_each_time(tokenizer):
    assert train_tokenizer().get_vocab() == tokenizer.get_vocab()
