import { Tokenizer } from "./bpe.js";
import { factors, thinned } from "./factors.js";
import { GPT2, ROLES } from "./gpt2.js";
import { heldPrompts } from "./held_prompts.js";
import { MODULE_NAMES, exchanged, knownAndUnknown, placeOf, promptOf, startOf, wordsOf } from "./prompts.js";
import { choice, drawn, frame, h, newId, percent, rankAt, says, slider } from "./base.js";
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

// A labelled field tied to the trait `name`.
function typed(model, name, label, tag, attributes) {
  const id = newId(), field = h(tag, { id, spellcheck: "false", ...attributes });
  const update = () => field.value !== model.get(name) && (field.value = model.get(name));
  field.addEventListener("input", () => {
    model.set(name, attributes.rows === 1 ? field.value.replace(/\s*\n\s*/g, " ") : field.value);
    model.save_changes();
  });
  model.on(`change:${name}`, update);
  update();
  // A field of one line grows where its text needs more, as on a phone (base.css); what it holds stays one line.
  if (attributes.rows === 1) {
    field.addEventListener("keydown", (event) => event.key === "Enter" && event.preventDefault());
    const fit = () => {
      field.style.height = "auto";
      field.style.height = `${field.scrollHeight + field.offsetHeight - field.clientHeight}px`;
    };
    if (!CSS.supports("field-sizing", "content")) {
      model.on(`change:${name}`, fit);
      requestAnimationFrame(fit);
      addEventListener("resize", fit);
    }
  }
  return h("div", { class: "field" }, h("label", { for: id }, label), field);
}

const bar = (share, look) =>
  h("td", { "data-share": share }, h("span", { class: `bar ${look}`, style: `--share: ${share.toFixed(4)}` }), percent(share));
const heads = (...texts) => h("thead", {}, h("tr", {}, ...texts.map((text) => h("th", { scope: "col" }, text))));
const MODULES = [...Object.entries(MODULE_NAMES), "q", "k", "v", "o", "fc_in", "fc_out"];
const TOP = 4; // tokens shown beside the labels

// The controls, each tied to a trait; what is typed by the reader is replaced when another prompt is chosen.
function controls(model, config, starts) {
  const go = (changes) => {
    for (const [name, value] of Object.entries(changes)) model.set(name, value);
    model.save_changes();
  };
  const put = (start, asked) => go({ demonstrations: start.demonstrations, query: start.queries[asked][0], label_words: start.words.join(", ") });
  const current = () => startOf(starts, model.get("demonstrations"), wordsOf(model.get("label_words")));
  const from = h("select", { id: newId(), onchange: () => put(starts[from.selectedIndex], 0) }, ...starts.map(({ name }) => h("option", {}, name)));
  model.on("change:demonstrations", () => { from.selectedIndex = starts.indexOf(current()); });
  from.selectedIndex = starts.indexOf(current());
  const next = () => {
    const { queries } = current() ?? starts[Math.max(0, from.selectedIndex)], at = queries.findIndex(([text]) => text === model.get("query"));
    go({ query: queries[(at + 1) % queries.length][0] });
  };
  const exchange = () => {
    const { demonstrations, words } = exchanged(model.get("demonstrations"), wordsOf(model.get("label_words")));
    go({ demonstrations, label_words: words.join(", ") });
  };
  const button = (text, onclick) => h("button", { type: "button", onclick }, text);
  const above = [
    h("div", { class: "controls" }, h("div", { class: "control" }, h("label", { for: from.id }, "Start from"), from),
      button("Another query", next), button("Exchange the labels", exchange)),
    typed(model, "demonstrations", "Demonstrations", "textarea", { rows: 8 }),
    typed(model, "query", "Query", "textarea", { rows: 1 }),
    typed(model, "label_words", "Label words", "input", { type: "text" }),
    h("div", { class: "controls" },
      choice(model, "layer", { label: "Layer", options: Array.from({ length: config.layers }, (_, l) => l) }),
      choice(model, "module", { label: "Module", options: MODULES }),
      slider(model, "clip_rate", { label: "Clip rate ξ", min: 0, max: 1, step: 0.005, shown: (rate) => rate.toFixed(3) })),
  ];
  return { above, go, current };
}

