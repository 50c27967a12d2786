// The random stream of an execution: ChaCha20 (RFC 8439) under the execution's 32-byte seed, nonce 0, counter from 0.
import { current } from "./execution.js";
import { charCodeAt } from "./primordials.js";

const rotate = (word, by) => (word << by) | (word >>> (32 - by));
const NativeUint32Array = Uint32Array;

class Stream {
  // Fields, here and in every class of the core: an assignment in the constructor would run a setter of that name, should
  // user code have put one on Object.prototype, with this object in its hands.
  state = new NativeUint32Array(16);
  block = new NativeUint32Array(16);
  next = 16;

  constructor(seed) {
    const { state } = this;
    state[0] = 0x61707865;
    state[1] = 0x3320646e;
    state[2] = 0x79622d32;
    state[3] = 0x6b206574;
    for (let i = 0; i < 32; i++) state[4 + (i >> 2)] |= (charCodeAt(seed, i) & 255) << ((i & 3) * 8);
  }

  word() {
    if (this.next === 16) this.refill();
    return this.block[this.next++];
  }

  refill() {
    const { state, block } = this;
    let a0 = state[0], a1 = state[1], a2 = state[2], a3 = state[3], b0 = state[4], b1 = state[5], b2 = state[6],
      b3 = state[7], c0 = state[8], c1 = state[9], c2 = state[10], c3 = state[11], d0 = state[12], d1 = state[13],
      d2 = state[14], d3 = state[15];
    for (let round = 0; round < 10; round++) {
      a0 = (a0 + b0) | 0; d0 = rotate(d0 ^ a0, 16); c0 = (c0 + d0) | 0; b0 = rotate(b0 ^ c0, 12);
      a0 = (a0 + b0) | 0; d0 = rotate(d0 ^ a0, 8); c0 = (c0 + d0) | 0; b0 = rotate(b0 ^ c0, 7);
      a1 = (a1 + b1) | 0; d1 = rotate(d1 ^ a1, 16); c1 = (c1 + d1) | 0; b1 = rotate(b1 ^ c1, 12);
      a1 = (a1 + b1) | 0; d1 = rotate(d1 ^ a1, 8); c1 = (c1 + d1) | 0; b1 = rotate(b1 ^ c1, 7);
      a2 = (a2 + b2) | 0; d2 = rotate(d2 ^ a2, 16); c2 = (c2 + d2) | 0; b2 = rotate(b2 ^ c2, 12);
      a2 = (a2 + b2) | 0; d2 = rotate(d2 ^ a2, 8); c2 = (c2 + d2) | 0; b2 = rotate(b2 ^ c2, 7);
      a3 = (a3 + b3) | 0; d3 = rotate(d3 ^ a3, 16); c3 = (c3 + d3) | 0; b3 = rotate(b3 ^ c3, 12);
      a3 = (a3 + b3) | 0; d3 = rotate(d3 ^ a3, 8); c3 = (c3 + d3) | 0; b3 = rotate(b3 ^ c3, 7);
      a0 = (a0 + b1) | 0; d3 = rotate(d3 ^ a0, 16); c2 = (c2 + d3) | 0; b1 = rotate(b1 ^ c2, 12);
      a0 = (a0 + b1) | 0; d3 = rotate(d3 ^ a0, 8); c2 = (c2 + d3) | 0; b1 = rotate(b1 ^ c2, 7);
      a1 = (a1 + b2) | 0; d0 = rotate(d0 ^ a1, 16); c3 = (c3 + d0) | 0; b2 = rotate(b2 ^ c3, 12);
      a1 = (a1 + b2) | 0; d0 = rotate(d0 ^ a1, 8); c3 = (c3 + d0) | 0; b2 = rotate(b2 ^ c3, 7);
      a2 = (a2 + b3) | 0; d1 = rotate(d1 ^ a2, 16); c0 = (c0 + d1) | 0; b3 = rotate(b3 ^ c0, 12);
      a2 = (a2 + b3) | 0; d1 = rotate(d1 ^ a2, 8); c0 = (c0 + d1) | 0; b3 = rotate(b3 ^ c0, 7);
      a3 = (a3 + b0) | 0; d2 = rotate(d2 ^ a3, 16); c1 = (c1 + d2) | 0; b0 = rotate(b0 ^ c1, 12);
      a3 = (a3 + b0) | 0; d2 = rotate(d2 ^ a3, 8); c1 = (c1 + d2) | 0; b0 = rotate(b0 ^ c1, 7);
    }
    block[0] = a0 + state[0]; block[1] = a1 + state[1]; block[2] = a2 + state[2]; block[3] = a3 + state[3];
    block[4] = b0 + state[4]; block[5] = b1 + state[5]; block[6] = b2 + state[6]; block[7] = b3 + state[7];
    block[8] = c0 + state[8]; block[9] = c1 + state[9]; block[10] = c2 + state[10]; block[11] = c3 + state[11];
    block[12] = d0 + state[12]; block[13] = d1 + state[13]; block[14] = d2 + state[14]; block[15] = d3 + state[15];
    if (++state[12] === 0) state[13]++;
    this.next = 0;
  }
}

const streamOf = (execution) => execution.random ??= new Stream(execution.seed);

/** 53 random bits, as Math.random gives them. */
export function random() {
  const stream = streamOf(current());
  return ((stream.word() >>> 5) * 67108864 + (stream.word() >>> 6)) / 9007199254740992;
}

/** Fills a Uint8Array. Each call starts at a fresh word, so that what was drawn before decides nothing but the place. */
export function fillRandom(bytes) {
  const stream = streamOf(current());
  for (let i = 0; i < bytes.length; i += 4) {
    const word = stream.word();
    for (let j = i; j < i + 4 && j < bytes.length; j++) bytes[j] = word >>> ((j - i) * 8);
  }
  return bytes;
}

const HEX = [];
for (let i = 0; i < 256; i++) HEX[i] = (i < 16 ? "0" : "") + i.toString(16);

/** A version 4 UUID out of the stream of `execution`. */
export function uuid(execution) {
  const stream = streamOf(execution);
  const a = stream.word(), b = stream.word(), c = stream.word(), d = stream.word();
  return HEX[a & 255] + HEX[a >>> 8 & 255] + HEX[a >>> 16 & 255] + HEX[a >>> 24] + "-" + HEX[b & 255] + HEX[b >>> 8 & 255] +
    "-" + HEX[b >>> 16 & 15 | 64] + HEX[b >>> 24] + "-" + HEX[c & 63 | 128] + HEX[c >>> 8 & 255] + "-" +
    HEX[c >>> 16 & 255] + HEX[c >>> 24] + HEX[d & 255] + HEX[d >>> 8 & 255] + HEX[d >>> 16 & 255] + HEX[d >>> 24];
}
