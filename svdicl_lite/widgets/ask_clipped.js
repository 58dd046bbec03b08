import { Tokenizer } from "./bpe.js";
import { factors, thinned } from "./factors.js";
import { GPT2, ROLES } from "./gpt2.js";
import { bars, fold, promptInShort, typed, verdict } from "./ask_picture.js";
import { heldPrompts } from "./held_prompts.js";
import { MODULE_NAMES, exchanged, knownAndUnknown, placeOf, promptOf, startOf, wordsOf } from "./prompts.js";
import { chart, choice, drawn, frame, h, newId, path, percent, rankAt, s, says, slider } from "./base.js";
import { among, kept, textOf, whole, within } from "./kept.js";

// name → numbers (matrices in a Float64Array, vectors in a Float32Array), from the bytes that ask_clipped.py packed, or a stream of them.
export async function unpacked(packed, shapes) {
  const stream = packed instanceof ReadableStream ? packed : new Blob([packed]).stream();
  const bytes = await new Response(stream.pipeThrough(new DecompressionStream("deflate"))).arrayBuffer();
  const matrices = shapes.filter((shape) => shape.length === 3), vectors = shapes.filter((shape) => shape.length === 2);
  const total = (list, size) => list.reduce((sum, shape) => sum + size(shape), 0);
  const entries = total(matrices, ([, m, n]) => m * n), floats = total(shapes, ([, m]) => m);
  const numbers = new Float32Array(bytes, 0, floats);
  const high = new Int8Array(bytes, 4 * floats, entries), low = new Uint8Array(bytes, 4 * floats + entries, entries);
  const tensors = {};
  let at = 0, entry = 0;
  for (const [name, m, n] of matrices) {
    const W = (tensors[name] = new Float64Array(m * n));
    for (let i = 0; i < m; i++, at++) for (let j = 0; j < n; j++, entry++) W[i * n + j] = numbers[at] * (256 * high[entry] + low[entry]);
  }
  for (const [name, m] of vectors) tensors[name] = numbers.slice(at, (at += m));
  return tensors;
}

export function softmax(logits) {
  const largest = logits.reduce((a, b) => Math.max(a, b));
  const powers = Array.from(logits, (logit) => Math.exp(logit - largest)), total = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / total);
}

const rolesOf = (module) => (module === "all" ? [...ROLES.attn, ...ROLES.mlp] : (ROLES[module] ?? [module]));
const pause = () => new Promise((resume) => setTimeout(resume));

const MODULES = [...Object.entries(MODULE_NAMES), "q", "k", "v", "o", "fc_in", "fc_out"];
// Where the slider stops: closer towards 1, since what a clip keeps shrinks as 1 − ξ does, and the last values matter most.
const STOPS = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, ...Array.from({ length: 10 }, (_, i) => (90 + i) / 100), 0.995, 1];
export const TOP = 4; // tokens shown beside the labels

