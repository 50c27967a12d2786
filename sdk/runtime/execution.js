// Executions: who is running, what time it is there, and the outbox through which everything leaves the isolate.
import { create, floor, jsonStringify, NativeError } from "./primordials.js";

/** Executions by number. A null prototype, so that nothing user code puts on Object.prototype shows up in it. */
const executions = create(null);
let outbox = "";
let finished = []; // executions that have an outcome which is not told yet

/** What the module's top level sees; the host says its clock and seed with OPEN. */
export const moduleExecution = newExecution(0, 0, "");
let running = moduleExecution;

export const limits = { messageLength: 8 << 20, inFlightCalls: 256 };

function newExecution(number, clock, seed) {
  return {
    number, // 0 = the module's top level
    started: clock, // µs since 1970, like clock
    clock,
    seed,
    random: null, // made at first use
    ids: 0, // calls and local spans count together
    pending: create(null), // answers awaited, by id
    inFlight: 0,
    spans: null, // ids of the local spans that are open, outermost first
    outcome: null, // {op, payload}
    gone: false, // the host wants nothing more of it
    context: null,
    waits: null,
    timers: null,
    counts: null,
    times: null,
  };
}

export const current = () => running;
export const setCurrent = (execution) => { running = execution; };
export const find = (number) => executions[number];

export function begin(number, clock, seed) {
  return running = executions[number] = newExecution(number, clock, seed);
}

export function forget(execution) {
  execution.gone = true;
  delete executions[execution.number];
}

/** One line: execution, id, parent, op, payload, parted by tabs. The payload is JSON and so has neither tab nor newline. */
export function emit(execution, id, parent, op, payload) {
  if (execution.gone) return;
  outbox += execution.number + "\t" + id + "\t" + parent + "\t" + op + "\t" + payload + "\n";
}

/** The outcome is told at the end of the step, behind whatever else the step has to say. */
export function finish(execution, op, payload) {
  execution.outcome = { op, payload };
  finished[finished.length] = execution;
}

/** Tells outcomes. An execution that awaits nothing more is forgotten; for the others the host must say so. */
function tellOutcomes() {
  for (let i = 0; i < finished.length; i++) {
    const execution = finished[i];
    const { op, payload } = execution.outcome;
    emit(execution, 0, 0, op, payload);
    if (execution.inFlight === 0) forget(execution);
    else emit(execution, 0, 0, "~held", "null");
  }
  finished = [];
}

export function takeOutbox() {
  if (finished.length) tellOutcomes();
  const text = outbox;
  outbox = "";
  return text;
}

/** An error of Flux's own: what the host, the limits and `ctx.error` throw. */
export class FluxError extends NativeError {
  constructor(status, code, message) {
    super(message);
    this.code = code;
    this.status = status;
  }
}
Object.defineProperty(FluxError.prototype, "name", { value: "FluxError", configurable: true, writable: true });

/** JSON text of `value` for the host; "null" for what JSON has no word for. */
export function encode(value) {
  const text = jsonStringify(value);
  if (text === undefined) return "null";
  if (text.length > limits.messageLength) {
    throw new FluxError(500, "MESSAGE_LIMIT", `${text.length} bytes of JSON are more than the limit of ${limits.messageLength}`);
  }
  return text;
}

export const nowMs = () => floor(running.clock / 1000);
