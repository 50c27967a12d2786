// structuredClone. https://html.spec.whatwg.org/multipage/structured-data.html
import { Blob, File } from "./blob.js";
import { DOMException } from "./exception.js";

const ERRORS = { __proto__: null, Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };
const fail = (what) => { throw new DOMException(`${what} could not be cloned.`, "DataCloneError"); };

export function structuredClone(value, { transfer = [] } = {}) {
  const moved = new Map();
  for (const item of transfer) {
    if (!(item instanceof ArrayBuffer)) fail("a transferred value that is no ArrayBuffer");
    if (moved.has(item)) fail("an ArrayBuffer that is transferred twice");
    if (item.detached) fail("a detached ArrayBuffer");
    moved.set(item, null);
  }
  const copy = clone(value, moved);
  for (const item of transfer) if (moved.get(item) === null) item.transfer();
  return copy;
}

function clone(value, seen) {
  if (typeof value === "symbol") fail(String(value));
  if (typeof value === "function") fail(String(value).slice(0, 100));
  if (value === null || typeof value !== "object") return value;
  const known = seen.get(value);
  if (known !== undefined && known !== null) return known;
  const keep = (copy) => {
    seen.set(value, copy);
    return copy;
  };
  if (value instanceof ArrayBuffer) return keep(known === null ? value.transfer() : value.slice(0));
  if (ArrayBuffer.isView(value)) {
    const buffer = clone(value.buffer, seen);
    const length = value instanceof DataView ? value.byteLength : value.length;
    return keep(new value.constructor(buffer, value.byteOffset, length));
  }
  if (value instanceof Boolean || value instanceof Number || value instanceof String || value instanceof BigInt) return keep(Object(value.valueOf()));
  if (value instanceof Date) return keep(new Date(+value));
  if (value instanceof RegExp) return keep(new RegExp(value.source, value.flags));
  if (value instanceof File) return keep(new File([value], value.name, { type: value.type, lastModified: value.lastModified }));
  if (value instanceof Blob) return keep(new Blob([value], { type: value.type }));
  if (value instanceof Map) {
    const copy = keep(new Map());
    for (const [key, item] of [...value]) copy.set(clone(key, seen), clone(item, seen));
    return copy;
  }
  if (value instanceof Set) {
    const copy = keep(new Set());
    for (const item of [...value]) copy.add(clone(item, seen));
    return copy;
  }
  if (value instanceof Error) return keep(cloneError(value, seen));
  if (value instanceof Promise || value instanceof WeakMap || value instanceof WeakSet) fail(`#<${value.constructor.name}>`);
  if (hasPrivateState(value)) fail(`#<${value.constructor.name}>`);
  const copy = keep(Array.isArray(value) ? new Array(value.length) : {});
  for (const key of Object.keys(value)) {
    Object.defineProperty(copy, key, { value: clone(value[key], seen), writable: true, enumerable: true, configurable: true });
  }
  return copy;
}

/** Objects of the platform that hold something which a copy of their properties would lose. */
const hasPrivateState = (value) => PLATFORM.has(Object.prototype.toString.call(value).slice(8, -1));
const PLATFORM = new Set([
  "Request", "Response", "Headers", "URL", "URLSearchParams", "FormData", "AbortSignal", "AbortController", "EventTarget", "Event",
  "Generator", "AsyncGenerator", "ReadableStream", "WritableStream", "TransformStream", "TextDecoder", "TextEncoder", "CryptoKey",
]);

function cloneError(error, seen) {
  if (error instanceof DOMException) return new DOMException(error.message, error.name);
  const constructor = ERRORS[error.name] ?? Error;
  const made = new constructor();
  for (const key of ["message", "stack", "cause"]) {
    const described = Object.getOwnPropertyDescriptor(error, key);
    if (described && "value" in described) {
      Object.defineProperty(made, key, { value: key === "cause" ? clone(described.value, seen) : `${described.value}`, writable: true, configurable: true });
    } else if (key === "stack") Object.defineProperty(made, key, { value: error.stack, writable: true, configurable: true });
  }
  return made;
}
