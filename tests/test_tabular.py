from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn import datasets

from svdicl_lite.tasks.worlds import tables
from svdicl_lite.tasks.worlds.tables import (
    CLASSES,
    COLUMNS,
    SETS,
    draw_tables,
    fit_columns,
    prompts,
)
from svdicl_lite.training import tabular
from svdicl_lite.training.tabular import (
    RECIPE,
    TableAnswers,
    TableClassifier,
    in_context,
    judge,
    nearest_neighbour,
)

TINY = replace(RECIPE, layers=1, width=16, heads=2, batch=4, shots=(8, 12), queries=3, steps=2)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return TableClassifier(TINY).eval()


def draw(recipe, generator):
    return draw_tables(recipe.batch, recipe.shots, recipe.queries, recipe.label_noise, generator)


def table(n=9, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, n, COLUMNS, generator=generator), torch.randint(
        CLASSES, (2, n), generator=generator
    )


@torch.no_grad()
def test_the_order_of_demonstrations_and_the_other_queries_do_not_matter(model):
    rows, labels = table()
    shots = labels[:, :6]
    plain = model(rows, shots)
    assert plain.shape == (2, 3, CLASSES)
    order = torch.tensor([3, 1, 5, 0, 4, 2])
    torch.testing.assert_close(
        model(torch.cat((rows[:, order], rows[:, 6:]), 1), shots[:, order]),
        plain,
        rtol=0,
        atol=1e-5,
    )
    for i in range(3):
        alone = model(torch.cat((rows[:, :6], rows[:, 6 + i : 7 + i]), 1), shots)
        torch.testing.assert_close(alone[:, 0], plain[:, i], rtol=0, atol=1e-5)


@torch.no_grad()
def test_every_demonstration_and_every_label_matters(model):
    rows, labels = table()
    shots = labels[:, :6]
    plain = model(rows, shots)
    for i in range(6):
        moved, renamed = rows.clone(), shots.clone()
        moved[:, i] += 1
        renamed[:, i] = (renamed[:, i] + 1) % CLASSES
        for scores in (model(moved, shots), model(rows, renamed)):
            assert ((scores - plain).abs().amax(-1) > 1e-5).all()


def test_drawn_tables_have_the_shape_of_the_recipe_and_classes_that_columns_tell():
    generator, right, guessed, most, shapes = torch.Generator().manual_seed(0), 0, 0, 0, set()
    for _ in range(80):
        rows, labels = draw(RECIPE, generator)
        shots = labels.shape[1] - RECIPE.queries
        assert rows.shape == (*labels.shape, COLUMNS) and len(rows) == RECIPE.batch
        assert (
            RECIPE.shots[0] <= shots <= RECIPE.shots[1]
            and rows.isfinite().all()
            and rows.abs().max() <= 5 * COLUMNS**0.5
        )
        used = int((rows != 0).any(1).any(0).sum())
        assert 2 <= used <= COLUMNS and (rows[..., used:] == 0).all()
        assert labels.min() >= 0 and labels.max() < CLASSES
        shapes.add((shots, used))
        for table_rows, names in zip(rows[:3].numpy(), labels[:3].numpy()):
            right += (
                nearest_neighbour(table_rows[:shots], names[:shots], table_rows[shots:])
                == names[shots:]
            ).sum()
            most += (np.bincount(names[:shots]).argmax() == names[shots:]).sum()
            guessed += RECIPE.queries
    assert len(shapes) > 60
    assert right / guessed > most / guessed + 0.1  # 3,840 queries: a standard error is below 0.01


def test_all_four_generators_are_drawn(monkeypatch):
    seen, generator = set(), torch.Generator().manual_seed(0)

    def noted(name, draw_one):
        return lambda *arguments: seen.add(name) or draw_one(*arguments)

    for name in ("_clusters", "_network", "_tree"):
        monkeypatch.setattr(tables, name, noted(name, getattr(tables, name)))
    for _ in range(40):
        draw(TINY, generator)
    assert seen == {"_clusters", "_network", "_tree"}


