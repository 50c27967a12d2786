// What stands on globalThis: the WinterTC minimum common API, and the language's own sources of chance and time replaced.
import { installClock, Performance } from "./clock.js";
import { defineProperty } from "./primordials.js";
import { random } from "./random.js";
import { console } from "./console.js";
import { Crypto, crypto } from "./crypto.js";
import { lazy } from "./lazy.js";
import { reportError } from "./report.js";
import * as timers from "./timers.js";

const LAZY = {
  web: [
    "AbortController", "AbortSignal", "Blob", "CryptoKey", "CustomEvent", "DOMException", "Event", "EventTarget", "File", "FormData",
    "Headers", "MessageChannel", "MessageEvent", "MessagePort", "Request", "Response", "SubtleCrypto", "TextDecoder", "TextEncoder",
    "URL", "URLSearchParams", "atob", "btoa", "fetch", "structuredClone",
  ],
  streams: [
    "ByteLengthQueuingStrategy", "CountQueuingStrategy", "ReadableByteStreamController", "ReadableStream", "ReadableStreamBYOBReader",
    "ReadableStreamBYOBRequest", "ReadableStreamDefaultController", "ReadableStreamDefaultReader", "TextDecoderStream", "TextEncoderStream",
    "TransformStream", "TransformStreamDefaultController", "WritableStream", "WritableStreamDefaultController", "WritableStreamDefaultWriter",
  ],
  pattern: ["URLPattern"],
};
const EAGER = { Crypto, Performance, console, crypto, reportError, ...timers };

const hidden = (target, name, value) => defineProperty(target, name, { value, writable: true, configurable: true, enumerable: false });

/** Becomes the class or function at its first use; until then its code is not even compiled. */
function installLazy(global, name, part) {
  defineProperty(global, name, {
    configurable: true,
    enumerable: false,
    get() {
      const value = lazy[part]()[name];
      hidden(global, name, value);
      return value;
    },
    set(value) { hidden(global, name, value); },
  });
}

/** Holds its target for good: when it would be collected is chance, and chance is not recorded. */
class WeakRef {
  #target;
  constructor(target) {
    if (target === null || (typeof target !== "object" && typeof target !== "function" && typeof target !== "symbol")) {
      throw new TypeError("WeakRef: the target must be an object");
    }
    this.#target = target;
  }
  deref() { return this.#target; }
  get [Symbol.toStringTag]() { return "WeakRef"; }
}

/** Never calls back, which the language allows. */
class FinalizationRegistry {
  constructor(callback) {
    if (typeof callback !== "function") throw new TypeError("FinalizationRegistry needs a function");
  }
  register() {}
  unregister() { return false; }
  get [Symbol.toStringTag]() { return "FinalizationRegistry"; }
}

/** V8 compiles in tasks of its own, whose promises would settle in no execution's name; these settle in the caller's. */
function installWebAssembly(wasm) {
  const { Module, Instance } = wasm;
  hidden(wasm, "compile", async (bytes) => new Module(bytes));
  hidden(wasm, "instantiate", async (source, imports) => {
    if (source instanceof Module) return new Instance(source, imports);
    const module = new Module(source);
    return { module, instance: new Instance(module, imports) };
  });
  delete wasm.compileStreaming;
  delete wasm.instantiateStreaming;
}

export function install(global) {
  for (const name in EAGER) hidden(global, name, EAGER[name]);
  for (const part in LAZY) for (const name of LAZY[part]) installLazy(global, name, part);
  hidden(global, "performance", new Performance());
  hidden(global, "navigator", Object.freeze({ userAgent: "Flux", language: "en-US", languages: Object.freeze(["en-US"]), hardwareConcurrency: 1 }));
  hidden(global, "self", global);
  hidden(global, "WeakRef", WeakRef);
  hidden(global, "FinalizationRegistry", FinalizationRegistry);
  hidden(Math, "random", random);
  installClock(global);
  if (typeof WebAssembly !== "undefined") installWebAssembly(WebAssembly);
  // Blocking, and memory shared with threads that there are not.
  delete Atomics.wait;
  delete Atomics.waitAsync;
  delete global.SharedArrayBuffer;
  Error.stackTraceLimit = 20;
}
