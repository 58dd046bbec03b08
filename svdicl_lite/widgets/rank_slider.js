import { chart, drawn, frame, h, numbers, path, percent, rankAt, s, says, slider } from "./base.js";
import { kept, within } from "./kept.js";

// W_r (m × n), row by row: the first r products of a left and a right vector.
function rebuilt({ shape: [m, n], U, V, scale }, r) {
  const W = new Float32Array(m * n);
  for (let i = 0; i < r; i++)
    for (let a = 0; a < m; a++) {
      const weight = scale[i] * U[i * m + a];
      for (let b = 0; b < n; b++) W[a * n + b] += weight * V[i * n + b];
    }
  return W;
}

const norm = (W) => Math.sqrt(W.reduce((sum, w) => sum + w * w, 0));

export default {
  render({ model, el }) {
    const state = kept(model, "rank-slider", { clip_rate: within(0, 1) });
    const parts = model.get("parts").map((part, index) => {
      const [U, V] = [numbers(part.U, Int16Array), numbers(part.V, Int16Array)];
      const [scale, S] = [numbers(part.scale, Float32Array), numbers(part.S, Float32Array)];
      const factors = { shape: part.shape, U, V, scale };
      const whole = rebuilt(factors, S.length);
      const total = S.reduce((sum, x) => sum + x * x, 0);
      let sum = 0;
      const energies = [...S].map((x) => (sum += x * x) / total); // energy at rank 1 … k
      const limit = (3 * norm(whole)) / Math.sqrt(whole.length); // from black to white: three standard deviations to either side
      const colour = (w) => Array(3).fill(255 * (index ? 0.5 + w / (2 * limit) : w));
      const canvas = h("canvas", { width: part.shape[1], height: part.shape[0], role: "img" });
      const caption = h("figcaption");
      return { ...factors, name: part.name, k: S.length, whole, size: norm(whole), energies, colour, canvas, caption, look: index ? "two" : "one" };
    });

    const curve = chart({
      label: "The smallest relative error possible at each clip rate, and where the two matrices are now",
      x: { label: "clip rate ξ", domain: [0, 1], ticks: [0, 0.25, 0.5, 0.75, 1] },
      y: { label: "relative error", domain: [0, 1], ticks: [0, 0.25, 0.5, 0.75, 1] },
    });
    for (const part of parts) {
      const points = part.energies.map((share, i) => [1 - (i + 1) / part.k, Math.sqrt(Math.max(0, 1 - share))]);
      curve.plot.append(s("path", { class: part.look, d: path(curve, points) }));
      part.point = s("circle", { class: part.look, r: 6 });
      curve.plot.append(part.point);
    }

    const result = says();
    const draw = () => {
      const rate = model.get("clip_rate");
      const sentences = parts.map((part) => {
        const r = rankAt(part.k, rate);
        const W = rebuilt(part, r);
        paint(part.canvas, W, part.colour);
        const error = norm(W.map((w, i) => part.whole[i] - w)) / part.size;
        const energy = r ? part.energies[r - 1] : 0;
        part.point.setAttribute("cx", curve.x(1 - r / part.k)); // where this rank is: several rates share one
        part.point.setAttribute("cy", curve.y(error));
        part.caption.textContent = `${part.name}: rank ${r} of ${part.k}, error ${percent(error)}, energy ${percent(energy, 2)}`;
        part.canvas.setAttribute("aria-label", `The ${part.name} rebuilt at rank ${r} of ${part.k}`);
        return `${part.name} rank ${r}, error ${percent(error)}`;
      });
      result.say(`At ξ = ${rate.toFixed(3)}: ${sentences.join("; ")}.`);
    };

    const node = frame(
      el, "Rank slider: two matrices rebuilt from their factors",
      h("div", { class: "controls" }, slider(model, "clip_rate", { label: "Clip rate ξ", min: 0, max: 1, step: 0.005, shown: (rate) => rate.toFixed(3) })),
      h("div", { class: "panels" }, ...parts.map((part) => h("figure", {}, part.canvas, part.caption))),
      h("figure", {}, curve.node, h("figcaption", {}, ...legend(parts), "Curves: the least error that any matrix of this rank has. Points: the error measured on the pictures above.")),
      result,
    );
    drawn(model, ["clip_rate"], draw);
    state.bar(node, () => [
      ["matrix", "rank", "clip_rate", "smallest_error", "energy"],
      ...parts.flatMap(({ name, k, energies }) => energies.map((share, i) => [name, i + 1, 1 - (i + 1) / k, Math.sqrt(Math.max(0, 1 - share)), share])),
    ]);
  },
};

const legend = (parts) => parts.map((part) => h("span", { class: part.look }, `${part.look === "one" ? "—" : "- -"} ${part.name}. `));

function paint(canvas, W, colour) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  W.forEach((w, i) => image.data.set([...colour(w), 255], 4 * i)); // clamped to 0 … 255
  context.putImageData(image, 0, 0);
}