// The controls, each tied to a trait; what is typed by the reader is replaced when another prompt is chosen.
export function controls(model, config, starts, modules = MODULES) {
  const go = (changes) => {
    for (const [name, value] of Object.entries(changes)) model.set(name, value);
    model.save_changes();
  };
  const put = (start, asked) => go({ demonstrations: start.demonstrations, query: start.queries[asked][0], label_words: start.words.join(", ") });
  const current = () => startOf(starts, model.get("demonstrations"), wordsOf(model.get("label_words")));
  const from = h("select", { id: newId(), onchange: () => put(starts[from.selectedIndex], 0) }, ...starts.map(({ name }) => h("option", {}, name.replace(" label words", ""))));
  for (const name of ["demonstrations", "label_words"]) model.on(`change:${name}`, () => { from.selectedIndex = starts.indexOf(current()); });
  from.selectedIndex = starts.indexOf(current());
  const next = () => {
    const { queries } = current() ?? starts[Math.max(0, from.selectedIndex)], at = queries.findIndex(([text]) => text === model.get("query"));
    go({ query: queries[(at + 1) % queries.length][0] });
  };
  const exchange = () => {
    const { demonstrations, words } = exchanged(model.get("demonstrations"), wordsOf(model.get("label_words")));
    go({ demonstrations, label_words: words.join(", ") });
  };
  const edit = fold("Edit the demonstrations, the query and the label words",
    typed(model, "demonstrations", "Demonstrations", "textarea", { rows: 8 }),
    typed(model, "query", "Query", "textarea", { rows: 1 }),
    typed(model, "label_words", "Label words", "input", { type: "text" }));
  const toEdit = () => {
    for (let part = edit; part; part = part.parentElement.closest("details")) part.open = true;
    edit.querySelector("textarea").focus();
  };
  const rate = slider(model, "clip_rate", { label: "Clip rate ξ", stops: STOPS, shown: (value) => value.toFixed(3) });
  const places = h("div", { class: "controls places" },
    choice(model, "layer", { label: "Layer", options: Array.from({ length: config.layers }, (_, l) => l) }),
    choice(model, "module", { label: "Module", options: modules }),
    h("div", { class: "control" }, h("label", { for: from.id }, "Prompt"), from),
    h("button", { type: "button", onclick: exchange }, "Exchange the labels"));
  return { short: promptInShort(model, toEdit, next), rate, places, edit, go, current };
}

// How much of its attention the last token gives to the demonstrations, layer by layer: a chart, since bars stand for probabilities here, and its numbers.
function attentionByLayer() {
  const picture = h("div"), rows = h("tbody");
  const node = fold("Attention to the demonstrations, by layer", h("p", {}, "From the last token, the mean of all heads."),
    h("div", { class: "panels" }, picture, h("table", { class: "looked" }, h("thead", {}, h("tr", {}, ...["layer", "no clip", "clipped"].map((text, i) =>
      h("th", { scope: "col", class: ["", "plain", "clip"][i] }, text)))), rows)));
  const show = (before, after) => {
    const layers = before.map((_, l) => l), high = Math.max(1, layers.length - 1);
    const axes = chart({ label: "Share of the last token’s attention, by layer", height: 190,
      x: { label: "layer", domain: [0, high], ticks: layers }, y: { label: "attention", domain: [0, 1], ticks: [[0, "0"], [0.5, "50 %"], [1, "100 %"]] } });
    [["plain", before], ["clip", after]].forEach(([look, shares]) => axes.plot.append(
      s("path", { class: look, d: path(axes, shares.map((share, l) => [l, share])) }),
      ...shares.map((share, l) => (look === "plain" ? s("circle", { class: look, cx: axes.x(l), cy: axes.y(share), r: 5 })
        : s("rect", { class: look, x: axes.x(l) - 3, y: axes.y(share) - 3, width: 6, height: 6 })))));
    picture.replaceChildren(axes.node);
    rows.replaceChildren(...before.map((share, l) => h("tr", {}, h("th", { scope: "row" }, String(l)), h("td", {}, percent(share)), h("td", {}, percent(after[l])))));
  };
  return { node, show, clear: () => { picture.replaceChildren(); rows.replaceChildren(); } };
}

