// From a request to an outcome: which of the three styles a module has, its input, its schemas, its result.
import { Context } from "./ctx.js";
import { encode, finish, FluxError } from "./execution.js";
import { failureText } from "./failure.js";
import { lazy } from "./lazy.js";
import { freeze, isArray, jsonParse, NativePromise, stringIndexOf, stringSlice, stringToLowerCase } from "./primordials.js";

/** {style, run(execution, request, body)}, of what the module exports as default. */
export function styleOf(module) {
  const exported = module !== null && module !== undefined ? module.default : undefined;
  if (exported !== null && exported !== undefined) {
    if (typeof exported.handler === "function") {
      const { input, output } = exported;
      return schemaStyle("handler", (value, ctx) => exported.handler({ input: value, ctx }), input, output);
    }
    if (typeof exported.fetch === "function") return { style: "fetch", run: (x, request, body) => runFetch(exported, x, request, body) };
    if (typeof exported === "function") return schemaStyle("function", exported, undefined, undefined);
  }
  throw new FluxError(500, "NO_HANDLER", "the module's default export is neither a function, nor has it a handler or fetch method");
}

function schemaStyle(style, handle, inputSchema, outputSchema) {
  for (const schema of [inputSchema, outputSchema]) {
    if (schema !== undefined && schema !== null && typeof schema["~standard"]?.validate !== "function") {
      throw new FluxError(500, "NO_HANDLER", "a schema must follow Standard Schema (zod, valibot, arktype ...)");
    }
  }
  return {
    style,
    async run(execution, request, body) {
      const input = await checked(inputSchema, inputOf(request, body), 422, "VALIDATION_FAILED", "the input does not match the function's schema");
      const result = await handle(input, new Context(execution, 0));
      if (lazy.isLoaded("web") && lazy.web().isResponse(result)) return lazy.web().responsePayload(result);
      const output = await checked(outputSchema, result, 500, "OUTPUT_INVALID", "the result does not match the function's output schema");
      return { op: "~done", payload: outputText(output) };
    },
  };
}

async function runFetch(exported, execution, request, body) {
  const ctx = new Context(execution, 0);
  const { isResponse, requestOf, responsePayload } = lazy.web();
  const result = await exported.fetch(requestOf(request, body), ctx, ctx);
  if (!isResponse(result)) throw new FluxError(500, "OUTPUT_INVALID", "fetch must return a Response");
  return responsePayload(result);
}

function outputText(value) {
  try {
    return encode(value);
  } catch (error) {
    if (error instanceof FluxError) throw error;
    throw new FluxError(500, "OUTPUT_INVALID", `the result cannot be written as JSON: ${error?.message ?? error}`);
  }
}

function isJson(contentType) {
  const end = stringIndexOf(contentType, ";");
  const type = stringToLowerCase((end < 0 ? contentType : stringSlice(contentType, 0, end)).trim());
  return type === "application/json" || (type.startsWith("application/") && type.endsWith("+json"));
}

/** JSON body, query and path parameters in one; a body that is no object stands alone. */
function inputOf(request, body) {
  let value;
  if (body !== undefined && (typeof body !== "string" || body.length)) {
    let contentType = "";
    const { headers } = request;
    for (let i = 0; i < headers.length; i++) if (stringToLowerCase(headers[i][0]) === "content-type") contentType = headers[i][1];
    if (contentType !== "" && !isJson(contentType)) {
      throw new FluxError(415, "UNSUPPORTED_MEDIA_TYPE", `this function takes application/json, not ${contentType}`);
    }
    if (typeof body !== "string") throw new FluxError(400, "INVALID_JSON", "the body is not valid UTF-8");
    try {
      value = jsonParse(body);
    } catch (error) {
      throw new FluxError(400, "INVALID_JSON", `the body is not valid JSON: ${error.message}`);
    }
    if (value === null || typeof value !== "object" || isArray(value)) return value;
  }
  return { ...request.query, ...value, ...request.params };
}

async function checked(schema, value, status, code, message) {
  if (schema === undefined || schema === null) return value;
  const result = await schema["~standard"].validate(value);
  if (result.issues === undefined || result.issues === null) return result.value;
  const error = new FluxError(status, code, message);
  error.violations = [];
  for (const issue of result.issues) {
    error.violations.push({ path: pathText(issue.path), message: String(issue.message), code: String(issue.code ?? "invalid") });
  }
  throw error;
}

function pathText(path) {
  let text = "";
  for (const part of path ?? []) {
    const key = part !== null && typeof part === "object" ? part.key : part;
    text += typeof key === "number" ? `[${key}]` : (text === "" ? "" : ".") + String(key);
  }
  return text;
}

/** Runs one execution to its outcome. */
export async function run(handler, execution, requestText, contextText, body) {
  let op, payload;
  try {
    const request = jsonParse(requestText);
    const context = jsonParse(contextText);
    context.headers = request.headers ??= [];
    context.env = freeze(context.env ?? {});
    execution.context = context;
    ({ op, payload } = await handler.run(execution, request, body));
    if (execution.waits !== null) await NativePromise.allSettled(execution.waits);
  } catch (error) {
    op = "~failed";
    payload = failureText(error);
  }
  finish(execution, op, payload);
}
