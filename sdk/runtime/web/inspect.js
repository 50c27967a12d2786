// Values as text for the log: depth, width and length are bounded, and no getter of user code is called.
import { getOwnPropertyDescriptor, isArray } from "../primordials.js";
import { cleanStack } from "../failure.js";

const MAX_ITEMS = 100;
const MAX_TEXT = 10_000;
const IDENTIFIER = /^[A-Za-z_$][\w$]*$/;

export function show(value, depth) {
  return shown(value, depth, new Set(), false);
}

function shown(value, depth, above, quoted = true) {
  switch (typeof value) {
    case "string": return quoted ? quote(value) : value;
    case "bigint": return `${value}n`;
    case "symbol": return value.toString();
    case "function": return `[${/^class\b/.test(Function.prototype.toString.call(value)) ? "class" : "Function"}${value.name ? ": " + value.name : " (anonymous)"}]`;
    case "object": break;
    default: return Object.is(value, -0) ? "-0" : String(value);
  }
  if (value === null) return "null";
  if (above.has(value)) return "[Circular]";
  if (value instanceof Error) return errorText(value, depth, above);
  if (value instanceof Date) return Number.isNaN(+value) ? "Invalid Date" : value.toISOString();
  if (value instanceof RegExp) return RegExp.prototype.toString.call(value);
  if (value instanceof Promise) return "Promise {}";
  if (depth < 0) return isArray(value) ? "[Array]" : `[${className(value) || "Object"}]`;
  above.add(value);
  try {
    return compound(value, depth, above);
  } finally {
    above.delete(value);
  }
}

function errorText(error, depth, above) {
  const stack = cleanStack(own(error, "stack")) || `${error.name}: ${error.message}`;
  const extra = Object.keys(error).filter((key) => key !== "stack" && key !== "message");
  const cause = getOwnPropertyDescriptor(error, "cause");
  const parts = extra.slice(0, MAX_ITEMS).map((key) => `${key}: ${property(error, key, depth - 1, above)}`);
  if (cause && depth > 0) parts.push(`[cause]: ${shown(cause.value, depth - 1, above)}`);
  return parts.length && depth >= 0 ? `${stack} { ${parts.join(", ")} }` : stack;
}

const own = (object, key) => getOwnPropertyDescriptor(object, key)?.value ?? (key === "stack" ? object.stack : undefined);
const quote = (text) => JSON.stringify(text.length > MAX_TEXT ? text.slice(0, MAX_TEXT) + "…" : text);

function className(value) {
  const prototype = Object.getPrototypeOf(value);
  if (prototype === null) return "[Object: null prototype]";
  const constructor = getOwnPropertyDescriptor(prototype, "constructor")?.value;
  return typeof constructor === "function" && constructor !== Object ? constructor.name : "";
}

function property(object, key, depth, above) {
  const described = getOwnPropertyDescriptor(object, key);
  if (described === undefined) return "undefined";
  if (described.get) return described.set ? "[Getter/Setter]" : "[Getter]";
  if (described.set) return "[Setter]";
  return shown(described.value, depth, above);
}

function listed(items, total, open, close) {
  if (total > items.length) items.push(`... ${total - items.length} more`);
  if (items.length === 0) return open + close;
  const line = items.join(", ");
  return line.length <= 76 && !line.includes("\n") ? `${open} ${line} ${close}` : `${open}\n  ${items.join(",\n").replaceAll("\n", "\n  ")}\n${close}`;
}

function compound(value, depth, above) {
  const next = depth - 1;
  if (isArray(value)) {
    const items = [];
    for (let i = 0; i < Math.min(value.length, MAX_ITEMS); i++) items.push(i in value ? property(value, i, next, above) : "<empty>");
    return listed(items, value.length, "[", "]");
  }
  if (value instanceof Map) {
    const items = [...Map.prototype.entries.call(value)].slice(0, MAX_ITEMS).map(([k, v]) => `${shown(k, next, above)} => ${shown(v, next, above)}`);
    return listed(items, value.size, `Map(${value.size}) {`, "}");
  }
  if (value instanceof Set) {
    const items = [...Set.prototype.values.call(value)].slice(0, MAX_ITEMS).map((item) => shown(item, next, above));
    return listed(items, value.size, `Set(${value.size}) {`, "}");
  }
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
    return listed(Array.from(value.subarray(0, MAX_ITEMS), String), value.length, `${className(value)}(${value.length}) [`, "]");
  }
  const name = className(value);
  const names = Object.keys(value);
  const items = names.slice(0, MAX_ITEMS).map((key) => `${IDENTIFIER.test(key) ? key : quote(key)}: ${property(value, key, next, above)}`);
  return listed(items, names.length, name ? `${name} {` : "{", "}");
}
