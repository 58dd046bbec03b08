"""`make serve`: the built book, and beside it /smollm2/, where the real model runs in the page.

python book/_ext/serve.py SITE [PORT]

The book needs no server. That page does: half a gigabyte of weights from the cache, block by block,
the factors of what is clipped, and two headers without which a browser gives WebAssembly no
threads. The server hands out files; all that the model says is computed in the page.
"""

import json
import sys
import threading
import webbrowser
from contextlib import suppress
from functools import cached_property, lru_cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import onnxruntime_web

HERE = Path(__file__).parent
PAGE = "/smollm2/"
ISOLATED = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}
N_SHOTS, N_QUERIES = 8, 50
# Where the page begins: of all clips of movies_depth.toml the one that is best for movie reviews on
# validation, and a review of validation that it turns from wrong to right. (Tests ask both anew.)
BEST = {"layer": 18, "module": "mlp", "clip_rate": 0.75}
TURNED = 11


class Live:
    """What the page is given of a Llama and of prompts to start from: an answer for each path.

    It begins with `clip` (layer, module, clip_rate) and the first prompt's query number `asked`.
    """

    def __init__(self, model, tokenizer, starts: list[dict], clip: dict, asked: int):
        from llama_block import check_llama

        check_llama(model)
        self.model, self.tokenizer = model, tokenizer
        self.begins = {"starts": starts, "clip": clip, "asked": asked}
        self.factors = lru_cache(8)(self._factors)  # 30 MB a module in double precision

    def answer(self, path: str) -> bytes | None:
        """start.json, words, norm, blocks/LAYER or clips/LAYER/MODULE; None for any other path."""
        from llama_block import block, clipped_block

        kind, *of = path.split("/")
        n_layers = self.model.config.num_hidden_layers
        if of and not (of[0].isdecimal() and int(of[0]) < n_layers):
            return None
        if (kind, len(of)) == ("blocks", 1):
            return block(self.model, int(of[0]))
        if (kind, len(of)) == ("clips", 2) and of[1] in self.modules:
            return clipped_block(self.model, int(of[0]), self.factors(int(of[0]), of[1]))
        return {"start.json": self.start, "words": self.words, "norm": self.norm}.get(path)

    @property
    def modules(self) -> list[str]:
        """What can be clipped: modules, then single matrices."""
        from svdicl_lite.clipping.matrices import matrices

        return ["mlp", "attn", "all", *(matrix.role for matrix in matrices(self.model, 0))]

    @cached_property
    def start(self) -> bytes:
        """The model's shape, its vocabulary, and where the page begins."""
        from svdicl_lite.widgets.packed_gpt2 import packed_tokenizer

        config, rotary = self.model.config, self.model.model.rotary_emb
        told = {
            "layers": config.num_hidden_layers,
            "width": config.hidden_size,
            "epsilon": config.rms_norm_eps,
            "frequencies": rotary.inv_freq.tolist(),
            "positions": 1024,  # of 8,192: what is read in the page within ten seconds
            "vocabulary": packed_tokenizer(self.tokenizer),
            "modules": self.modules,
            **self.begins,
        }
        return json.dumps(told).encode()

    @cached_property
    def words(self) -> bytes:
        """The embeddings (vocabulary, d), which are the output head, too."""
        return self.model.get_output_embeddings().weight.detach().float().numpy().tobytes()

    @cached_property
    def norm(self) -> bytes:
        """The weight of the last norm (d,)."""
        return self.model.model.norm.weight.detach().float().numpy().tobytes()

    def _factors(self, layer: int, module: str) -> dict:
        from svdicl_lite.clipping.clip import Clip

        clip = Clip(self.model, layer, module)
        return {matrix.role: found for matrix, found in zip(clip.matrices, clip.factors)}


@lru_cache
def smollm2_live() -> Live:
    """SmolLM2-135M on movie reviews. Raises OSError, with the way out, if the cache lacks it."""
    from svdicl_lite.models import smollm2
    from svdicl_lite.models.loading import load_model

    if not smollm2.is_here():
        raise OSError(
            "SmolLM2-135M is not in the cache; `python -m svdicl_lite.models smollm2-135m` fetches"
            " it (93 MB)"
        )
    return Live(*load_model(smollm2.NAME), [movies()], BEST, TURNED)


def movies() -> dict:
    """A prompt of eight demonstrations, and reviews of validation that may follow it."""
    from svdicl_lite.scoring.prompts import draw_demonstrations, render
    from svdicl_lite.tasks.loading import load_task

    task = load_task("movies")
    words = task.words()
    shown = draw_demonstrations(task, N_SHOTS, seed=0)
    reviews = task.splits["validation"].select(range(N_QUERIES))
    return {
        "name": "movie reviews",
        "words": list(words),
        "demonstrations": "".join(render(task, one, words[one["label"]]) for one in shown),
        "queries": [[render(task, one), one["label"]] for one in reviews],
    }


class Handler(SimpleHTTPRequestHandler):
    """The site, and the page of the model `live()`."""

    protocol_version = "HTTP/1.1"
    lock = threading.Lock()  # one thread loads and factors, the others wait for what it has found

    def __init__(self, *args, live=smollm2_live, **kwargs):
        self.live = live
        super().__init__(*args, **kwargs)

    def do_GET(self):
        path = urlsplit(self.path).path
        if f"{path}/" == PAGE:
            return self.answer(301, b"", "text/plain", Location=PAGE)
        if not path.startswith(PAGE):
            return super().do_GET()
        try:
            body = self.content(path.removeprefix(PAGE) or "index.html")
        except (OSError, ValueError) as error:
            return self.answer(503, str(error).encode(), "text/plain; charset=utf-8")
        if body is None:
            return self.answer(404, b"there is no such file", "text/plain")
        self.answer(200, body, self.guess_type(path if path != PAGE else "index.html"))

    def content(self, path: str) -> bytes | None:
        """A file of the page's, from the folder that has it, or what only the model knows."""
        folder, _, name = path.rpartition("/")
        if folder in ("", "widgets", "ort"):
            where = {"": HERE / "live", "widgets": HERE.parents[1] / "svdicl_lite/widgets"}
            files = where[folder] if folder in where else onnxruntime_web.folder()
            if name in {file.name for file in files.iterdir() if file.is_file()}:
                return (files / name).read_bytes()
        with self.lock:
            return self.live().answer(path)

    def answer(self, status: int, body: bytes, kind: str, **more: str) -> None:
        headers = {"Content-Type": kind, "Content-Length": str(len(body)), **ISOLATED, **more}
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        with suppress(ConnectionError):  # the page was left, or loaded anew
            self.end_headers()
            self.wfile.write(body)


def main(site: str, port: int = 8000) -> None:
    try:
        server = ThreadingHTTPServer(("localhost", port), partial(Handler, directory=site))
    except OSError as error:
        sys.exit(f"port {port} cannot be used ({error.strerror}); make serve PORT={port + 1}")
    address = f"http://localhost:{port}/"
    print(f"The book is at {address}, SmolLM2 at {address.rstrip('/')}{PAGE}   (Ctrl-C ends it)")
    threading.Timer(0.5, webbrowser.open, [address]).start()
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print()


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:3]))
