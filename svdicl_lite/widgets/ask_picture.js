import { h, newId, percent } from "./base.js";
import { sentenceOf, wordsOf } from "./prompts.js";

// What a reader of *Ask the clipped model* sees first: the prompt as sentences, two bars for each label word, and the verdict in words.

const MOST = 4; // demonstrations shown in short

// The demonstrations in short, the shortest of each label, and the query as a sentence. `edit` leads to all of it, `next` to another query.
export function promptInShort(model, edit, next) {
  const shown = h("p", { class: "shown" }), query = h("strong");
  const link = h("button", { type: "button", class: "linked", onclick: edit });
  const draw = () => {
    const all = model.get("demonstrations").split("\n").filter((line) => line.trim()).map((line) => [line.replace(/\S+\s*$/, ""), line.trim().split(/\s+/).at(-1)]);
    const shortest = (word) => all.filter(([, label]) => label === word).sort(([a], [b]) => a.length - b.length)[0];
    const picked = wordsOf(model.get("label_words")).map(shortest).filter(Boolean).slice(0, MOST);
    link.textContent = all.length ? `all ${all.length}` : "write some";
    shown.replaceChildren(h("span", { class: "what" }, "Demonstrations"), h("span", { class: "said" }, ...(all.length ? [] : ["none: "]),
      ...picked.flatMap(([text, label]) => ["“", sentenceOf(text), "” → ", h("b", {}, label), "; "]), link));
    query.textContent = `“${sentenceOf(model.get("query"))}”`;
  };
  for (const name of ["demonstrations", "query", "label_words"]) model.on(`change:${name}`, draw);
  draw();
  return h("div", { class: "prompt" }, shown,
    h("p", { class: "shown" }, h("span", { class: "what" }, "Query"), h("button", { type: "button", onclick: next }, "Another query"),
      h("span", { class: "said" }, query, "\u00a0→\u00a0?")));
}

export const LOOKS = [["plain", "no clip"], ["clip", "clipped"]];

// A table with columns of these classes: what stands in them has its place.
export const columns = (...names) => h("colgroup", {}, ...names.map((name) => h("col", { class: name })));

// Two bars for each label word and for all other tokens, all on one scale: a tbody each. `shares`: without a clip and clipped; null before they are here.
export function bars(words, shares, right) {
  const leads = shares?.map((all) => Math.max(...all.slice(0, words.length)));
  return [columns("word", "look", "bars"), ...[...words, "any other token"].map((word, i) => h("tbody", {}, ...LOOKS.map(([look, name], j) => {
    const share = shares?.[j][i];
    return h("tr", {}, j ? null : h("th", { scope: "rowgroup", rowspan: 2 }, word, word === right ? h("small", {}, "is right") : null),
      h("th", { scope: "row", class: look }, name),
      share === undefined ? h("td", {}, "…")
        : h("td", { "data-share": share }, h("span", { class: `bar ${look}`, style: `--share: ${share.toFixed(4)}` }),
          h(share === leads[j] && i < words.length ? "strong" : "span", {}, percent(share))));
  })))];
}

// What becomes of the answer, by the label words alone. `own`: the token that the clipped model would say if that is no label word.
export function verdict(words, [before, after], right, own) {
  const first = (shares) => words.map((word, i) => [shares[i], word]).reduce((a, b) => (b[0] > a[0] ? b : a))[1];
  const [a, b] = [first(before), first(after)];
  const moved = a === b ? `${b}, without a clip and clipped` : `${a} → ${b}`;
  return `${moved}${right ? `; by these demonstrations ${right} is right` : ""}.${own ? ` It would not name a label: its own next word is “${own}”.` : ""}`;
}

// A part that is folded until the reader asks for it.
export const fold = (title, ...children) => h("details", { class: "more" }, h("summary", {}, title), ...children);

// A labelled field tied to the trait `name`, as high as what it holds (base.css; where a browser cannot do that, by hand).
export function typed(model, name, label, tag, attributes) {
  const id = newId(), field = h(tag, { id, spellcheck: "false", ...attributes });
  const update = () => field.value !== model.get(name) && (field.value = model.get(name));
  field.addEventListener("input", () => {
    model.set(name, attributes.rows === 1 ? field.value.replace(/\s*\n\s*/g, " ") : field.value);
    model.save_changes();
  });
  model.on(`change:${name}`, update);
  update();
  if (attributes.rows === 1) field.addEventListener("keydown", (event) => event.key === "Enter" && event.preventDefault());
  if (tag === "textarea" && !CSS.supports("field-sizing", "content")) {
    const fit = () => {
      field.style.height = "auto";
      field.style.height = `${field.scrollHeight + field.offsetHeight - field.clientHeight}px`;
    };
    model.on(`change:${name}`, fit);
    new ResizeObserver(fit).observe(field.ownerDocument.documentElement);
    addEventListener("toggle", fit, true); // a folded field has no height yet
  }
  return h("div", { class: "field" }, h("label", { for: id }, label), field);
}
