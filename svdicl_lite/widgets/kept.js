// What a reader made of a widget outlives the page: in its address (to share, to reload, to come back to), and as CSV. A reset undoes it.

import { h } from "./base.js";

// What a value from an address must be, or the widget starts as it would without one.
export const within = (low, high) => (value) => typeof value === "number" && value >= low && value <= high;
export const whole = (low, high) => (value) => Number.isInteger(value) && within(low, high)(value);
export const among = (values) => (value) => values.includes(value);
export const textOf = (most) => (value) => typeof value === "string" && value.length <= most;
export const listOf = (allowed, n) => (value) => Array.isArray(value) && value.length === n && value.every(allowed);

// The traits that the reader moves, `allowed`: name → what may stand in an address. Call it before the controls are made: it sets the traits as
// the address says. Returns { bar }: bar(frame, rows) appends the buttons, or bar(frame, rows, part) to a part of it; `rows()` are the data now
// drawn, the first row their names.
export function kept(model, key, allowed) {
  const names = Object.keys(allowed), start = Object.fromEntries(names.map((name) => [name, model.get(name)]));
  const others = document.querySelectorAll(`.svdicl[data-kept="${key}"], .svdicl[data-kept^="${key}-"]`).length;
  if (others) key += `-${others + 1}`;
  const put = (state) => {
    for (const name of names) model.set(name, state[name]);
    model.save_changes();
  };
  const write = model.inPage ? addressed(model, key, allowed, start, put) : null;
  return { bar: (frame, rows, part = frame) => buttons(frame, key, write, () => put(start), rows, part) };
}

// A trait stands in the address only where it differs from how the widget starts: ?rank-slider.clip_rate=0.5
function addressed(model, key, allowed, start, put) {
  const names = Object.keys(allowed), same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
  const read = (name) => {
    const given = new URLSearchParams(location.search).get(`${key}.${name}`);
    try {
      const value = typeof start[name] === "string" ? given : JSON.parse(given);
      return given !== null && allowed[name](value) ? value : start[name];
    } catch {
      return start[name]; // no JSON
    }
  };
  const asked = () => Object.fromEntries(names.map((name) => [name, read(name)]));
  let moved = false, waiting;
  const write = () => {
    const url = new URL(location.href);
    for (const name of names) {
      const value = model.get(name);
      if (same(value, start[name])) url.searchParams.delete(`${key}.${name}`);
      else url.searchParams.set(`${key}.${name}`, typeof value === "string" ? value : JSON.stringify(value));
    }
    if (url.href === location.href) return;
    // One step back undoes all that was moved here: an entry for each movement would lock the reader in.
    history[moved ? "replaceState" : "pushState"](null, "", url);
    moved = true;
  };
  put(asked());
  // Browsers refuse an address that changes many times a second.
  for (const name of names) model.on(`change:${name}`, () => { clearTimeout(waiting); waiting = setTimeout(write, 250); });
  addEventListener("popstate", () => {
    clearTimeout(waiting);
    moved = false;
    put(asked());
  });
  return write;
}

function buttons(frame, key, write, reset, rows, part) {
  const heard = frame.querySelector("[role=status]");
  const button = (text, onclick) => h("button", { type: "button", onclick }, text);
  const copier = (text, told, content) => button(text, async ({ currentTarget }) => {
    const done = await copied(content());
    heard.textContent = currentTarget.textContent = done ? told : "This browser does not allow copying";
    setTimeout(() => (currentTarget.textContent = text), 1500);
  });
  const address = () => {
    write();
    return Object.assign(new URL(location.href), { hash: frame.id }).href;
  };
  frame.dataset.kept = key;
  frame.id = `widget-${key}`;
  const link = write ? copier("Copy link", "Link copied", address) : null;
  part.append(h("div", { class: "kept" }, button("Reset", reset), link, copier("Copy data", "Data copied as CSV", () => csv(rows()))));
  if (write && location.hash === `#${frame.id}`) frame.scrollIntoView(); // the place did not exist when the page was opened
}

const csv = (rows) => rows.map((row) => row.map((cell) => (/[",\n]/.test(cell) ? `"${String(cell).replaceAll('"', '""')}"` : String(cell))).join(",")).join("\n");

// The clipboard is closed to pages in some frames; there the old way may still be open.
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = h("textarea", { style: "position: fixed; opacity: 0", "aria-hidden": "true" }), before = document.activeElement;
    field.value = text;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    before?.focus();
    return done;
  }
}
