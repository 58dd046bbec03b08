"""How long *Ask the clipped model* takes from a movement of its slider to the picture of it, by
layer and module; and to show itself at first.

Medians and the slowest of 15 movements on the first prompt, in Chromium, the page opened from a
folder. The aim is 150 ms.
"""

import statistics
import sys
import tempfile
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from browsers import chromium, opened, static_page

from svdicl_lite.models.loading import load_model
from svdicl_lite.widgets import AskClippedModel

MOVE = """async (number) => {
  const slider = document.querySelector("input[type=range]");
  slider.value = 2 + number; // the stop
  const painted = (resume) => () => requestAnimationFrame(() => setTimeout(resume));
  const drawn = new Promise((resume) => new MutationObserver(painted(resume))
    .observe(document.querySelector(".told"), { childList: true }));
  const start = performance.now();
  slider.dispatchEvent(new Event("input", { bubbles: true }));
  await drawn; // a task behind the frame in which it was painted
  return performance.now() - start;
}"""

model, tokenizer = load_model(sys.argv[1] if len(sys.argv) > 1 else "icl-gpt2-noisy")
with tempfile.TemporaryDirectory() as folder, chromium() as browser:
    url = static_page(AskClippedModel(model, tokenizer), Path(folder))
    with opened(browser, url) as page:
        page.wait_for_selector(".told td")
        page.evaluate("document.querySelector('.more').open = true")
        ready = page.evaluate("performance.now()")
        print(
            f"answers {ready / 1000:.1f} s after the page was asked for;"
            f" {page.locator('summary', has_text='tokens').inner_text()}"
        )
        for layer in range(model.config.n_layer):
            for module, name in (("mlp", "MLP"), ("attn", "ATTN"), ("all", "both")):
                page.get_by_role("combobox", name="Layer").select_option(str(layer))
                page.get_by_role("combobox", name="Module").select_option(module)
                page.wait_for_function(
                    f"document.querySelector('.cut').textContent.startsWith('Layer {layer},"
                    f" {name},')"
                )
                took = [page.evaluate(MOVE, number) for number in range(18)][3:]
                print(
                    f"layer {layer} {module:4}  median {statistics.median(took):4.0f} ms  slowest"
                    f" {max(took):4.0f} ms"
                )
