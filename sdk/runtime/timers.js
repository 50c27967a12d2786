// setTimeout, setInterval, queueMicrotask. A timer is a host call, so that a replay fires it where the record has it.
import { cancel, post } from "./calls.js";
import { current } from "./execution.js";
import { reportError } from "./report.js";

const MAX_DELAY = 2 ** 31 - 1;

let executionOf = null;

/** Node's libraries call unref() and friends on what setTimeout returns; it converts to its number. */
class Timeout {
  #execution;
  id = 0; // of the host call that is pending; an interval's changes with each tick
  number = 0;
  constructor(execution) { this.#execution = execution; }
  static { executionOf = (timer) => timer.#execution; }
  ref() { return this; }
  unref() { return this; }
  hasRef() { return true; }
  refresh() { return this; }
  close() { clearTimer(this); }
  [Symbol.toPrimitive]() { return this.number; }
  [Symbol.dispose]() { clearTimer(this); }
}

function start(callback, delay, args, repeat) {
  if (typeof callback !== "function") throw new TypeError("a timer needs a function: code in strings is not run");
  const execution = current();
  const ms = Math.min(Math.max(0, Math.trunc(Number(delay)) || 0), MAX_DELAY);
  const wait = (timer) => post(execution, 0, "timer", { ms: repeat ? Math.max(1, ms) : ms }, () => fire(timer));
  const fire = (timer) => {
    timer.id = 0;
    if (repeat) timer.id = wait(timer);
    else execution.timers?.delete(timer.number);
    try {
      callback(...args);
    } catch (error) {
      reportError(error);
    }
  };
  const timer = new Timeout(execution);
  timer.id = timer.number = wait(timer);
  (execution.timers ??= new Map()).set(timer.number, timer);
  return timer;
}

function clearTimer(timer) {
  if (typeof timer === "number" || typeof timer === "string") timer = current().timers?.get(Number(timer));
  if (!(timer instanceof Timeout)) return;
  const execution = executionOf(timer);
  execution.timers?.delete(timer.number);
  if (timer.id) cancel(execution, timer.id);
  timer.id = 0;
}

export function setTimeout(callback, delay, ...args) { return start(callback, delay, args, false); }
export function setInterval(callback, delay, ...args) { return start(callback, delay, args, true); }
export function setImmediate(callback, ...args) { return start(callback, 0, args, false); }
export function clearTimeout(timer) { clearTimer(timer); }
export function clearInterval(timer) { clearTimer(timer); }
export function clearImmediate(timer) { clearTimer(timer); }

const resolved = Promise.resolve();
const then = Promise.prototype.then;
export function queueMicrotask(callback) {
  if (typeof callback !== "function") throw new TypeError("queueMicrotask needs a function");
  Reflect.apply(then, resolved, [() => {
    try {
      callback();
    } catch (error) {
      reportError(error);
    }
  }]);
}
