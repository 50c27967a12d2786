// What stands on globalThis: the WinterTC minimum common API, and the language's own sources of chance and time replaced.
import { installClock, Performance } from "./clock.js";
import { defineProperty } from "./primordials.js";
import { random } from "./random.js";
import { Blob, File } from "./web/blob.js";
import { structuredClone } from "./web/clone.js";
import { console } from "./web/console.js";
import { Crypto, crypto, CryptoKey, SubtleCrypto } from "./web/crypto.js";
import { atob, btoa, TextDecoder, TextEncoder } from "./web/encoding.js";
import { AbortController, AbortSignal, CustomEvent, Event, EventTarget } from "./web/events.js";
import { DOMException } from "./web/exception.js";
import { fetch } from "./web/fetch.js";
import { FormData } from "./web/formdata.js";
import { Headers } from "./web/headers.js";
import { lazy } from "./web/lazy.js";
import { MessageChannel, MessageEvent, MessagePort } from "./web/message.js";
import { reportError } from "./web/report.js";
import { Request } from "./web/request.js";
import { Response } from "./web/response.js";
import * as timers from "./web/timers.js";
import { URL, URLSearchParams } from "./web/url.js";

const CLASSES = {
  AbortController, AbortSignal, Blob, Crypto, CryptoKey, CustomEvent, DOMException, Event, EventTarget, File, FormData, Headers,
  MessageChannel, MessageEvent, MessagePort, Performance, Request, Response, SubtleCrypto, TextDecoder, TextEncoder, URL, URLSearchParams,
};
const FUNCTIONS = { atob, btoa, fetch, reportError, structuredClone, ...timers };
const LAZY = {
  streams: [
    "ByteLengthQueuingStrategy", "CountQueuingStrategy", "ReadableByteStreamController", "ReadableStream", "ReadableStreamBYOBReader",
    "ReadableStreamBYOBRequest", "ReadableStreamDefaultController", "ReadableStreamDefaultReader", "TextDecoderStream", "TextEncoderStream",
    "TransformStream", "TransformStreamDefaultController", "WritableStream", "WritableStreamDefaultController", "WritableStreamDefaultWriter",
  ],
  pattern: ["URLPattern"],
};

const hidden = (target, name, value) => defineProperty(target, name, { value, writable: true, configurable: true, enumerable: false });

/** Defined as the class at its first use; until then its code is not even compiled. */
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
  for (const name in CLASSES) hidden(global, name, CLASSES[name]);
  for (const name in FUNCTIONS) hidden(global, name, FUNCTIONS[name]);
  for (const part in LAZY) for (const name of LAZY[part]) installLazy(global, name, part);
  hidden(global, "console", console);
  hidden(global, "crypto", crypto);
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
