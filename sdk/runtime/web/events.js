// Event, CustomEvent, EventTarget, AbortController, AbortSignal. https://dom.spec.whatwg.org
import { post } from "../calls.js";
import { current, nowMs } from "../execution.js";
import { DOMException } from "./exception.js";
import { reportError } from "../report.js";

let dispatching = null; // the event's keeper, so that EventTarget can set what scripts only read

export class Event {
  #type;
  #init;
  #target = null;
  #phase = 0;
  #prevented = false;
  #stopped = false;
  #time = nowMs();
  constructor(type, init = {}) {
    if (arguments.length === 0) throw new TypeError("Event needs a type");
    this.#type = `${type}`;
    this.#init = { bubbles: Boolean(init?.bubbles), cancelable: Boolean(init?.cancelable), composed: Boolean(init?.composed) };
  }
  static {
    dispatching = {
      begin(event, target) {
        event.#target = target;
        event.#phase = 2;
        event.#stopped = false;
      },
      end(event) { event.#phase = 0; },
      stopped: (event) => event.#stopped,
      busy: (event) => event.#phase !== 0,
    };
  }
  get type() { return this.#type; }
  get target() { return this.#target; }
  get currentTarget() { return this.#phase ? this.#target : null; }
  get srcElement() { return this.#target; }
  get eventPhase() { return this.#phase; }
  get bubbles() { return this.#init.bubbles; }
  get cancelable() { return this.#init.cancelable; }
  get composed() { return this.#init.composed; }
  get defaultPrevented() { return this.#prevented; }
  get returnValue() { return !this.#prevented; }
  get timeStamp() { return this.#time; }
  get isTrusted() { return false; }
  composedPath() { return this.#phase ? [this.#target] : []; }
  preventDefault() { if (this.#init.cancelable) this.#prevented = true; }
  stopPropagation() {}
  stopImmediatePropagation() { this.#stopped = true; }
  get [Symbol.toStringTag]() { return "Event"; }
}
for (const [name, value] of [["NONE", 0], ["CAPTURING_PHASE", 1], ["AT_TARGET", 2], ["BUBBLING_PHASE", 3]]) {
  Object.defineProperty(Event, name, { value, enumerable: true });
  Object.defineProperty(Event.prototype, name, { value, enumerable: true });
}

export class CustomEvent extends Event {
  #detail;
  constructor(type, init = {}) {
    super(type, init);
    this.#detail = init?.detail ?? null;
  }
  get detail() { return this.#detail; }
}

export class EventTarget {
  #listeners = new Map();

  addEventListener(type, callback, options) {
    if (callback === null || callback === undefined) return;
    const { capture = false, once = false, signal } = typeof options === "object" && options !== null ? options : { capture: options };
    if (signal?.aborted) return;
    const list = this.#listeners.get(`${type}`) ?? [];
    if (list.some((entry) => entry.callback === callback && entry.capture === Boolean(capture))) return;
    list.push({ callback, capture: Boolean(capture), once: Boolean(once), removed: false });
    this.#listeners.set(`${type}`, list);
    signal?.addEventListener("abort", () => this.removeEventListener(type, callback, options), { once: true });
  }

  removeEventListener(type, callback, options) {
    const capture = Boolean(typeof options === "object" && options !== null ? options.capture : options);
    const list = this.#listeners.get(`${type}`);
    const at = list?.findIndex((entry) => entry.callback === callback && entry.capture === capture) ?? -1;
    if (at < 0) return;
    list[at].removed = true;
    this.#listeners.set(`${type}`, list.toSpliced(at, 1));
  }

  dispatchEvent(event) {
    if (!(event instanceof Event)) throw new TypeError("dispatchEvent needs an Event");
    if (dispatching.busy(event)) throw new DOMException("The event is already being dispatched.", "InvalidStateError");
    dispatching.begin(event, this);
    const handler = this[`on${event.type}`];
    const listeners = (this.#listeners.get(event.type) ?? []).slice();
    if (typeof handler === "function") listeners.push({ callback: handler, removed: false, once: false });
    for (const entry of listeners) {
      if (entry.removed) continue;
      if (entry.once) this.removeEventListener(event.type, entry.callback, { capture: entry.capture });
      try {
        if (typeof entry.callback === "function") entry.callback.call(this, event);
        else entry.callback.handleEvent(event);
      } catch (error) {
        reportError(error);
      }
      if (dispatching.stopped(event)) break;
    }
    dispatching.end(event);
    return !event.defaultPrevented;
  }
  get [Symbol.toStringTag]() { return "EventTarget"; }
}

const CREATE = Symbol("create");
let abortSignal = null;

export class AbortSignal extends EventTarget {
  #aborted = false;
  #reason = undefined;
  #dependents = [];
  onabort = null;

  constructor(key) {
    if (key !== CREATE) throw new TypeError("Illegal constructor");
    super();
  }
  static {
    abortSignal = (signal, reason) => {
      if (signal.#aborted) return;
      signal.#aborted = true;
      signal.#reason = reason === undefined ? new DOMException("This operation was aborted", "AbortError") : reason;
      const dependents = signal.#dependents;
      signal.#dependents = [];
      signal.dispatchEvent(new Event("abort"));
      for (const dependent of dependents) abortSignal(dependent, signal.#reason);
    };
  }
  get aborted() { return this.#aborted; }
  get reason() { return this.#reason; }
  throwIfAborted() { if (this.#aborted) throw this.#reason; }

  static abort(reason) {
    const signal = new AbortSignal(CREATE);
    abortSignal(signal, reason);
    return signal;
  }
  static timeout(ms) {
    const signal = new AbortSignal(CREATE);
    post(current(), 0, "timer", { ms: Math.max(0, Math.trunc(Number(ms)) || 0) }, () =>
      abortSignal(signal, new DOMException("The operation timed out.", "TimeoutError")));
    return signal;
  }
  static any(signals) {
    const result = new AbortSignal(CREATE);
    const sources = [...signals];
    for (const source of sources) if (!(source instanceof AbortSignal)) throw new TypeError("AbortSignal.any needs signals");
    const aborted = sources.find((source) => source.#aborted);
    if (aborted) abortSignal(result, aborted.#reason);
    else for (const source of sources) source.#dependents.push(result);
    return result;
  }
  get [Symbol.toStringTag]() { return "AbortSignal"; }
}

export class AbortController {
  #signal = new AbortSignal(CREATE);
  get signal() { return this.#signal; }
  abort(reason) { abortSignal(this.#signal, reason); }
  get [Symbol.toStringTag]() { return "AbortController"; }
}
