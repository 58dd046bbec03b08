// What a search result shows of its page: the sentence-like text that says most of what was asked for, with those words marked. Paragraphs, entries
// of lists and captions come first; code, tables and what widgets say come last, when nothing else has the words.
const LENGTH = 240, BEFORE = 90; // letters of an excerpt, and those before the first word that was asked for
const SIGNS = { xi: "ξ", kappa: "κ", sigma: "σ", alpha: "α", lambda: "λ", theta: "θ", eta: "η", beta: "β", gamma: "γ", mu: "μ", times: "×", le: "≤", ge: "≥", approx: "≈", infty: "∞", cdot: "·", log: "log", exp: "exp", max: "max", min: "min" };
const NOT_READ = "script, style, .headerlink, .section-number, .caption-number, .cell_input, .chapter-facts, .chapter-before, .chapter-card, .strip, .fields, div.math, .copybtn, noscript, svg, nav, #jb-print-docs-body";
const SAID = "p, li, dd, figcaption, legend";
const APART = ".widget-stand-in, .widget, .cell_output > :not(figure)";

// A formula as it can be written in a line: \(\xi = 0.9\) is ξ = 0.9.
const plain = (tex) => tex.replace(/\\[()]/g, "").replace(/\\([a-zA-Z]+)/g, (_, name) => SIGNS[name] ?? "").replace(/[{}\\$]/g, "");
const text = (node) => node.textContent.replace(/\s+/g, " ").trim();

// The texts of a page (or of the place on it): those that are read, then all else.
const texts = (html, anchor) => {
  const page = new DOMParser().parseFromString(html, "text/html");
  const main = page.querySelector("article.bd-article") ?? page.querySelector('[role="main"]') ?? page.body;
  const place = (anchor && main.querySelector(`[id="${CSS.escape(anchor.slice(1))}"]`)) || main;
  const code = [...place.querySelectorAll(".cell_input, table, .cell_output pre")].map(text);
  for (const node of place.querySelectorAll(NOT_READ)) node.remove();
  for (const node of place.querySelectorAll("span.math")) node.textContent = plain(node.textContent);
  for (const term of place.querySelectorAll("dl.glossary dt")) {
    const told = term.nextElementSibling;
    (told?.querySelector("p") ?? told)?.prepend(`${text(term)}: `);
  }
  const scope = (place.tagName === "DT" && place.nextElementSibling) || place;
  const said = [scope, ...scope.querySelectorAll(SAID)].filter((node) => node.matches(SAID) && !node.querySelector("p, li"));
  const read = said.filter((node) => !node.closest(APART)).map(text).filter((one) => one.length > 20);
  return [read, code];
};

// Where the words stand in a text: a word that begins as one of those asked for does, as clipping does for clip. What has them as they were typed is better.
const pattern = (words) => new RegExp(`(?<![\\p{L}\\d])(${words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|")})[\\p{L}\\d]*`, "giu");
const asked = (new URLSearchParams(location.search).get("q") ?? "").toLowerCase().trim();
const worth = (one, words) => {
  const found = new Set(Array.from(one.matchAll(pattern(words)), (match) => match[1].toLowerCase()));
  return found.size + (found.size && one.toLowerCase().includes(asked) ? 0.5 : 0);
};

// The text that has most of the words, the first of several; nothing if none has any.
const best = (all, words) =>
  all.reduce((kept, one) => { const value = worth(one, words); return value > kept[1] ? [one, value] : kept; }, ["", 0])[0];

// A piece of the text around the first of the words, from word to word.
const cut = (whole, words) => {
  const place = Math.max(0, whole.search(pattern(words)));
  const from = place <= BEFORE ? 0 : whole.indexOf(" ", place - BEFORE) + 1;
  const end = from + LENGTH >= whole.length ? whole.length : whole.lastIndexOf(" ", from + LENGTH);
  return (from ? "… " : "") + whole.slice(from, end).replace(/[,;:]$/, "") + (end < whole.length ? " …" : "");
};

const marked = (piece, words) => {
  const parts = [];
  let done = 0;
  for (const match of piece.matchAll(pattern(words))) {
    parts.push(piece.slice(done, match.index), Object.assign(document.createElement("mark"), { className: "highlighted", textContent: match[0] }));
    done = match.index + match[0].length;
  }
  return [...parts, piece.slice(done)];
};

Search.makeSearchSummary = (html, keywords, anchor) => {
  const words = [...keywords], [read, code] = texts(html, anchor);
  const whole = best(read, words) || (anchor ? read[0] : "") || best(code, words) || read[0];
  const summary = Object.assign(document.createElement("p"), { className: "context" });
  if (whole) summary.append(...marked(cut(whole, words), words));
  return summary;
};

if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false; // a page opened from a folder cannot fetch the others