def test_columns_are_standardised_by_the_demonstrations_alone():
    rows = (
        torch.randn(2, 20, 4, generator=torch.Generator().manual_seed(0))
        * torch.tensor([1.0, 10, 100, 1000])
        + 7
    )
    fitted = fit_columns(rows, 15)
    assert fitted.shape == (2, 20, COLUMNS) and (fitted[..., 4:] == 0).all()
    torch.testing.assert_close(fitted[:, :15, :4].mean(1), torch.zeros(2, 4), rtol=0, atol=1e-5)
    torch.testing.assert_close(
        fitted[:, :15, :4].std(1), torch.full((2, 4), 2.0), rtol=0, atol=1e-4
    )  # √(16/4): a row is as long as with all columns
    other = rows.clone()
    other[:, 15:] += 5
    assert torch.equal(fit_columns(other, 15)[:, :15], fitted[:, :15])


@pytest.mark.parametrize("name", SETS)
def test_real_prompts_are_balanced_and_ask_no_row_twice_nor_one_that_was_shown(name):
    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    test, validation = prompts(name), prompts(name, "validation")
    assert sum(len(prompt.labels) for prompt in test) == len(y) - 2 * len(y) // 5
    assert all(len(prompt.labels) == 2 * len(y) // 5 - 40 for prompt in validation)
    for one, other in zip(test, validation):
        np.testing.assert_array_equal(
            one.shots, other.shots
        )  # the same demonstrations for both splits
        counts = np.bincount(one.shot_labels)
        assert len(one.shots) == 40 and counts.max() - counts.min() <= 1
        assert one.shots.shape[1] == one.queries.shape[1] == COLUMNS
        if name != "iris":  # which holds equal rows
            assert not {row.tobytes() for row in one.shots} & {
                row.tobytes() for row in other.queries
            }
    assert not np.array_equal(test[0].shots, test[1].shots)


def test_a_wide_table_is_projected_on_the_principal_components_of_its_demonstrations():
    asked = prompts("digits")[0]
    correlations = np.corrcoef(asked.shots.T)
    assert np.abs(correlations - np.eye(COLUMNS)).max() < 1e-4


def test_bad_questions_are_refused():
    with pytest.raises(
        ValueError, match="there is no table 'adult'; there are iris, wine, breast_cancer, digits"
    ):
        prompts("adult")
    with pytest.raises(ValueError, match="split is 'train', but must be validation or test"):
        prompts("iris", "train")
    for n_shots in (2, 60):
        with pytest.raises(
            ValueError,
            match=f"n_shots is {n_shots}, but iris needs at least 3, one a class, and has 60 rows",
        ):
            prompts("iris", n_shots=n_shots)


def test_the_module_needs_scikit_learn_only_for_real_tables(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sklearn", None)
    draw(TINY, torch.Generator().manual_seed(0))
    with pytest.raises(ImportError, match="not installed; pip install scikit-learn"):
        prompts("iris")


def test_a_class_that_was_not_shown_is_never_the_answer(model):
    asked = prompts("digits")[0]
    answers = in_context(model)(
        asked.shots, asked.shot_labels // 4 * 3, asked.queries
    )  # 0, 3 and 6
    assert {*answers.tolist()} <= {0, 3, 6} and answers.shape == asked.labels.shape


def test_outcomes_join_the_prompts_in_order():
    asked = prompts("wine")
    outcome = judge(lambda shots, shot_labels, queries: np.full(len(queries), 1), asked)
    labels = np.concatenate([prompt.labels for prompt in asked])
    assert outcome.n == len(labels) == 107 and outcome.accuracy == (labels == 1).mean()
    assert TableAnswers(np.array([1, 2]), np.array([1, 1])).correct.tolist() == [True, False]


def test_training_moves_every_weight_and_the_same_seed_gives_the_same(monkeypatch):
    monkeypatch.setattr(tabular, "SETS", ("iris",))
    torch.manual_seed(TINY.seed)
    untrained = TableClassifier(TINY).state_dict()
    (one, made), (other, _), (third, _) = (
        tabular.train(recipe) for recipe in (TINY, TINY, replace(TINY, seed=1))
    )
    one, other, third = (trained.state_dict() for trained in (one, other, third))
    # the word that nobody reads keeps its vector; a key's bias adds the same to all scores of a
    # softmax
    assert {name for name in one if torch.equal(one[name], untrained[name])} == {
        "transformer.wte.weight"
    }
    assert all(torch.equal(one[name], other[name]) for name in one) and not torch.equal(
        one["read_row.weight"], third["read_row.weight"]
    )
    assert [row["step"] for row in made["curve"]] == [2] and "iris" in made["curve"][0]
