"""`make serve`: the book as any server gives it, and beside it what the page at /smollm2/ needs."""

import os
import stat
import sys
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager
from functools import partial
from http.server import ThreadingHTTPServer

import pytest
from test_chapters import ROOT
from transformers import LlamaConfig, LlamaForCausalLM

sys.path.insert(0, str(ROOT / "book/_ext"))
import onnxruntime_web
import serve
from llama_block import check_llama
from onnx_file import field, number

from svdicl_lite.models import smollm2
from svdicl_lite.search.committed import outcomes


@contextmanager
def serving(live, site=ROOT):
    """The address of a server of the page with this model."""

    class Quiet(serve.Handler):
        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("localhost", 0), partial(Quiet, live=live, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://localhost:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def got(address):
    """(status, headers, body)"""
    try:
        with urllib.request.urlopen(address) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A server whose cache is empty, with a site of one page."""
    monkeypatch.setenv("SVDICL_CACHE", str(tmp_path / "cache"))
    (tmp_path / "index.html").write_text("<!doctype html><title>A book</title>")
    serve.smollm2_live.cache_clear()
    with serving(serve.smollm2_live, tmp_path) as address:
        yield address
    serve.smollm2_live.cache_clear()


def test_the_book_is_served_as_it_is_and_the_page_alone_is_isolated(bare):
    status, headers, body = got(f"{bare}/")
    assert status == 200 and body == b"<!doctype html><title>A book</title>"
    assert not headers.keys() & serve.ISOLATED.keys()
    for path, kind in {
        "": "text/html",
        "page.js": "text/javascript",
        "worker.js": "text/javascript",
        "widgets/base.css": "text/css",
        "widgets/ask_clipped.js": "text/javascript",
    }.items():
        status, headers, _ = got(f"{bare}/smollm2/{path}")
        assert (status, headers["Content-Type"]) == (200, kind), path
        assert {name: headers[name] for name in serve.ISOLATED} == serve.ISOLATED
    assert got(f"{bare}/smollm2")[2] == got(f"{bare}/smollm2/")[2]  # it leads on


def test_what_the_cache_lacks_is_said_with_the_command_that_fetches_it(bare):
    for path in ("start.json", "words", "blocks/0"):
        status, headers, body = got(f"{bare}/smollm2/{path}")
        assert status == 503 and headers["Content-Type"].startswith("text/plain")
        assert f"python -m svdicl_lite.models {smollm2.NAME}" in body.decode()
    status, _, body = got(f"{bare}/smollm2/ort/{onnxruntime_web.FILES[0]}")
    assert status == 503 and f"`{onnxruntime_web.HERE}` fetches it" in body.decode()
    assert (ROOT / onnxruntime_web.HERE.split()[1]).is_file()


def test_no_other_file_is_handed_out(bare):
    for path in (
        "serve.py",
        "../serve.py",
        "widgets/../live/page.js",
        "widgets/",
        "%2e%2e/serve.py",
    ):
        assert got(f"{bare}/smollm2/{path}")[0] in (404, 503), path


def test_npm_is_named_where_it_is_missing_or_fails(tmp_path, monkeypatch):
    monkeypatch.setenv("SVDICL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OSError, match="there is no npm here.*Node.js brings it"):
        onnxruntime_web.fetch()
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho 'no network' >&2\nexit 1\n")
    npm.chmod(npm.stat().st_mode | stat.S_IXUSR)
    with pytest.raises(OSError, match=r"npm cannot fetch onnxruntime-web .* \(no network\)"):
        onnxruntime_web.fetch()
    npm.write_text("#!/bin/sh\necho other > onnxruntime-web.tgz\n")
    with pytest.raises(ValueError, match=f"must be {onnxruntime_web.SHA256[:12]}"):
        onnxruntime_web.fetch()
    assert os.listdir(tmp_path / "cache") == [f".{onnxruntime_web.FOLDER}.lock"]


def test_a_taken_port_is_told_with_another_one(bare):
    port = int(bare.rpartition(":")[2])
    with pytest.raises(SystemExit, match=f"make serve PORT={port + 1}"):
        serve.main(".", port)


def test_numbers_and_fields_are_written_as_protobuf_has_them():
    assert (
        number(0) == b"\0"
        and number(150) == b"\x96\x01"
        and number(1 << 30) == b"\x80" * 4 + b"\x04"
    )
    assert (
        field(1, 150) == b"\x08\x96\x01" and field(2, "testing") == b"\x12\x07testing"
    )  # its manual
    assert field(1, 1.0) == b"\x0d\0\0\x80\x3f"


@pytest.mark.parametrize(
    "change",
    [
        {"attention_bias": True},
        {"hidden_act": "gelu"},
        {"tie_word_embeddings": False},
        {"rope_parameters": {"rope_type": "linear", "rope_theta": 1e4, "factor": 2.0}},
    ],
)
def test_a_model_that_the_graphs_do_not_fit_is_refused(change):
    small = {"vocab_size": 5, "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1}
    small |= {"num_attention_heads": 2, "tie_word_embeddings": True}
    check_llama(LlamaForCausalLM(LlamaConfig(**small)))
    with pytest.raises(ValueError, match="this llama is not one"):
        check_llama(LlamaForCausalLM(LlamaConfig(**small | change)))


def test_the_page_begins_with_the_best_clip_of_the_sweep_by_validation():
    table = outcomes(ROOT / "experiments/movies_depth.toml")
    clips = table[table["clip_rate"] > 0].reset_index(drop=True)
    best = clips.loc[clips["evaluation"].map(lambda one: one.accuracy).idxmax()]
    assert set(clips["split"]) == {"validation"} and set(clips["module"]) == {"mlp", "attn"}
    assert {name: best[name] for name in serve.BEST} == serve.BEST
