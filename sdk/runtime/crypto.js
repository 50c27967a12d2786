// crypto: random values come from the execution's own stream. `subtle` is a part of its own (web/crypto.js).
import { current } from "./execution.js";
import { lazy } from "./lazy.js";
import { isView } from "./primordials.js";
import { fillRandom, uuid } from "./random.js";

const QUOTA = 65536;
const CREATE = Symbol("create");

export class Crypto {
  constructor(key) {
    if (key !== CREATE) throw new TypeError("Illegal constructor");
  }
  get subtle() { return lazy.web().subtle; }
  getRandomValues(array) {
    if (!isView(array) || array instanceof DataView || /^Float/.test(array[Symbol.toStringTag])) {
      throw new (lazy.web().DOMException)("getRandomValues takes an array of integers", "TypeMismatchError");
    }
    if (array.byteLength > QUOTA) {
      throw new (lazy.web().DOMException)(`getRandomValues gives at most ${QUOTA} bytes`, "QuotaExceededError");
    }
    fillRandom(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
    return array;
  }
  randomUUID() { return uuid(current()); }
  get [Symbol.toStringTag]() { return "Crypto"; }
}

export const crypto = new Crypto(CREATE);
