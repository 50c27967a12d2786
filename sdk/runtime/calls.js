// Host calls: a request leaves through the outbox, its answer comes back in a message of its own.
import { current, emit, encode, FluxError, limits } from "./execution.js";
import { jsonParse, NativePromise } from "./primordials.js";

/** The span that calls of `execution` hang under: the given one, else the innermost that is open, else the function. */
export const parentOf = (execution, span) =>
  span || (execution.spans === null ? 0 : execution.spans.id);

/**
 * Posts a call; returns its id. `settle(ok, payload, execution)` is called with the answer's JSON text.
 * Throws FluxError when the call is not possible here or exceeds a limit.
 */
export function post(execution, span, op, args, settle) {
  if (execution.number === 0) {
    throw new FluxError(500, "NO_EXECUTION", `${op} is only possible while a request is handled, not at a module's top level`);
  }
  if (execution.gone) throw new FluxError(500, "EXECUTION_OVER", `${op} after the end of its request`);
  if (execution.inFlight >= limits.inFlightCalls) {
    throw new FluxError(500, "CALL_LIMIT", `more than ${limits.inFlightCalls} host calls in flight`);
  }
  const text = encode(args);
  const id = ++execution.ids;
  execution.inFlight++;
  execution.pending[id] = settle;
  emit(execution, id, parentOf(execution, span), op, text);
  return id;
}

/** The host's answer. False when nobody waits for it. */
export function answer(execution, id, ok, payload) {
  const settle = execution.pending[id];
  if (settle === undefined) return false;
  delete execution.pending[id];
  execution.inFlight--;
  settle(ok, payload);
  return true;
}

/** Takes a call back: its answer, should one come, is ignored. */
export function cancel(execution, id) {
  if (execution.pending[id] === undefined) return;
  delete execution.pending[id];
  execution.inFlight--;
  emit(execution, id, 0, "~cancel", "null");
}

export function hostError(payload) {
  const { code, status, message, ...rest } = jsonParse(payload);
  const error = new FluxError(status, code, message);
  for (const key in rest) error[key] = rest[key];
  return error;
}

/**
 * A host call as a promise of its parsed result. The error is made after the await, in this function's own
 * continuation: there V8 knows who awaits it, so its stack names the line of user code that made the call.
 */
export async function call(execution, span, op, args) {
  let ok;
  const payload = await new NativePromise((resolve) => {
    post(execution, span, op, args, (good, text) => {
      ok = good;
      resolve(text);
    });
  });
  if (!ok) throw hostError(payload);
  return jsonParse(payload);
}

/** A host call of whichever execution runs now. */
export const callHere = (op, args) => call(current(), 0, op, args);
