// How an error leaves the isolate. Whatever was thrown, this does not throw: it may be a trap of user code's making.
import { arrayJoin, isArray, jsonStringify, NativeError, stringIncludes, stringSlice, stringSplit } from "./primordials.js";

/** Frames of the runtime say nothing to the reader of a stack. */
export const RUNTIME_SCRIPT = "<flux-runtime>";
const MAX_MESSAGE = 16 << 10;
const MAX_STACK = 32 << 10;

function read(value, key) {
  try {
    return value[key];
  } catch {
    return undefined;
  }
}

function text(value, limit) {
  try {
    const string = typeof value === "string" ? value : String(value);
    return string.length > limit ? stringSlice(string, 0, limit) + "…" : string;
  } catch {
    return "(no text)";
  }
}

export function cleanStack(stack) {
  if (typeof stack !== "string") return "";
  const kept = [];
  const lines = stringSplit(stack.length > MAX_STACK ? stringSlice(stack, 0, MAX_STACK) : stack, "\n");
  for (let i = 0; i < lines.length; i++) {
    if (!stringIncludes(lines[i], RUNTIME_SCRIPT)) kept[kept.length] = lines[i];
  }
  return arrayJoin(kept, "\n");
}

function describe(value) {
  if (value === null || (typeof value !== "object" && typeof value !== "function")) {
    return { code: "FUNCTION_ERROR", status: 500, message: text(value, MAX_MESSAGE), name: "Error", stack: "" };
  }
  const code = read(value, "code");
  const status = read(value, "status");
  const message = read(value, "message");
  const failure = {
    code: typeof code === "string" && code !== "" ? text(code, 200) : "FUNCTION_ERROR",
    status: Number.isInteger(status) && status >= 400 && status <= 599 ? status : 500,
    message: message === undefined ? thrown(value) : text(message, MAX_MESSAGE),
    name: text(read(value, "name") ?? "Error", 200),
    stack: cleanStack(read(value, "stack")),
  };
  const cause = read(value, "cause");
  if (cause !== undefined && cause !== value) {
    failure.cause = cause instanceof NativeError ? `${text(read(cause, "name"), 200)}: ${text(read(cause, "message"), MAX_MESSAGE)}` : text(cause, 1000);
  }
  const violations = read(value, "violations");
  if (isArray(violations)) failure.violations = violations;
  return failure;
}

function thrown(value) {
  try {
    return text(jsonStringify(value) ?? text(value, MAX_MESSAGE), MAX_MESSAGE);
  } catch {
    return text(value, MAX_MESSAGE);
  }
}

/** JSON of {code, status, message, name, stack, cause?, violations?}. */
export function failureText(value) {
  try {
    return jsonStringify(describe(value));
  } catch {
    return '{"code":"FUNCTION_ERROR","status":500,"message":"the function threw something that cannot be described","name":"Error","stack":""}';
  }
}
