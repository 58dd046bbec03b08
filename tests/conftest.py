"""What tests share: a browser, the tokenizer, the tasks, and a random GPT-2 too small to wait
for.
"""

import copy
import hashlib
from pathlib import Path

import pytest
import torch
from browsers import chromium
from hypothesis import settings
from transformers import GPT2Config, GPT2LMHeadModel

from svdicl_lite.tasks.loading import load_task
from svdicl_lite.training.tokenizer import train_tokenizer

torch.set_num_threads(1)  # on matrices this small a second thread only costs
settings.register_profile("unit", deadline=None, derandomize=True, database=None, max_examples=50)
settings.load_profile("unit")


# The files that take longest, longest first, but what needs the built book behind what does not:
# one process builds it in the meantime. What is left at the end is short, so that no process is
# still busy when the others are idle.
LONG = """assignments_book assignments_grading claims workers cheats assignments_gradescope
    shipped_models assignments gguf widget_model widgets recall replay journal_killed cli_stopped
    browser styles browser_more live_widget rooms pages book""".split()
# In these each test may run in any process, because it shares with the others nothing that is dear.
APART = ["browser", "styles"]


def pytest_collection_modifyitems(items):
    places = {f"test_{name}.py": place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


def scope(nodeid):
    """What runs in one process: a file, whose fixtures are then made once; or one test."""
    file = nodeid.partition("::")[0]
    return nodeid if Path(file).stem.removeprefix("test_") in APART else file


@pytest.hookimpl(optionalhook=True)  # only pytest-xdist knows it
def pytest_xdist_make_scheduler(config, log):
    from xdist.scheduler import LoadScopeScheduling

    config.option.loadscopereorder = False  # the order above, not that of the number of tests
    scheduler = LoadScopeScheduling(config, log)
    scheduler._split_scope = scope
    return scheduler


@pytest.fixture(scope="module")
def browser():
    """Chromium, anew for each file: as long as it is open, Playwright's event loop runs, and beside
    it no other can (nbclient's, say).
    """
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def tokenizer():
    return train_tokenizer()


@pytest.fixture(scope="session")
def pristine_model(tokenizer):
    """3 layers × 32 wide × 2 heads, random; for tests that only read, or that put back what they
    change.

    Weights are drawn wider than usual (0.2), so that different prompts get clearly different
    scores, and biases are not zero, so that a forgotten bias shows.
    """
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=512,
        n_embd=32,
        n_layer=3,
        n_head=2,
        initializer_range=0.2,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    model = GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(std=0.3)
    return model


@pytest.fixture
def model(pristine_model):
    """A copy to do anything with."""
    return copy.deepcopy(pristine_model)


@pytest.fixture(scope="session")
def tiny(pristine_model, tokenizer, tmp_path_factory):
    """The folder of that model and its tokenizer, as `from_pretrained` wants them."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    pristine_model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def sentiment():
    return load_task("sentiment")


@pytest.fixture(scope="session")
def topic():
    return load_task("topic")


@pytest.fixture(scope="session")
def fingerprint():
    """Name → digest of the bytes of every parameter and buffer: equal only if every bit is, NaN and
    −0 included.
    """

    def of(model) -> dict[str, str]:
        tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
        return {
            name: (
                hashlib.sha256(
                    t.detach().cpu().flatten().view(torch.uint8).numpy().tobytes()
                ).hexdigest()
            )
            for name, t in tensors.items()
        }

    return of
