// Byte-level BPE, as GPT-2 has it: text → bytes → the byte's letter → pieces merged pair by pair, the earliest learned pair first.
// `tokens` are the vocabulary in the order of its numbers, `merges` pairs of numbers in the order in which they were learned.

// GPT-2's own cut into words. White_Space instead of \s: JavaScript's \s knows other spaces than the tokenizer's.
const WORDS = /'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

// Printable bytes stand for themselves, the others for the letters from 256 on.
function byteLetters() {
  const letters = [];
  for (let byte = 0, next = 256; byte < 256; byte++) {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    letters.push(String.fromCodePoint(printable ? byte : next++));
  }
  return letters;
}

export class Tokenizer {
  constructor({ tokens, merges, special, digits }) {
    this.tokens = tokens;
    this.special = special; // whole tokens that no rule cuts, such as <|endoftext|>
    this.pieces = digits ? (text) => text.split(/(\p{N})/u) : (text) => [text]; // does each digit stand alone?
    this.letters = byteLetters();
    this.bytes = new Map(this.letters.map((letter, byte) => [letter, byte]));
    this.number = new Map(tokens.map((token, number) => [token, number]));
    this.rank = new Map(merges.map(([a, b], rank) => [a * tokens.length + b, rank]));
    this.merged = merges.map(([a, b]) => this.number.get(tokens[a] + tokens[b]));
    this.known = new Map(); // words met before
  }

  encode(text) {
    const numbers = [];
    for (const part of this.split(text)) {
      if (this.special.includes(part)) numbers.push(this.number.get(part));
      else for (const piece of this.pieces(part)) for (const [word] of piece.matchAll(WORDS)) numbers.push(...this.word(word));
    }
    return numbers;
  }

  split(text) {
    if (!this.special.length) return [text];
    const escaped = this.special.map((token) => token.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
    return text.split(new RegExp(`(${escaped.join("|")})`)).filter((part) => part);
  }

  word(word) {
    if (!this.known.has(word)) this.known.set(word, this.merge(Array.from(new TextEncoder().encode(word), (byte) => this.number.get(this.letters[byte]))));
    return this.known.get(word);
  }

  merge(pieces) {
    for (;;) {
      let best = Infinity, at = -1;
      for (let i = 0; i + 1 < pieces.length; i++) {
        const rank = this.rank.get(pieces[i] * this.tokens.length + pieces[i + 1]);
        if (rank < best) [best, at] = [rank, i];
      }
      if (at < 0) return pieces;
      pieces.splice(at, 2, this.merged[best]);
    }
  }

  // What a token says; bytes that are no whole character show as �.
  text(number) {
    const token = this.tokens[number];
    if (this.special.includes(token)) return token;
    return new TextDecoder().decode(Uint8Array.from(token, (letter) => this.bytes.get(letter)));
  }
}