export default {
  async render({ model, el }) {
    const config = model.get("config"), starts = model.get("starts");
    const state = kept(model, "ask-clipped", {
      layer: whole(0, config.layers - 1), module: among(MODULES.map((one) => [one].flat()[0])), clip_rate: within(0, 1),
      demonstrations: textOf(4000), query: textOf(1000), label_words: textOf(200),
    });
    const { above, go, current } = controls(model, config, starts);
    const result = says(), rows = h("tbody"), unknown = h("p", { class: "unknown" }), likely = h("p", { class: "likely" });
    const counted = h("summary", {}, "What the model reads"), tokensSeen = h("p", { class: "tokens" });
    const looked = h("tbody"), panels = h("div", { class: "panels" }), challenge = h("div"), reads = h("details", {}, counted, tokensSeen);
    const node = frame(
      el, "Ask the clipped model: a GPT-2 that runs in this page",
      ...above, unknown,
      h("table", { class: "told" }, heads("next token", "no clip", "clipped"), rows),
      result, likely, panels, challenge, reads,
    );
    let data = [["token", "no_clip", "clipped"]];
    state.bar(node, () => data);
    // the answer has its rows before it comes, and what stands below comes with the first one: it would be pushed down by it
    for (const below of [panels, challenge, reads, node.lastChild]) below.classList.add("later");
    const told = model.get("told") ?? {}, early = ["layer", "module", "clip_rate", "demonstrations", "query", "label_words"];
    const asked = () => Boolean(told.of) && early.every((name) => model.get(name) === told.of[name]);
    const first = () => rows.replaceChildren(...[...wordsOf(model.get("label_words")), "any other token"].map((word, i) => {
      const shares = asked() && told.shares.map((all) => all[i]);
      return h("tr", {}, h("th", { scope: "row" }, word), ...(shares ? [bar(shares[0], "second"), bar(shares[1], "first")] : [h("td", {}, "…"), h("td", {}, "…")]));
    }));
    for (const name of early) model.on(`change:${name}`, first);
    first();
    const wait = (share) => result.say(`The model is on its way: ${percent(share, 0)} is here.${asked() ? " What you see is what it says to this prompt." : ""}`);
    const coming = model.coming?.("weights", wait); // in the book; in a notebook it is here
    if (coming) wait(0);
    else result.say("Unpacking the model …");
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
    const held = heldPrompts({
      gpt2, tokenizer, pause, go, thinFor: async ({ layer, module, clip_rate }) => thinAt(await factorsOf(layer, module), clip_rate) });
    challenge.append(held.challenge);
    panels.append(held.node, h("div", {}, h("p", {}, h("strong", {}, "Attention to the demonstrations"), ", from the last token, by layer."),
      h("table", { class: "looked" }, heads("layer", "no clip", "clipped"), looked)));

    let prompt = null, uncut = null, looking, ready = null; // what is asked, what the whole model says, the factors of the chosen module
    const shown = (token) => tokenizer.text(token).trim() || tokenizer.text(token).replace(/\n/g, "⏎").replace(/ /g, "␣");
    const refuse = (sentence) => {
      prompt = null;
      node.lastChild.classList.remove("later");
      clearTimeout(looking);
      for (const place of [rows, likely, looked]) place.replaceChildren();
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
      counted.textContent = `What the model reads: ${prompt.tokens.length} tokens`;
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
      for (const below of node.querySelectorAll(".later")) below.classList.remove("later");
      data = [data[0], ...[...prompt.words, "any other token"].map((word, i) => [word, before[i], after[i]])];
      rows.replaceChildren(...data.slice(1).map(([word, a, b]) => h("tr", {}, h("th", { scope: "row" }, word), bar(a, "second"), bar(b, "first"))));
      const leading = both.map((all) => all.map((share, token) => [share, token]).sort(([a], [b]) => b - a).slice(0, TOP));
      likely.replaceChildren("Most likely, without a clip: ", ...listed(leading[0], prompt, shown), "; clipped: ", ...listed(leading[1], prompt, shown), ".");
      clearTimeout(looking);
      looking = setTimeout(() => look(rate ? gpt2.givenIf(uncut, layer, module, thin) : uncut.given, rate ? { [layer]: thin } : {}), 150); // when the slider rests
      result.say(sentence({ ready, rate, prompt, before, after, right: rightWord(), top: shown(leading[1][0][1]), named: prompt.answers.includes(leading[1][0][1]) }));
      held.ask({ start: current(), demonstrations: model.get("demonstrations"), words: prompt.words, answers: prompt.answers, layer, module, clip_rate: rate, thin });
    };

    const rightWord = () => prompt.words[current()?.queries.find(([text]) => text === model.get("query"))?.[1]];
    const look = (given, clips) => {
      const T = prompt.tokens.length, of = (t) => t < prompt.nDemonstrations;
      const [before, after] = [gpt2.shares(uncut.given, T, of), gpt2.shares(given, T, of, clips)];
      looked.replaceChildren(...before.map((share, l) => h("tr", {}, h("th", { scope: "row" }, String(l)), bar(share, "second"), bar(after[l], "first"))));
    };

    // Factoring a layer takes some tenths of a second, once; a slower one must not overtake the choice that came after it.
    const choose = async () => {
      const [layer, module] = [model.get("layer"), model.get("module")];
      ready = null;
      if (prompt) result.say(`Factoring layer ${layer} …`);
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
const listed = (leading, { answers }, shown) => leading.flatMap(([share, token], i) =>
  [i ? ", " : "", h(answers.includes(token) ? "strong" : "span", {}, shown(token)), ` ${percent(share)}`]);

function sentence({ ready: { layer, module, factors: found }, rate, prompt, before, after, right, top, named }) {
  const { k } = Object.values(found)[0], best = (shares) => prompt.words.map((word, i) => [shares[i], word]).reduce((a, b) => (b[0] > a[0] ? b : a))[1];
  const cut = rate ? `ξ = ${rate.toFixed(3)} keeps ${rankAt(k, rate)} of ${k} singular values` : "ξ = 0 changes nothing";
  const moved = prompt.words.map((word, i) => `${word} ${percent(before[i])} → ${percent(after[i])}`).join(", ");
  const told = best(before) === best(after) ? `of the label words ${best(after)} stays first` : `the first label word goes from ${best(before)} to ${best(after)}`;
  const left = named ? "" : ` It would not name a label: its own next word is “${top}”.`;
  return `${placeOf(layer, module)}, ${cut}: ${moved}; ${told}.${right ? ` By these demonstrations ${right} is right.` : ""}${left}`;
}
