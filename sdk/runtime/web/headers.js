// Headers, as https://fetch.spec.whatwg.org/#headers-class has them. Guards are not kept: a function may set any header.
import { isArray } from "../primordials.js";

const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const NAMES = new Map(); // lower-cased names that were checked
const FORBIDDEN_IN_VALUE = /[\0\r\n]/;

function nameOf(name) {
  const known = NAMES.get(name);
  if (known !== undefined) return known;
  const text = `${name}`;
  if (!NAME.test(text)) throw new TypeError(`Invalid header name: ${JSON.stringify(text)}`);
  const lower = text.toLowerCase();
  if (NAMES.size < 500) NAMES.set(text, lower);
  return lower;
}

function valueOf(value) {
  const text = `${value}`.replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, "");
  if (FORBIDDEN_IN_VALUE.test(text)) throw new TypeError("Invalid header value");
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 255) throw new TypeError("Invalid header value: not Latin-1");
  return text;
}

export class Headers {
  #lists = new Map(); // lower-cased name -> values

  constructor(init) {
    if (init === undefined || init === null) {
      if (init === null) throw new TypeError("Headers: null is no initializer");
      return;
    }
    if (typeof init !== "object" && typeof init !== "function") throw new TypeError("Headers: not an initializer");
    const iterate = init[Symbol.iterator];
    if (init instanceof Headers && iterate === Headers.prototype.entries) {
      for (const [name, values] of init.#lists) this.#lists.set(name, values.slice());
    } else if (typeof iterate === "function") {
      for (const pair of init) {
        const [name, value, ...more] = isArray(pair) ? pair : [...pair];
        if (value === undefined || more.length) throw new TypeError("Headers: each entry must be a pair");
        this.append(name, value);
      }
    } else {
      for (const name of Reflect.ownKeys(init)) {
        if (typeof name === "symbol") throw new TypeError("Headers: a symbol is no name");
        if (Object.getOwnPropertyDescriptor(init, name)?.enumerable) this.append(name, init[name]);
      }
    }
  }

  append(name, value) {
    name = nameOf(name);
    value = valueOf(value);
    const list = this.#lists.get(name);
    if (list === undefined) this.#lists.set(name, [value]);
    else list.push(value);
  }
  set(name, value) { this.#lists.set(nameOf(name), [valueOf(value)]); }
  delete(name) { this.#lists.delete(nameOf(name)); }
  has(name) { return this.#lists.has(nameOf(name)); }
  get(name) {
    const list = this.#lists.get(nameOf(name));
    return list === undefined ? null : list.length === 1 ? list[0] : list.join(", ");
  }
  getSetCookie() { return this.#lists.get("set-cookie")?.slice() ?? []; }

  /** Sorted by name; each Set-Cookie stays an entry of its own. */
  *entries() {
    for (const name of [...this.#lists.keys()].sort()) {
      const list = this.#lists.get(name);
      if (list === undefined) continue;
      if (name === "set-cookie") for (const value of list) yield [name, value];
      else yield [name, list.join(", ")];
    }
  }
  *keys() { for (const [name] of this.entries()) yield name; }
  *values() { for (const [, value] of this.entries()) yield value; }
  forEach(callback, self) { for (const [name, value] of this.entries()) callback.call(self, value, name, this); }
  get [Symbol.toStringTag]() { return "Headers"; }
}
Object.defineProperty(Headers.prototype, Symbol.iterator, { value: Headers.prototype.entries, writable: true, configurable: true });
