import copy
import pickle
import shutil
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import families
import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2LMHeadModel

from svdicl_lite.clipping.clip import clip_
from svdicl_lite.clipping.matrices import matrices
from svdicl_lite.search import digests as files
from svdicl_lite.search import experiment as module
from svdicl_lite.search.digests import file_digest, tokenizer_digest
from svdicl_lite.search.experiment import Experiment, digests, evaluator_by, placed
from svdicl_lite.search.sweeps import sweep


@pytest.fixture
def experiment(tiny):
    return Experiment(tiny, "sentiment", n_shots=2, n_validation=6, n_test=8)


def test_an_experiment_is_names_and_numbers_that_any_process_can_have(experiment):
    assert (
        pickle.loads(pickle.dumps(experiment)) == experiment and len(pickle.dumps(experiment)) < 500
    )


def test_a_process_loads_a_model_once_and_makes_an_evaluator_once(experiment):
    validation, test = experiment.evaluator("validation"), experiment.evaluator("test")
    assert (
        validation.model is test.model is experiment.load()[0]
        and experiment.evaluator("validation") is validation
    )
    assert (len(validation.demonstration_sets), len(test.demonstration_sets)) == (
        6,
        8,
    ) and not validation.examples & test.examples


def test_auto_means_the_cpu_and_float32_where_there_is_no_gpu(experiment, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert placed() == ("cpu", "float32") and placed("cpu", "bfloat16") == ("cpu", "bfloat16")
    assert {p.dtype for p in experiment.load()[0].parameters()} == {torch.float32}
    assert {p.dtype for p in replace(experiment, dtype="bfloat16").load()[0].parameters()} == {
        torch.bfloat16
    }


def test_a_model_in_bfloat16_is_the_librarys_own_its_positions_unrounded(tokenizer, tmp_path):
    model = families.build("llama")
    model.resize_token_embeddings(len(tokenizer))  # as many as the tokenizer has
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.bfloat16)
    ours, _ = Experiment(str(tmp_path), "sentiment", dtype="bfloat16").load()
    found = dict([*ours.named_parameters(), *ours.named_buffers()])
    for name, tensor in (*theirs.named_parameters(), *theirs.named_buffers()):
        assert found[name].dtype == tensor.dtype and torch.equal(found[name], tensor), name


def test_auto_means_cuda_and_bfloat16_where_there_is_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(
        torch, "zeros", lambda *shape, device: torch.ones(shape)
    )  # a GPU that says yes
    assert placed() == ("cuda", "bfloat16") and placed("cuda:1", "float16") == ("cuda:1", "float16")


def test_workers_are_sent_what_auto_means_here_so_that_theirs_means_the_same(experiment):
    sent = experiment.evaluator("validation").experiment
    assert sent == experiment.here() and "auto" not in (sent.device, sent.dtype)


