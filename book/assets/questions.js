/* Questions and guesses in the page (book/_ext/questions.py). What is right stands in the page already, so that it works offline. */
(() => {
  const number = (text) => {
    const found = text.replaceAll("−", "-").replaceAll(",", "").match(/[-+]?\d*\.?\d+/);
    return found ? Number(found[0]) : NaN;
  };
  const short = (value, like) => {
    const digits = like.match(/\.(\d+)/)?.[1].length ?? 0;
    return value.toFixed(digits);
  };

  // What was clicked stays where it is, whatever comes or goes above it.
  const keeping = (was, change, is = was) => {
    const { top } = was.getBoundingClientRect();
    change();
    scrollBy({ top: is.getBoundingClientRect().top - top, behavior: "instant" });
  };
  const went = (node) => {
    node.tabIndex = -1;
    node.focus({ preventScroll: true });
  };

  const questions = [...document.querySelectorAll("form.question")], tally = document.querySelector(".tally");
  for (const form of questions) {
    const told = form.querySelector("[role=status]"), boxes = [...form.querySelectorAll("input")];
    const mark = (box, shown) => (box.closest("label").dataset.was = shown ? (box.dataset.right === "1" ? "right" : "wrong") : "");
    const tried = (right) => {
      form.dataset.first ??= right ? "right" : "wrong"; // the first answer counts
      const done = questions.filter(({ dataset }) => dataset.first), right_ones = done.filter(({ dataset }) => dataset.first === "right").length;
      if (done.length === questions.length) tally.textContent = `${right_ones} of ${questions.length} right at the first try.`;
    };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!boxes.some((box) => box.checked)) return void (told.textContent = "Choose an answer first.");
      const right = boxes.every((box) => box.checked === (box.dataset.right === "1"));
      for (const box of boxes) mark(box, box.checked);
      told.textContent = right ? "Right." : "Not yet: choose again.";
      if (right) form.classList.add("told");
      tried(right);
    });
    form.addEventListener("change", () => (told.textContent = ""));
    form.querySelector(".skip").addEventListener("click", () => {
      form.classList.add("told");
      for (const box of boxes) mark(box, box.checked || box.dataset.right === "1");
      told.textContent = "";
      went(form.querySelector(".why"));
      tried(false);
    });
  }

  // Nothing is covered for a reader who said so, on any page, until he says otherwise.
  const root = document.documentElement;
  const always = (shown, button) =>
    keeping(button.closest("form"), () => {
      shown ? (root.dataset.covers = "off") : delete root.dataset.covers;
      try {
        shown ? (localStorage["svdicl-covers"] = "off") : localStorage.removeItem("svdicl-covers");
      } catch {} // a browser that keeps nothing: until the page is left
      button.closest("form").querySelector(shown ? ".again" : ".never").focus({ preventScroll: true });
    });

  // A guess is compared before what answers it is uncovered. Returns what uncovers it and shows the answer; a wish to see it, a click
  // on one of its buttons or a link to one of the covered places, uncovers all, too.
  function covered(form) {
    const places = [...document.getElementsByClassName(`of-${form.id}`)], strips = [...document.querySelectorAll(`.strip[data-of="${form.id}"]`)];
    const uncover = (said = "") => {
      form.querySelector("[role=status]").textContent = said;
      form.classList.add("told");
      for (const place of places) place.classList.remove("covered");
      for (const strip of strips) strip.remove();
    };
    form.querySelector(".skip").addEventListener("click", () => {
      uncover();
      went(form.querySelector(".why"));
    });
    form.querySelector(".never")?.addEventListener("click", ({ target }) => always(true, target));
    form.querySelector(".again")?.addEventListener("click", ({ target }) => always(false, target));
    for (const strip of strips)
      strip.querySelector("button").addEventListener("click", () => {
        const shown = strip.nextElementSibling;
        keeping(strip, () => uncover(), shown);
        went(shown);
      });
    const arrived = () => {
      const wanted = document.getElementById(decodeURIComponent(location.hash.slice(1)));
      if (!wanted || !places.some((place) => place.classList.contains("covered") && place.contains(wanted))) return;
      uncover();
      wanted.scrollIntoView();
    };
    addEventListener("hashchange", arrived);
    arrived();
    return uncover;
  }

  for (const form of document.querySelectorAll("form.guess")) {
    const told = form.querySelector("[role=status]"), uncover = covered(form), { unit } = form.dataset;
    const text = form.querySelector(".number b").textContent.trim(), field = form.querySelector("input[type=text]");
    const compared = () => {
      const guessed = number(field.value), off = Math.abs(guessed - number(text));
      if (Number.isNaN(guessed)) return "";
      const close = Number(short(off, text)) === 0;
      return `You said ${field.value.trim()}; it is ${text}. ${close ? "Exactly." : `Off by ${short(off, text)}${unit && ` ${unit}`}, too ${guessed > number(text) ? "high" : "low"}.`}`;
    };
    const chosen = () => {
      const one = form.querySelector("input:checked");
      if (!one) return "";
      for (const box of form.querySelectorAll("input"))
        box.closest("label").dataset.was = box.value === text ? "right" : box.checked ? "wrong" : "";
      return one.value === text ? "Right." : `You said ${one.value}; it is ${text}.`;
    };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const said = field ? compared() : chosen();
      if (said) uncover(said);
      else told.textContent = field ? "Type a number first." : "Choose an answer first.";
    });
  }

  // A curve: a point at each place, moved with the pointer or, each being a slider, from the keyboard; then the true one beside it.
  const svg = (tag, attributes) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return node;
  };
  const [LEFT, RIGHT, TOP, BOTTOM] = [48, 350, 12, 196]; // as in curves.py

  for (const form of document.querySelectorAll("form.curve")) {
    const told = form.querySelector("[role=status]"), uncover = covered(form);
    const axes = form.querySelector(".axes"), plot = axes.querySelector("svg"), at = axes.dataset.at.split(" ");
    const low = Number(axes.dataset.low), high = Number(axes.dataset.high);
    const truth = form.querySelector(".number b").textContent.split(";").map((pair) => pair.trim().split(/: */));
    if (truth.map(([place]) => place).join(" ") !== at.join(" ")) throw new Error(`a curve at ${at} was given the values of ${truth}`);
    const digits = truth[0][1].match(/\.(\d+)/)?.[1].length ?? 0, real = truth.map(([, value]) => number(value));
    const X = (i) => LEFT + ((i + 0.5) * (RIGHT - LEFT)) / at.length, Y = (value) => BOTTOM - ((value - low) / (high - low)) * (BOTTOM - TOP);
    const line = (values) => values.map((value, i) => `${i ? "L" : "M"}${X(i).toFixed(1)} ${Y(value).toFixed(1)}`).join("");

    const shown = svg("g", {}), drawn = svg("path", { class: "drawn" });
    const [, known, name] = form.querySelector(".line")?.textContent.match(/(\S+) (.+)/) ?? [];
    if (known) {
      const height = Y(number(known)), label = svg("text", { class: "known", x: RIGHT - 4, y: height - 6, "text-anchor": "end" });
      label.textContent = name;
      plot.append(svg("line", { class: "known", x1: LEFT, x2: RIGHT, y1: height, y2: height }), label);
    }
    plot.append(shown, drawn);
    const points = at.map((place, i) => {
      const slider = Object.assign(document.createElement("input"), { type: "range", min: low, max: high, step: 10 ** -digits, value: (low + high) / 2 });
      slider.ariaLabel = `${axes.dataset.y}, ${axes.dataset.x} ${place}`;
      const dot = svg("circle", { class: "point", r: 5, cx: X(i) }), hold = svg("circle", { class: "hold", r: 15, cx: X(i) });
      slider.addEventListener("focus", () => dot.classList.toggle("focused", slider.matches(":focus-visible")));
      slider.addEventListener("blur", () => dot.classList.remove("focused"));
      slider.addEventListener("input", () => draw(true));
      plot.append(dot, hold);
      axes.append(slider);
      return { slider, dot, hold };
    });
    let moved = false;
    function draw(now) {
      moved ||= now;
      const values = points.map(({ slider }) => slider.valueAsNumber);
      points.forEach(({ slider, dot, hold }, i) => {
        for (const node of [dot, hold]) node.setAttribute("cy", Y(values[i]));
        slider.setAttribute("aria-valuetext", values[i].toFixed(digits));
      });
      drawn.setAttribute("d", line(values));
      form.classList.toggle("moved", moved);
      if (now) told.textContent = "";
    }
    // The pointer takes the point whose place is nearest, also when it goes on to the next.
    let held = false;
    const take = (event) => {
      const box = plot.getBoundingClientRect(), x = ((event.clientX - box.left) / box.width) * 360, y = ((event.clientY - box.top) / box.height) * 240;
      const i = Math.max(0, Math.min(at.length - 1, Math.floor(((x - LEFT) / (RIGHT - LEFT)) * at.length)));
      points[i].slider.value = low + ((BOTTOM - y) / (BOTTOM - TOP)) * (high - low);
      draw(true);
      return points[i].slider;
    };
    plot.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      plot.setPointerCapture(event.pointerId);
      held = true;
      take(event).focus({ preventScroll: true });
    });
    plot.addEventListener("pointermove", (event) => held && take(event));
    for (const end of ["pointerup", "pointercancel"]) plot.addEventListener(end, () => (held = false));

    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!moved) return void (told.textContent = "Move a point first.");
      const off = points.map(({ slider }, i) => Math.abs(slider.valueAsNumber - real[i]));
      const far = off.indexOf(Math.max(...off)), mean = off.reduce((sum, one) => sum + one) / off.length;
      shown.replaceChildren(
        ...points.map(({ slider }, i) => svg("line", { class: "off", x1: X(i), x2: X(i), y1: Y(slider.valueAsNumber), y2: Y(real[i]) })),
        svg("path", { class: "real", d: line(real) }),
        ...real.map((value, i) => svg("rect", { class: "real", x: X(i) - 4, y: Y(value) - 4, width: 8, height: 8 })),
      );
      const most = ` Farthest at ${axes.dataset.x} ${at[far]}: you said ${points[far].slider.valueAsNumber.toFixed(digits)}, it is ${truth[far][1]}.`;
      uncover(`Off by ${mean.toFixed(digits)} on average.${Number(off[far].toFixed(digits)) ? most : ""} Squares are what was measured.`);
    });
    draw(false);
  }
})();
