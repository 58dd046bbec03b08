// A Llama that runs here, off the page's own thread: its blocks as ONNX graphs (llama_block.py) in onnxruntime-web, embeddings and output head
// in plain JavaScript. The page asks by { id, call, args } and hears { id, share } on the way and { id, value } or { id, error } at the end.

import * as ort from "./ort/ort.wasm.min.mjs";

ort.env.wasm.wasmPaths = new URL("ort/", import.meta.url).href; // threads as many as it finds right: half the cores, at most four

async function fetched(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(await response.text());
  return response.arrayBuffer();
}
const graph = async (path) => ort.InferenceSession.create(new Uint8Array(await fetched(path)));
const array = (numbers, ...shape) => new ort.Tensor("float32", numbers, shape);

class Llama {
  async load({ layers, width, epsilon, frequencies }, tell) {
    Object.assign(this, { width, epsilon, frequencies, blocks: [] });
    this.words = new Float32Array(await fetched("words")); // (vocabulary, width)
    this.norm = new Float32Array(await fetched("norm"));
    for (let l = 0; l < layers; l++) {
      this.blocks.push(await graph(`blocks/${l}`));
      tell((l + 1) / layers);
    }
  }

  // The logits at the last position. What each block is given, and what attention makes of it, is kept: a clip changes nothing below itself.
  async read(tokens, tell) {
    const T = tokens.length, { width } = this, x = new Float32Array(T * width);
    tokens.forEach((token, t) => x.set(this.words.subarray(token * width, (token + 1) * width), t * width));
    const angles = (f) => array(Float32Array.from({ length: T * this.frequencies.length }, (_, i) =>
      f(Math.floor(i / this.frequencies.length) * this.frequencies[i % this.frequencies.length])), 1, T, this.frequencies.length);
    this.kept = [];
    this.turns = { cos: angles(Math.cos), sin: angles(Math.sin) };
    let hidden = array(x, 1, T, width);
    for (const block of this.blocks) {
      const { between, out } = await block.run({ hidden, ...this.turns });
      this.kept.push({ hidden, between });
      hidden = out;
      tell(this.kept.length / this.blocks.length);
    }
    return this.head(hidden.data);
  }

  // The factors of a module, as a graph that is cut at any rank; those of the module before it are let go. Says of how many singular values they are.
  async choose(layer, module) {
    const key = `clips/${layer}/${module}`;
    if (this.clip?.key !== key) {
      await this.clip?.graph.release();
      this.clip = null;
      this.clip = { key, layer, graph: await graph(key) };
    }
    return this.clip.graph.inputNames.filter((name) => name.startsWith("rank ")).map((name) => Number(name.slice(5)));
  }

  // The logits if the chosen module keeps `ranks[k]` of k singular values.
  async again(ranks) {
    const { layer, graph } = this.clip, given = { ...this.kept[layer], ...this.turns };
    for (const [k, rank] of Object.entries(ranks)) given[`rank ${k}`] = new ort.Tensor("int64", [BigInt(rank)], [1]);
    let hidden = (await graph.run(Object.fromEntries(graph.inputNames.map((name) => [name, given[name]])), ["out"])).out;
    for (const block of this.blocks.slice(layer + 1)) hidden = (await block.run({ hidden, ...this.turns }, ["out"])).out;
    return this.head(hidden.data);
  }

  head(x) {
    const { width, words, norm } = this, size = Math.sqrt(x.reduce((sum, value) => sum + value * value, 0) / width + this.epsilon);
    const y = Float64Array.from(x, (value, i) => (value / size) * norm[i]), logits = new Float32Array(words.length / width);
    for (let token = 0, at = 0; token < logits.length; token++) {
      let a = 0, b = 0;
      for (let i = 0; i < width; i += 2, at += 2) {
        a += words[at] * y[i];
        b += words[at + 1] * y[i + 1];
      }
      logits[token] = a + b;
    }
    return logits;
  }
}

// One call after the other: onnxruntime-web runs one graph at a time.
const llama = new Llama();
let turn = Promise.resolve();
onmessage = ({ data: { id, call, args } }) => {
  turn = turn.then(() => llama[call](...args, (share) => postMessage({ id, share }))).then(
    (value) => postMessage({ id, value }), (error) => postMessage({ id, error: error.message }));
};
