// MessageChannel and MessagePort, within one isolate. https://html.spec.whatwg.org/multipage/web-messaging.html
import { structuredClone } from "./clone.js";
import { Event, EventTarget } from "./events.js";
import { queueMicrotask } from "../timers.js";

export class MessageEvent extends Event {
  #init;
  constructor(type, init = {}) {
    super(type, init);
    this.#init = init;
  }
  get data() { return this.#init.data ?? null; }
  get origin() { return this.#init.origin ?? ""; }
  get lastEventId() { return this.#init.lastEventId ?? ""; }
  get source() { return this.#init.source ?? null; }
  get ports() { return this.#init.ports ?? []; }
}

let join = null;
const CREATE = Symbol("create");

export class MessagePort extends EventTarget {
  #other = null;
  #waiting = [];
  #started = false;
  #closed = false;
  #handler = null;
  onmessageerror = null;
  constructor(key) {
    if (key !== CREATE) throw new TypeError("Illegal constructor");
    super();
  }
  static {
    join = (one, two) => {
      one.#other = two;
      two.#other = one;
    };
  }
  get onmessage() { return this.#handler; }
  set onmessage(handler) {
    this.#handler = handler;
    this.start();
  }
  postMessage(data, options) {
    const transfer = Array.isArray(options) ? options : options?.transfer ?? [];
    const other = this.#other;
    if (this.#closed || other === null) return;
    other.#waiting.push(structuredClone(data, { transfer }));
    if (other.#started) queueMicrotask(() => other.#deliver());
  }
  start() {
    if (this.#started) return;
    this.#started = true;
    if (this.#waiting.length) queueMicrotask(() => this.#deliver());
  }
  close() {
    this.#closed = true;
    this.#other = null;
  }
  #deliver() {
    if (this.#closed || this.#waiting.length === 0) return;
    this.dispatchEvent(new MessageEvent("message", { data: this.#waiting.shift() }));
    if (this.#waiting.length) queueMicrotask(() => this.#deliver());
  }
}

export class MessageChannel {
  #one = new MessagePort(CREATE);
  #two = new MessagePort(CREATE);
  constructor() { join(this.#one, this.#two); }
  get port1() { return this.#one; }
  get port2() { return this.#two; }
}
