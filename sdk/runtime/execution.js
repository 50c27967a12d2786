// Executions: who is running, what time it is there, and the outbox through which everything leaves the isolate.
import { create, floor, jsonStringify, NativeError } from "./primordials.js";

/** Executions by number. A null prototype, so that nothing user code puts on Object.prototype shows up in it. */
const executions = create(null);
let outbox = "";
// Executions whose outcome is not told yet, linked by `next`. No array: storing into one can run a setter that user code
// has put on Array.prototype, and an execution must never get into the hands of user code.
let firstFinished = null;
let lastFinished = null;

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
    spans: null, // the innermost local span that is open: {id, above, open}
    outcome: null, // {op, payload}
    next: null,
    logged: 0, // characters
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
  if (firstFinished === null) firstFinished = execution;
  else lastFinished.next = execution;
  lastFinished = execution;
}

/** Tells outcomes. An execution that awaits nothing more is forgotten; for the others the host must say so. */
function tellOutcomes() {
  for (let execution = firstFinished; execution !== null; execution = execution.next) {
    const { op, payload } = execution.outcome;
    emit(execution, 0, 0, op, payload);
    if (execution.inFlight === 0) forget(execution);
    else emit(execution, 0, 0, "~held", "null");
  }
  firstFinished = lastFinished = null;
}

export function takeOutbox() {
  if (firstFinished !== null) tellOutcomes();
  const text = outbox;
  outbox = "";
  return text;
}

/** What one execution may log, in characters of JSON: a loop that logs must not fill the record. */
const MAX_LOG = 1 << 20;

/** A log entry; `text` is the JSON of {message, fields?}. */
export function emitLog(execution, level, text) {
  if (execution.logged > MAX_LOG) return;
  execution.logged += text.length;
  if (execution.logged > MAX_LOG) text = `{"message":"the log of this request is cut off here: it has more than ${MAX_LOG} characters"}`;
  emit(execution, 0, 0, "~log." + level, text);
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
