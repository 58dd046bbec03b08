import { Tokenizer } from "./bpe.js";
import { factors, thinned } from "./factors.js";
import { GPT2, ROLES } from "./gpt2.js";
import { choice, drawn, frame, h, newId, percent, rankAt, says, slider } from "./base.js";

// name → numbers (matrices in a Float64Array, vectors in a Float32Array), from the bytes that ask_clipped.py packed.
export async function unpacked(view, shapes) {
  const deflated = new Blob([view]).stream().pipeThrough(new DecompressionStream("deflate"));
  const bytes = await new Response(deflated).arrayBuffer();
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

// The prompt, its label words and their tokens as the tokenizer cuts them; throws a sentence where the library would.
export function promptOf(tokenizer, positions, demonstrations, query, labelWords) {
  const shown = demonstrations.trimEnd();
  const text = (shown ? `${shown}\n` : "") + query.trimEnd();
  const tokens = tokenizer.encode(text);
  if (!tokens.length) throw new Error("There is nothing to read yet: type a query.");
  if (tokens.length > positions) throw new Error(`This prompt has ${tokens.length} tokens, but the model in this page reads ${positions}; use fewer demonstrations.`);
  const words = [...new Set(labelWords.split(/[\s,]+/).filter((word) => word))];
  if (words.length < 2) throw new Error("Name two label words or more, with commas between them.");
  const answers = words.map((word) => {
    const longer = tokenizer.encode(`${text} ${word}`);
    if (longer.length !== tokens.length + 1) throw new Error(`The label word “${word}” is not one token here; choose a shorter, commoner word.`);
    return longer.at(-1);
  });
  return { tokens, words, answers };
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
    model.set(name, field.value);
    model.save_changes();
  });
  model.on(`change:${name}`, update);
  update();
  return h("div", { class: "field" }, h("label", { for: id }, label), field);
}

const bar = (share, look) =>
  h("td", { "data-share": share }, h("span", { class: `bar ${look}`, style: `--share: ${share.toFixed(4)}` }), percent(share));

export default {
  async render({ model, el }) {
    const config = model.get("config"), starts = model.get("starts");
    const result = says(), tokensSeen = h("p", { class: "tokens" }), rows = h("tbody");
    const counted = h("summary", {}, "What the model reads");
    let started = 0, asked = 0;

    // Another prompt to start from, or another query behind it; what the reader typed is replaced.
    const put = () => {
      model.set("demonstrations", starts[started].demonstrations);
      model.set("query", starts[started].queries[asked][0]);
      model.set("label_words", starts[started].words.join(", "));
      model.save_changes();
    };
    const from = h("select", { id: newId(), onchange: () => { [started, asked] = [from.selectedIndex, 0]; put(); } },
      ...starts.map(({ name }) => h("option", {}, name)));
    const next = h("button", { type: "button", onclick: () => { asked = (asked + 1) % starts[started].queries.length; put(); } }, "Another query");

    frame(
      el, "Ask the clipped model: a GPT-2 that runs in this page",
      h("div", { class: "controls" }, h("div", { class: "control" }, h("label", { for: from.id }, "Start from"), from), next),
      typed(model, "demonstrations", "Demonstrations", "textarea", { rows: 8 }),
      typed(model, "query", "Query", "input", { type: "text" }),
      typed(model, "label_words", "Label words", "input", { type: "text" }),
      h("div", { class: "controls" },
        choice(model, "layer", { label: "Layer", options: Array.from({ length: config.layers }, (_, l) => l) }),
        choice(model, "module", { label: "Module", options: [["mlp", "MLP"], ["attn", "ATTN"], ["all", "both"], "q", "k", "v", "o", "fc_in", "fc_out"] }),
        slider(model, "clip_rate", { label: "Clip rate ξ", min: 0, max: 1, step: 0.005, shown: (rate) => rate.toFixed(3) })),
      h("table", { class: "told" },
        h("thead", {}, h("tr", {}, ...["next token", "no clip", "clipped"].map((text) => h("th", { scope: "col" }, text)))), rows),
      result,
      h("details", {}, counted, tokensSeen),
    );
    result.say("Unpacking the model …");
    await pause(); // let the page show itself first
    const gpt2 = new GPT2(config, await unpacked(model.get("weights"), config.shapes));
    const tokenizer = new Tokenizer(model.get("vocabulary"));
    const known = new Map(); // factors by layer and role, a promise each
    const factorsOf = (layer, role) => {
      const key = `${layer} ${role}`;
      if (!known.has(key)) known.set(key, factors(gpt2.blocks[layer][role], pause));
      return known.get(key);
    };

    let prompt = null, whole = null, ready = null; // what is asked, what the whole model says, the factors of the chosen module
    const read = () => {
      try {
        prompt = promptOf(tokenizer, gpt2.positions, model.get("demonstrations"), model.get("query"), model.get("label_words"));
      } catch (error) {
        prompt = null;
        rows.replaceChildren();
        result.say(error.message);
        return;
      }
      whole = gpt2.read(prompt.tokens);
      counted.textContent = `What the model reads: ${prompt.tokens.length} tokens`;
      tokensSeen.replaceChildren(...prompt.tokens.map((token) => h("span", {}, tokenizer.text(token).replace(/\n/g, "⏎"))));
      answer();
    };

    const answer = () => {
      if (!prompt || !ready) return;
      const { layer, module } = ready, rate = model.get("clip_rate");
      const ranks = Object.values(ready.factors).map(({ k }) => rankAt(k, rate));
      const thin = Object.fromEntries(Object.entries(ready.factors).map(([role, found]) => [role, thinned(found, rankAt(found.k, rate))]));
      const logits = rate ? gpt2.again(whole, layer, module, thin) : whole.logits;
      const [before, after] = [softmax(whole.logits), softmax(logits)].map((all) => {
        const shares = prompt.answers.map((token) => all[token]);
        return [...shares, Math.max(0, 1 - shares.reduce((a, b) => a + b))];
      });
      rows.replaceChildren(...[...prompt.words, "any other token"].map((word, i) =>
        h("tr", {}, h("th", { scope: "row" }, word), bar(before[i], "second"), bar(after[i], "first"))));
      const best = (shares) => prompt.words.map((word, i) => [shares[i], word]).reduce((a, b) => (b[0] > a[0] ? b : a))[1];
      const right = starts.flatMap(({ demonstrations, queries }) => (demonstrations === model.get("demonstrations") ? queries : []))
        .find(([text]) => text === model.get("query"))?.[1];
      const kept = rate ? `ξ = ${rate.toFixed(3)} keeps ${ranks[0]} of ${Object.values(ready.factors)[0].k} singular values` : "ξ = 0 changes nothing";
      const told = best(before) === best(after) ? `the answer stays ${best(after)}` : `the answer goes from ${best(before)} to ${best(after)}`;
      const wanted = right ? ` By these demonstrations ${right} is right.` : "";
      const moved = prompt.words.map((word, i) => `${word} ${percent(before[i])} → ${percent(after[i])}`).join(", ");
      result.say(`Layer ${layer} ${module}, ${kept}: ${moved}; ${told}.${wanted}`);
    };

    // Factoring a layer takes some tenths of a second, once; a slower one must not overtake the choice that came after it.
    const choose = async () => {
      const [layer, module] = [model.get("layer"), model.get("module")];
      ready = null;
      result.say(`Factoring layer ${layer} …`);
      const found = {};
      for (const role of rolesOf(module)) found[role] = await factorsOf(layer, role);
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
