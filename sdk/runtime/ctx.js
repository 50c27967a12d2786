// `ctx`: everything a function can do. Bound to its execution (and span) by closure, never to "whoever runs now".
import { call, parentOf } from "./calls.js";
import { emit, emitLog, encode, FluxError } from "./execution.js";
import { lazy } from "./lazy.js";
import { lostIn } from "./lost.js";
import { create, freeze, jsonStringify, NativePromise, NativeProxy } from "./primordials.js";
import { uuid } from "./random.js";

const transactionOf = (tx) => (tx === null ? undefined : tx);

class Table {
  #call;
  #name;
  #tx;
  constructor(call, name, tx) {
    this.#call = call;
    this.#name = name;
    this.#tx = tx;
  }
  #send(op, args, options) {
    const own = { __proto__: null, table: this.#name, ...args };
    const more = { __proto__: null, ...options };
    // Options often come from a caller: they say how rows are answered, never which, nor of what table.
    for (const name in own) {
      if (name in more) return NativePromise.reject(notAnOption(op, name));
    }
    return asking(this.#call, op, { ...own, ...more, tx: transactionOf(this.#tx) });
  }
  find(where, options) { return this.#send("find", { where }, options); }
  findOne(where, options) { return this.#send("findOne", { where }, options); }
  findById(id, options) { return this.#send("findById", { id }, options); }
  insert(data, options) { return this.#send("insert", { data }, options); }
  insertMany(data, options) { return this.#send("insertMany", { data }, options); }
  update(where, data, options) { return this.#send("update", { where, data }, options); }
  upsert(data, options) { return this.#send("upsert", { data }, options); }
  delete(where, options) { return this.#send("delete", { where }, options); }
  count(where) { return this.#send("count", { where }); }
  aggregate(aggregates, options) { return this.#send("aggregate", { aggregates }, options); }
}

function asking(call, op, args) {
  const lost = lostIn(args);
  return lost === null ? call("db." + op, args) : NativePromise.reject(lost);
}

const notAnOption = (op, name) =>
  new FluxError(400, "INVALID_ARGUMENT", `"${name}" is not among the options of ${op}.`);

/** Properties that are no table: what the language itself asks any object for, so that a `db` can be awaited or logged. */
const NO_TABLE = { __proto__: null, then: true, toJSON: true, constructor: true, prototype: true };

function tablesOver(base, call, tx) {
  const tables = create(null);
  return new NativeProxy(freeze(base), {
    get(target, name) {
      if (typeof name === "symbol" || name === "__proto__" || NO_TABLE[name]) return undefined;
      return target[name] ?? (tables[name] ??= new Table(call, name, tx));
    },
  });
}

/** What a `db` has beside its tables. */
const calls = (call, tx) => ({
  query: (query) => asking(call, "query", { query, tx: transactionOf(tx) }),
  sql: (text, params = []) => call("db.sql", { text, params, tx: transactionOf(tx) }),
});

const queueOver = (call, tx) => freeze({
  push: (name, payload = null, options = {}) =>
    call("queue.push", { ...options, function: name, payload, tx: transactionOf(tx) }),
});

async function transaction(call, work) {
  if (typeof work !== "function") throw new TypeError("transaction takes a function: async (tx) => { ... }");
  const { tx } = await call("db.begin", {});
  let result;
  try {
    result = await work(tablesOver({ __proto__: null, ...calls(call, tx), queue: queueOver(call, tx) }, call, tx));
  } catch (error) {
    // The first error is the one to report; a rollback that fails ends with its connection.
    await call("db.rollback", { tx }).catch(() => {});
    throw error;
  }
  await call("db.commit", { tx });
  return result;
}

async function traced(execution, span, name, work) {
  const id = ++execution.ids;
  emit(execution, id, parentOf(execution, span), "~open", encode(String(name)));
  const above = execution.spans;
  const entry = execution.spans = { id, above, open: true };
  let ok = false;
  try {
    const result = await work(new Context(execution, id));
    ok = true;
    return result;
  } finally {
    entry.open = false;
    while (execution.spans !== null && !execution.spans.open) execution.spans = execution.spans.above;
    emit(execution, id, 0, ok ? "~close" : "~close!", "null");
  }
}

function logLine(execution, level, message, fields) {
  const entry = { message: typeof message === "string" ? message : encode(message) };
  if (fields !== undefined) entry.fields = fields;
  emitLog(execution, level, encode(entry));
}

export class Context {
  #execution;
  #span;
  #made = create(null);

  constructor(execution, span) {
    this.#execution = execution;
    this.#span = span;
  }

  /** Makes a part of ctx at its first use: most functions use few. */
  #part(name, make) {
    return this.#made[name] ??= make(this.#execution, (op, args) => call(this.#execution, this.#span, op, args));
  }

  get db() {
    return this.#part("db", (_, call) =>
      tablesOver({ __proto__: null, ...calls(call, null), transaction: (work) => transaction(call, work) }, call, null));
  }
  get queue() { return this.#part("queue", (_, call) => queueOver(call, null)); }
  get secrets() { return this.#part("secrets", (_, call) => freeze({ get: (name) => call("secrets.get", { name: String(name) }) })); }
  get function() {
    return this.#part("function", (_, call) => freeze({ invoke: (name, input = null) => call("invoke", { function: name, input }) }));
  }
  get fetch() {
    return this.#part("fetch", (execution) => (input, init) => lazy.web().fetchFrom(execution, this.#span, input, init));
  }
  get sleep() { return this.#part("sleep", (_, call) => (ms) => call("sleep", { ms: Number(ms) || 0 })); }
  get uuid() { return this.#part("uuid", (execution) => () => uuid(execution)); }
  get log() {
    return this.#part("log", (execution) => freeze({
      debug: (message, fields) => logLine(execution, "debug", message, fields),
      info: (message, fields) => logLine(execution, "info", message, fields),
      warn: (message, fields) => logLine(execution, "warn", message, fields),
      error: (message, fields) => logLine(execution, "error", message, fields),
    }));
  }
  get trace() {
    return this.#part("trace", (execution) => freeze({ span: (name, work) => traced(execution, this.#span, name, work) }));
  }
  get redact() {
    return this.#part("redact", (execution) => (value) => {
      emit(execution, 0, 0, "~redact", jsonStringify(value) ?? "null");
      return value;
    });
  }
  get error() { return makeError; }
  /** For fetch-style routers that hand work to the platform: it is waited for before the response is sent. */
  get waitUntil() {
    return this.#part("waitUntil", (execution) => (promise) => {
      (execution.waits ??= []).push(NativePromise.resolve(promise));
    });
  }
  get passThroughOnException() { return () => {}; }

  get headers() { return this.#part("headers", (execution) => new (lazy.web().Headers)(execution.context.headers)); }
  get env() { return this.#execution.context.env; }
  get user() { return this.#execution.context.user; }
  get tenant() { return this.#execution.context.tenant; }
  get requestId() { return this.#execution.context.requestId; }
  get functionName() { return this.#execution.context.functionName; }
  get replay() { return this.#execution.context.replay; }
}

function makeError(status, code, message) {
  const error = new FluxError(status, code, message === undefined ? code : message);
  if (NativeErrorCapture) NativeErrorCapture(error, makeError);
  return error;
}
const NativeErrorCapture = Error.captureStackTrace;
