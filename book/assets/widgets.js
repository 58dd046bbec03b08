/* Runs the widgets of a page without a kernel and without a network.

A notebook leaves two kinds of script elements in its page that no browser runs: the state of all widgets, and a view wherever one
stands. An anywidget's state holds its own code, which is imported from memory, since a page opened from a folder cannot import
files. (Loaded by offline.py, on pages that have such a state alone, behind their first picture.) */
(() => {
  const found = (kind) => [...document.querySelectorAll(`script[type="application/vnd.jupyter.widget-${kind}+json"]`)];
  const states = Object.assign({}, ...found("state").map((script) => JSON.parse(script.textContent).state));

  const bytesOf = (data) => Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));

  // Large data lie beside the pages in parts (parts.py), each a script that calls svdiclPart. All are asked for at once.
  const here = document.currentScript.src, asked = {};
  window.svdiclPart = (file, data) => asked[file].resolve(bytesOf(data));
  function part(file) {
    if (!asked[file]) {
      asked[file] = {};
      asked[file].promise = new Promise((resolve, reject) => Object.assign(asked[file], { resolve, reject }));
      const onerror = () => asked[file].reject(new Error(`${file} did not come`));
      document.head.append(Object.assign(document.createElement("script"), { src: new URL(file, here), onerror }));
    }
    return asked[file].promise;
  }

  // Their bytes, as they come, in order; `tell` hears which share of the parts is here.
  function streamOf(files, tell) {
    let read = 0, arrived = 0;
    const all = files.map((file) => part(file).then((bytes) => (tell(++arrived / files.length), bytes)));
    for (const one of all) one.catch(() => {}); // the reader of the stream hears of it
    return new ReadableStream({
      async pull(controller) {
        if (read === all.length) controller.close();
        else controller.enqueue(await all[read++]);
      },
    });
  }

  // What anywidget calls a model: the traits, and who wants to know of their changes. There is nobody to save to.
  function makeModel({ state, buffers = [] }) {
    const traits = structuredClone(state), coming = {};
    for (const { path, data, parts } of buffers) {
      if (parts) {
        coming[path[0]] = parts;
        parts.forEach(part);
      } else path.slice(0, -1).reduce((inner, key) => inner[key], traits)[path.at(-1)] = new DataView(bytesOf(data).buffer);
    }
    const listeners = new Map();
    const of = (event) => listeners.get(event) ?? listeners.set(event, new Set()).get(event);
    const tell = (event, ...what) => [...of(event)].forEach((listener) => listener(...what));
    return {
      inPage: true, // the address is this page's own: kept.js may write into it
      get: (name) => traits[name],
      coming: (name, tell) => coming[name] && streamOf(coming[name], tell), // of bytes, for a trait that is not here yet
      set(name, value) {
        if (traits[name] === value) return;
        traits[name] = value;
        tell(`change:${name}`, this, value);
        tell("change", this);
      },
      save_changes() {},
      send() {},
      on: (event, listener) => of(event).add(listener),
      off: (event, listener) => (listener ? of(event).delete(listener) : listeners.clear()),
    };
  }

  const models = {}, codes = {};

  // The place that base.py kept for a widget, beside its view; or, of an older notebook, a new one.
  function placeOf(view) {
    const place = view.parentNode.querySelector(".widget.waiting");
    if (place) return place;
    const made = Object.assign(document.createElement("div"), { className: "widget" });
    view.before(made);
    return made;
  }

  async function start(view, place) {
    const id = JSON.parse(view.textContent).model_id;
    const saved = states[id];
    if (saved?.model_module !== "anywidget") throw new Error(saved ? `${saved.model_name} is not an anywidget` : `widget ${id} has no state in this page`);
    const model = (models[id] ??= makeModel(saved));
    const css = model.get("_css");
    if (css && ![...document.querySelectorAll("style.of-widget")].some((style) => style.textContent === css))
      document.head.append(Object.assign(document.createElement("style"), { className: "of-widget", textContent: css }));
    const code = model.get("_esm");
    const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    const widget = (await (codes[code] ??= import(url))).default;
    URL.revokeObjectURL(url);
    place.classList.remove("waiting");
    place.hidden = false;
    place.replaceChildren();
    await widget.render({ model, el: place });
  }

  for (const view of found("view")) {
    const place = placeOf(view);
    start(view, place).catch((error) => {
      console.error(error);
      place.remove(); // and show what stands in for it
      view.closest(".cell_output")?.querySelectorAll(".widget-stand-in").forEach((node) => node.classList.add("alone"));
    });
  }
})();