@pytest.mark.parametrize(
    "device, dtype, message",
    [
        (
            "cpu",
            "float16",
            (
                "dtype is 'float16', which a CPU has no fast arithmetic for; take float32 or"
                " bfloat16, or a CUDA device"
            ),
        ),
        ("cpu", "int8", "dtype is 'int8', but must be one of auto, float32, bfloat16, float16"),
        ("gpu", "auto", "device is 'gpu', which cannot be used here .*; take cpu, or auto"),
        ("cuda:99", "auto", "device is 'cuda:99', which cannot be used here .*; take cpu, or auto"),
    ],
)
def test_a_place_that_cannot_be_had_is_refused_in_one_sentence(experiment, device, dtype, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        replace(experiment, device=device, dtype=dtype).load()


def test_the_identity_is_the_same_in_every_process_that_means_the_same(experiment):
    identity = experiment.identity()
    module._load.cache_clear()
    assert experiment.identity() == experiment.here().identity() == identity


@pytest.mark.parametrize(
    "change",
    [
        {"task": "topic"},  # by its prompts, not by its name
        {"labels": "flipped"},
        {"seeds": (1,)},
        {"n_shots": 3},
        {"n_validation": 7},
        {"dtype": "bfloat16"},
    ],
)
def test_the_identity_differs_when_the_search_does(experiment, change):
    other, own = replace(experiment, **change).identity(), experiment.identity()
    assert other != own and all(
        (other[digest] != own[digest]) == moved
        for digest, moved in (("weights", "dtype" in change), ("prompts", "dtype" not in change))
    )


def test_the_identity_does_not_feel_the_test_set_by_which_nothing_is_chosen(experiment):
    assert (
        replace(experiment, n_test=10**9).identity() == experiment.identity()
    )  # more than there are: no such evaluator can be made


def test_one_weight_is_enough_to_make_another_identity(experiment):
    before = experiment.identity()
    weight = matrices(experiment.load()[0], 2, "v")[0].weight
    old = weight[3, 4].clone()
    weight[3, 4] += 1e-6
    after = experiment.identity()
    weight[3, 4] = old
    assert {name for name in before if before[name] != after[name]} == {
        "weights"
    } and experiment.identity() == before


def test_a_model_with_a_single_number_among_its_buffers_has_an_identity(experiment):
    loaded = experiment.load()[0]
    loaded.register_buffer("alone", torch.tensor(1.0))
    one = experiment.identity()
    loaded.alone += 1
    assert experiment.identity()["weights"] != one["weights"]
    del loaded.alone


def test_the_identity_holds_no_name_so_the_same_files_elsewhere_are_the_same_search(
    experiment, tmp_path
):
    shutil.copytree(experiment.model, tmp_path / "elsewhere")
    moved = replace(experiment, model=str(tmp_path / "elsewhere"))
    assert moved.identity() == experiment.identity()
    assert not {"model", "task", "n_test"} & set(experiment.identity())


def test_the_identity_holds_the_config_the_tokenizer_and_the_versions(experiment, tmp_path):
    before = experiment.identity()
    assert before["torch"] == torch.__version__ and {"svdicl_lite", "transformers"} <= set(before)
    model, tokenizer = GPT2LMHeadModel.from_pretrained(experiment.model), AutoTokenizer
    model.config.layer_norm_epsilon = 1e-3  # no weight says so
    model.save_pretrained(tmp_path)
    tokenizer.from_pretrained(experiment.model).save_pretrained(tmp_path)
    other = replace(experiment, model=str(tmp_path)).identity()
    assert {name for name in before if before[name] != other[name]} == {"config"}
    changed = tokenizer.from_pretrained(experiment.model)
    changed.add_special_tokens({"pad_token": "<unused>"})  # in no prompt
    assert tokenizer_digest(changed) != before["tokenizer"]
    changed = tokenizer.from_pretrained(experiment.model)
    changed("a pos neg", truncation=True, max_length=2)
    assert tokenizer_digest(changed) == before["tokenizer"]  # whoever calls it leaves traces


def test_another_model_in_the_same_folder_is_another_model(experiment, tmp_path):
    shutil.copytree(experiment.model, tmp_path / "m")
    named = replace(experiment, model=str(tmp_path / "m"))
    first, identity = named.evaluator("validation"), named.identity()
    assert named.evaluator("validation") is first
    model = copy.deepcopy(first.model)
    with torch.no_grad():
        matrices(model, 0, "v")[0].weight.neg_()
    model.save_pretrained(tmp_path / "m")
    second = named.evaluator("validation")
    assert second.model is named.load()[0] is not first.model
    assert not np.array_equal(second().scores, first().scores)
    assert named.identity()["weights"] != identity["weights"]


@pytest.mark.parametrize("which", ["reviews.csv", "mine.toml"])
def test_an_edited_task_is_another_task(experiment, tmp_path, which):
    rows = [f"the film is {'dull' if i % 2 else 'fine'} {i},{i % 2}" for i in range(400)]
    (tmp_path / "reviews.csv").write_text("\n".join(["text,label", *rows]))
    (tmp_path / "mine.toml").write_text(
        'template = "text: {text} sentiment: {label}"\ndata = "reviews.csv"\n'
        '[label_words]\n0 = "neg"\n1 = "pos"\n'
    )
    named = replace(experiment, task=str(tmp_path / "mine.toml"))
    first = named.evaluator("validation")
    assert named.evaluator("validation") is first and named.load_task() is named.load_task()
    (tmp_path / which).write_text((tmp_path / which).read_text().replace("text: ", "read: "))
    (tmp_path / which).write_text((tmp_path / which).read_text().replace("fine", "good"))
    second = named.evaluator("validation")
    assert second is not first and second.digest != first.digest and second.model is first.model


def test_a_worker_that_has_another_model_or_other_prompts_refuses(experiment):
    evaluator = experiment.evaluator("validation")
    wanted = digests(evaluator)
    assert evaluator_by(experiment, "validation", wanted) is evaluator
    for name in wanted:
        with pytest.raises(ValueError, match=f"^a worker's {name} are not the caller's, though"):
            evaluator_by(experiment, "validation", wanted | {name: "0" * 16})


def test_a_model_that_was_changed_by_hand_is_not_what_workers_have(experiment):
    """They would judge what the files hold, and say so of the one in hand."""
    evaluator = experiment.evaluator("validation")
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        clip_(evaluator.model, 1, "mlp", 0.9)
        module._load.cache_clear()
        with pytest.raises(ValueError, match="a worker's weights are not the caller's"):
            sweep(evaluator.model, evaluator, (1,), ("mlp",), (0, 0.5), map=pool.map)


def test_a_file_just_written_is_read_again_and_an_old_one_is_remembered(tmp_path, monkeypatch):
    path, read = tmp_path / "f", []
    path.write_text("one")
    monkeypatch.setattr(files, "_read", lambda path: read.append(path) or path.read_text())
    assert [file_digest(path), file_digest(path)] == ["one", "one"] and len(read) == 2
    monkeypatch.setattr(files, "SECONDS_TO_SETTLE", -1)  # as if it had lain for long
    assert [file_digest(path), file_digest(path)] == ["one", "one"] and len(read) == 3
    path.write_text("two")
    assert file_digest(path) == "two"
