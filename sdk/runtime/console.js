// console: log entries of the execution that runs. Formatting follows https://console.spec.whatwg.org, values as Node shows them.
import { current, emitLog } from "./execution.js";
import { jsonStringify } from "./primordials.js";
import { lazy } from "./lazy.js";

const MAX_MESSAGE = 16 << 10;

/** The inspector is only loaded when a value is shown that is no plain text. */
const show = (value, depth) => typeof value === "object" || typeof value === "function" ? lazy.web().show(value, depth) : plainly(value);
const plainly = (value) => typeof value === "bigint" ? `${value}n` : Object.is(value, -0) ? "-0" : String(value);

export function format(args) {
  let text = "";
  let next = 0;
  if (typeof args[0] === "string") {
    next = 1;
    text = args[0].replace(/%([sdifjoOc%])/g, (all, kind) => {
      if (kind === "%") return "%";
      if (next >= args.length) return all;
      const value = args[next++];
      switch (kind) {
        case "s": return typeof value === "object" || typeof value === "function" ? show(value, 1) : String(value);
        case "d": return typeof value === "object" ? "NaN" : String(Number(value));
        case "i": return typeof value === "object" ? "NaN" : String(parseInt(value, 10));
        case "f": return String(parseFloat(value));
        case "j": return jsonStringify(value) ?? "undefined";
        case "c": return "";
        default: return show(value, 4);
      }
    });
  }
  for (; next < args.length; next++) {
    text += (next ? " " : "") + (typeof args[next] === "string" ? args[next] : show(args[next], 2));
  }
  return text;
}

function write(level, args) {
  let message;
  try {
    message = (indent ? " ".repeat(indent) : "") + format(args);
  } catch {
    message = "(a value that cannot be shown)";
  }
  if (message.length > MAX_MESSAGE) message = message.slice(0, MAX_MESSAGE) + "…";
  emitLog(current(), level, jsonStringify({ message }));
}

let indent = 0;
const countsOf = () => current().counts ??= new Map();
const timesOf = () => current().times ??= new Map();

function elapsed(label) {
  const start = timesOf().get(label);
  return start === undefined ? null : `${label}: ${(current().clock - start) / 1000}ms`;
}

export const console = {
  log: (...args) => write("info", args),
  info: (...args) => write("info", args),
  debug: (...args) => write("debug", args),
  warn: (...args) => write("warn", args),
  error: (...args) => write("error", args),
  trace: (...args) => write("debug", [...args, "\n" + (new Error().stack ?? "").split("\n").slice(2).join("\n")]),
  assert(condition, ...args) { if (!condition) write("error", ["Assertion failed", ...args]); },
  dir: (value) => write("info", [value]),
  dirxml: (...args) => write("info", args),
  table: (value) => write("info", [value]),
  group(...args) {
    if (args.length) write("info", args);
    indent = Math.min(indent + 2, 40);
  },
  groupCollapsed(...args) { console.group(...args); },
  groupEnd() { indent = Math.max(0, indent - 2); },
  count(label = "default") {
    const count = (countsOf().get(`${label}`) ?? 0) + 1;
    countsOf().set(`${label}`, count);
    write("info", [`${label}: ${count}`]);
  },
  countReset(label = "default") { countsOf().delete(`${label}`); },
  time(label = "default") { timesOf().set(`${label}`, current().clock); },
  timeLog(label = "default", ...args) { const text = elapsed(`${label}`); if (text) write("info", [text, ...args]); },
  timeEnd(label = "default") {
    const text = elapsed(`${label}`);
    if (text) write("info", [text]);
    timesOf().delete(`${label}`);
  },
  clear() {},
};
