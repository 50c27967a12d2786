// Parts that many functions never touch. They stand in the bootstrap as text, which costs nothing to carry; one is compiled
// when it is first used, with an `eval` that was taken before user code ran. The generator puts `__flux_parts` (name ->
// source of a function of the core modules) in front of the bundle.
/* global __flux_parts */
import * as calls from "./calls.js";
import * as execution from "./execution.js";
import * as failure from "./failure.js";
import * as primordials from "./primordials.js";
import * as random from "./random.js";
import * as report from "./report.js";
import * as timers from "./timers.js";

const parts = __flux_parts;
const evaluate = eval;
const core = { calls, execution, failure, primordials, random, report, timers };
const made = { __proto__: null };
const part = (name) => made[name] ??= evaluate(parts[name])(core);

export const lazy = {
  /** Everything of the web API but streams and URLPattern. */
  web: () => part("web"),
  streams: () => part("streams"),
  pattern: () => part("pattern"),
  isLoaded: (name) => made[name] !== undefined,
};
core.lazy = lazy;
