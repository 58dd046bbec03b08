// Ask SmolLM2: what *Ask the clipped model* is in the book, with a real model in a worker.

import { controls, listed, softmax, TOP } from "./widgets/ask_clipped.js";
import { bars, fold, verdict } from "./widgets/ask_picture.js";
import { drawn, frame, h, percent, rankAt, says } from "./widgets/base.js";
import { Tokenizer } from "./widgets/bpe.js";
import { among, kept, textOf, whole, within } from "./widgets/kept.js";
import { MODULE_NAMES, placeOf, promptOf, wordsOf } from "./widgets/prompts.js";

const place = document.querySelector("main");

// The state of the page, with what anywidget calls a model's methods: the widgets' own controls move it.
function state(values) {
  const listeners = {};
  return {
    inPage: true,
    get: (name) => values[name],
    set(name, value) {
      if (values[name] === value) return;
      values[name] = value;
      listeners[name]?.forEach((listener) => listener());
    },
    save_changes() {},
    on: (event, listener) => (listeners[event.replace("change:", "")] ??= []).push(listener),
  };
}

// call(name, args, tell): a promise of what the worker's model answers.
function inWorker() {
  const worker = new Worker("worker.js", { type: "module" }), asked = [];
  worker.onmessage = ({ data: { id, share, value, error } }) => {
    const { resolve, reject, tell } = asked[id];
    if (share !== undefined) tell?.(share);
    else if (error !== undefined) reject(new Error(error));
    else resolve(value);
  };
  worker.onerror = () => asked.forEach(({ reject }) => reject(new Error("The model’s worker could not be started; load this page again.")));
  return (call, args, tell) => new Promise((resolve, reject) => worker.postMessage({ id: asked.push({ resolve, reject, tell }) - 1, call, args }));
}

async function fetched(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(await response.text());
  return response;
}

async function begin() {
  await fetched("ort/ort.wasm.min.mjs"); // the worker needs it, and could not say what the server says if it is not there
  const config = await (await fetched("start.json")).json(), { starts } = config, [start] = starts;
  const names = config.modules.map((name) => [name, MODULE_NAMES[name] ?? name]);
  const model = state({ ...config.clip, demonstrations: start.demonstrations, query: start.queries[config.asked][0], label_words: start.words.join(", ") });
  const stored = kept(model, "smollm2", {
    layer: whole(0, config.layers - 1), module: among(config.modules), clip_rate: within(0, 1),
    demonstrations: textOf(8000), query: textOf(2000), label_words: textOf(200),
  });
  const { short, rate, places, edit, current } = controls(model, config, starts, names);
  const result = says(), cut = h("p", { class: "cut" }), table = h("table", { class: "told" }), likely = h("p", { class: "likely" });
  const node = frame(place, "Ask SmolLM2: a model of 135 million weights that runs in this page",
    h("div", { class: "ask" }, short, rate, cut, table, result), places, h("div", { class: "folds" }, edit, fold("Most likely tokens", likely)));
  let data = [["token", "no_clip", "clipped"]];
  stored.bar(node, () => data);

  const ask = inWorker(), tokenizer = new Tokenizer(config.vocabulary);
  const shown = (token) => tokenizer.text(token).trim() || tokenizer.text(token).replace(/\n/g, "⏎").replace(/ /g, "␣");
  const right = () => wordsOf(model.get("label_words"))[current()?.queries.find(([text]) => text === model.get("query"))?.[1]];
  const doing = (what) => (share) => { cut.textContent = `${what}: ${percent(share, 0)}`; };

  const show = ({ words, answers }, uncut, logits, took) => {
    const both = [softmax(uncut), softmax(logits)];
    const shares = both.map((all) => answers.map((token) => all[token])).map((some) => [...some, Math.max(0, 1 - some.reduce((a, b) => a + b))]);
    data = [data[0], ...[...words, "any other token"].map((word, i) => [word, shares[0][i], shares[1][i]])];
    table.replaceChildren(...bars(words, shares, right()));
    const leading = both.map((all) => all.map((share, token) => [share, token]).sort(([a], [b]) => b - a).slice(0, TOP));
    likely.replaceChildren("Without a clip: ", ...listed(leading[0], { answers }, shown), "; clipped: ", ...listed(leading[1], { answers }, shown), ".");
    cut.textContent = took;
    const [[, top]] = leading[1];
    result.say(verdict(words, shares, right(), answers.includes(top) ? null : shown(top)), took);
  };

  // One answer at a time; what was moved meanwhile is looked at when it is here, so that no answer overtakes a later one.
  let prompt = null, uncut = null, busy = true, again = false;
  const answer = async () => {
    const text = ["demonstrations", "query", "label_words"].map((name) => model.get(name));
    if (prompt?.text !== text.join("\n")) {
      prompt = { ...promptOf(tokenizer, config.positions, ...text), text: text.join("\n") };
      uncut = await ask("read", [prompt.tokens], doing(`Reading ${prompt.tokens.length} tokens`));
    }
    const [layer, module, clip_rate] = ["layer", "module", "clip_rate"].map((name) => model.get(name));
    const slow = setTimeout(() => { cut.textContent = `Factoring layer ${layer} …`; }, 300);
    const sizes = await ask("choose", [layer, module]).finally(() => clearTimeout(slow));
    const begun = performance.now(), ranks = Object.fromEntries(sizes.map((k) => [k, rankAt(k, clip_rate)]));
    const logits = clip_rate ? await ask("again", [ranks]) : uncut;
    const keeps = clip_rate ? `ξ = ${clip_rate.toFixed(3)} keeps ${Object.entries(ranks).map(([k, rank]) => `${rank} of ${k}`).join(" and ")} singular values` : "ξ = 0 changes nothing";
    const seconds = performance.now() - begun;
    node.dataset.milliseconds = seconds.toFixed(0);
    show(prompt, uncut, logits, `${placeOf(layer, module)}, ${keeps}. ${clip_rate ? `Computed in this page in ${(seconds / 1000).toFixed(1)} s.` : ""}`);
  };
  const update = async () => {
    if (busy) return void (again = true);
    busy = true;
    node.setAttribute("aria-busy", "true");
    do {
      again = false;
      await answer().catch((error) => {
        prompt = null;
        for (const part of [table, likely, cut]) part.replaceChildren();
        result.say(error.message);
      });
    } while (again);
    busy = false;
    node.setAttribute("aria-busy", "false");
  };
  drawn(model, ["layer", "module", "clip_rate"], update);
  let typing;
  for (const name of ["demonstrations", "query", "label_words"]) model.on(`change:${name}`, () => { clearTimeout(typing); typing = setTimeout(update, 300); });
  table.replaceChildren(...bars(wordsOf(model.get("label_words")), null, right()));
  result.say("…");
  const coming = doing("The model is on its way");
  coming(0);
  await ask("load", [config], coming);
  busy = false;
  await update();
}

begin().catch((error) => {
  place.append(h("p", { role: "alert" }, error.message));
});
