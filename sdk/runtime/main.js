// Entry: what the host calls. The four functions are handed over once, before user code runs, and are reachable by
// nothing else: the native side keeps them, and takes the global away.
import { answer } from "./calls.js";
import { begin, emit, find, forget, limits, moduleExecution, setCurrent, takeOutbox } from "./execution.js";
import { failureText } from "./failure.js";
import { install } from "./globals.js";
import { run, styleOf } from "./handler.js";
import { handled, rejected, reportRejections } from "./rejections.js";

const SOURCE = 1, OPEN = 2, START = 3, ANSWER = 4, ABANDON = 5, LAST_WORDS = 6;
const MODULE_GLOBAL = "__flux_module";

let handler = null;

function dispatch(kind, number, id, clock, ok, first, second, third, fourth) {
  switch (kind) {
    case ANSWER: {
      const execution = find(number);
      if (execution === undefined) return;
      setCurrent(execution);
      if (clock > execution.clock) execution.clock = clock;
      answer(execution, id, ok === 1, first);
      return;
    }
    case START: {
      const execution = begin(number, clock, first);
      run(handler, execution, second, third, fourth);
      return;
    }
    case ABANDON: {
      const execution = find(number);
      setCurrent(moduleExecution);
      if (execution !== undefined) forget(execution);
      return;
    }
    case SOURCE:
      return loaded(ok === 1, first);
    case OPEN:
      moduleExecution.clock = moduleExecution.started = clock;
      moduleExecution.seed = first;
      limits.messageLength = id;
      limits.inFlightCalls = number;
      return;
    case LAST_WORDS:
      setCurrent(moduleExecution);
  }
}

/** The module's top level has run. */
function loaded(ok, error) {
  if (ok) {
    try {
      handler = styleOf(globalThis[MODULE_GLOBAL]);
      delete globalThis[MODULE_GLOBAL];
      emit(moduleExecution, 0, 0, "~ready", JSON.stringify(handler.style));
      return;
    } catch (thrown) {
      error = thrown;
    }
  }
  emit(moduleExecution, 0, 0, "~module_failed", failureText(error));
}

/** The end of a step: what is left to say, and the outbox. */
function flush() {
  reportRejections();
  return takeOutbox();
}

install(globalThis);
globalThis.__flux_entries = [dispatch, flush, rejected, handled];