export default {
  async render({ model, el }) {
    const config = model.get("config"), starts = model.get("starts");
    const state = kept(model, "ask-clipped", {
      layer: whole(0, config.layers - 1), module: among(MODULES.map((one) => [one].flat()[0])), clip_rate: within(0, 1),
      demonstrations: textOf(4000), query: textOf(1000), label_words: textOf(200),
    });
    const { short, rate: rateSlider, places, edit, go, current } = controls(model, config, starts);
    const result = says(), cut = h("p", { class: "cut" }), table = h("table", { class: "told" }), unknown = h("p", { class: "unknown" });
    const likely = h("p", { class: "likely" }), tokensSeen = h("p", { class: "tokens" }), looked = attentionByLayer();
    const held = heldPrompts({ pause, go });
    const reads = fold("Most likely tokens, and what the model reads", likely, held.named, tokensSeen);
    // fifty prompts, what is moved, and one of them in words; all else is one fold
    const more = fold("More: other layers, other prompts, a challenge …", places, edit, held.challenge, looked.node, reads);
    const node = frame(
      el, "Ask the clipped model: a GPT-2 that runs in this page",
      h("div", { class: "ask" }, held.node, rateSlider, cut, short, unknown, table, result), more,
    );
    let data = [["token", "no_clip", "clipped"]];
    state.bar(node, () => data, more);
    const rightWord = () => wordsOf(model.get("label_words"))[current()?.queries.find(([text]) => text === model.get("query"))?.[1]];
    // what the chapter found for where the page begins stands here until the model itself does
    const told = model.get("told") ?? {}, early = ["layer", "module", "clip_rate", "demonstrations", "query", "label_words"];
    const asked = () => Boolean(told.of) && early.every((name) => model.get(name) === told.of[name]);
    const first = () => {
      const words = wordsOf(model.get("label_words"));
      table.replaceChildren(...bars(words, asked() ? told.shares : null, rightWord()));
      result.say(asked() ? verdict(words, told.shares, rightWord()) : "…");
      held.first(asked() ? told.held : null, words);
    };
    for (const name of early) model.on(`change:${name}`, first);
    first();
    const wait = (share) => { cut.textContent = `The model is on its way: ${percent(share, 0)} is here.${asked() ? " What you see is what it says to this prompt." : ""}`; };
    const coming = model.coming?.("weights", wait); // in the book; in a notebook it is here
    if (coming) wait(0);
    else cut.textContent = "Unpacking the model …";
    await pause(); // let the page show itself first
    const gpt2 = new GPT2(config, await unpacked(coming ?? model.get("weights"), config.shapes));
    for (const name of early) model.off(`change:${name}`, first);
    const tokenizer = new Tokenizer(model.get("vocabulary"));
    const known = new Map(); // factors by layer and role, a promise each
    const factorsOf = async (layer, module) => {
      const found = {};
      for (const role of rolesOf(module)) {
        const key = `${layer} ${role}`;
        if (!known.has(key)) known.set(key, factors(gpt2.blocks[layer][role], pause));
        found[role] = await known.get(key);
      }
      return found;
    };
    const thinAt = (found, rate) => Object.fromEntries(Object.entries(found).map(([role, one]) => [role, thinned(one, rankAt(one.k, rate))]));
    held.begin({ gpt2, tokenizer, thinFor: async ({ layer, module, clip_rate }) => thinAt(await factorsOf(layer, module), clip_rate) });

    let prompt = null, uncut = null, looking, ready = null; // what is asked, what the whole model says, the factors of the chosen module
    const shown = (token) => tokenizer.text(token).trim() || tokenizer.text(token).replace(/\n/g, "⏎").replace(/ /g, "␣");
    const refuse = (sentence) => {
      prompt = null;
      clearTimeout(looking);
      looked.clear();
      held.node.classList.add("stale");
      for (const place of [table, likely, cut]) place.replaceChildren();
      result.say(sentence);
    };
    const read = () => {
      const text = model.get("query"), words = knownAndUnknown(tokenizer, text), strange = knownAndUnknown(tokenizer, `${model.get("demonstrations")} ${text}`).unknown;
      unknown.replaceChildren(...(strange.length ? ["Words that the model does not know, and reads in pieces: ",
        ...strange.slice(0, 12).flatMap((word) => [h("mark", {}, word), " "])] : []));
      try {
        prompt = promptOf(tokenizer, gpt2.positions, model.get("demonstrations"), text, model.get("label_words"));
      } catch (error) {
        return refuse(error.message);
      }
      reads.firstChild.textContent = `Most likely tokens, and the ${prompt.tokens.length} tokens that the model reads`;
      tokensSeen.replaceChildren(...prompt.tokens.map((token) => h("span", {}, tokenizer.text(token).replace(/\n/g, "⏎"))));
      if (!words.known.length) return refuse("The model knows no word of this query: whatever it answered would be the demonstrations' doing alone. Use words like those above.");
      uncut = gpt2.read(prompt.tokens);
      answer();
    };

    const answer = () => {
      if (!prompt || !ready) return;
      const { layer, module } = ready, rate = model.get("clip_rate"), thin = thinAt(ready.factors, rate);
      const logits = rate ? gpt2.again(uncut, layer, module, thin) : uncut.logits;
      const both = [softmax(uncut.logits), softmax(logits)];
      const [before, after] = both.map((all) => {
        const shares = prompt.answers.map((token) => all[token]);
        return [...shares, Math.max(0, 1 - shares.reduce((a, b) => a + b))];
      });
      data = [data[0], ...[...prompt.words, "any other token"].map((word, i) => [word, before[i], after[i]])];
      table.replaceChildren(...bars(prompt.words, [before, after], rightWord()));
      const leading = both.map((all) => all.map((share, token) => [share, token]).sort(([a], [b]) => b - a).slice(0, TOP));
      likely.replaceChildren("Most likely, without a clip: ", ...listed(leading[0], prompt, shown), "; clipped: ", ...listed(leading[1], prompt, shown), ".");
      clearTimeout(looking);
      looking = setTimeout(() => look(rate ? gpt2.givenIf(uncut, layer, module, thin) : uncut.given, rate ? { [layer]: thin } : {}), 150); // when the slider rests
      const [top] = leading[1], found = Object.values(ready.factors)[0].k;
      cut.textContent = `${placeOf(layer, module)}, ${rate ? `ξ = ${rate.toFixed(3)} keeps ${rankAt(found, rate)} of ${found} singular values` : "ξ = 0 changes nothing"}.`;
      const numbers = data.slice(1).map(([word, a, b]) => `${word} ${percent(a)} → ${percent(b)}`).join(", ");
      result.say(verdict(prompt.words, [before, after], rightWord(), prompt.answers.includes(top[1]) ? null : shown(top[1])), `${numbers}. ${cut.textContent}`);
      held.ask({ start: current(), demonstrations: model.get("demonstrations"), words: prompt.words, answers: prompt.answers, layer, module, clip_rate: rate, thin });
    };

    const look = (given, clips) => {
      const T = prompt.tokens.length, of = (t) => t < prompt.nDemonstrations;
      const [before, after] = [gpt2.shares(uncut.given, T, of), gpt2.shares(given, T, of, clips)];
      looked.show(before, after);
    };

    // Factoring a layer takes some tenths of a second, once; a slower one must not overtake the choice that came after it.
    const choose = async () => {
      const [layer, module] = [model.get("layer"), model.get("module")];
      ready = null;
      if (prompt) cut.textContent = `Factoring layer ${layer} …`;
      const found = await factorsOf(layer, module);
      if (layer !== model.get("layer") || module !== model.get("module")) return;
      ready = { layer, module, factors: found };
      answer();
    };

    // Many movements of the slider in one frame are one answer.
    let waiting = false;
    const later = () => {
      if (!waiting) requestAnimationFrame(() => { waiting = false; answer(); });
      waiting = true;
    };
    let typing;
    for (const name of ["demonstrations", "query", "label_words"])
      model.on(`change:${name}`, () => { clearTimeout(typing); typing = setTimeout(read, 150); });
    model.on("change:clip_rate", later);
    read();
    drawn(model, ["layer", "module"], choose);
  },
};

// The likeliest tokens, label words in bold.
export const listed = (leading, { answers }, shown) => leading.flatMap(([share, token], i) =>
  [i ? ", " : "", h(answers.includes(token) ? "strong" : "span", {}, shown(token)), share < 0.0005 ? " <\u00a00.1\u00a0%" : ` ${percent(share)}`]);
