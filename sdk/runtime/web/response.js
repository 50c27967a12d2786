// Response. https://fetch.spec.whatwg.org/#response-class
import { encode } from "../execution.js";
import { bytesToBase64, jsonStringify } from "../primordials.js";
import { Body, extract, PlainText, take, twin } from "./body.js";
import { decodeUtf8 } from "./encoding.js";
import { Headers } from "./headers.js";
import { URL } from "./url.js";

const NULL_BODY = [101, 103, 204, 205, 304];
const REDIRECTS = [301, 302, 303, 307, 308];
let made = null;

export class Response extends Body {
  #status = 200;
  #statusText = "";
  #headers;
  #type = "default";
  #url = "";
  #redirected = false;

  constructor(body = null, init = {}) {
    init ??= {};
    const { source, type } = extract(body);
    super(source);
    if (init.status !== undefined) {
      const status = Number(init.status);
      if (!(status >= 200 && status <= 599)) throw new RangeError(`the status ${init.status} is outside of 200 to 599`);
      this.#status = Math.trunc(status);
    }
    if (source !== null && NULL_BODY.includes(this.#status)) throw new TypeError(`a response with status ${this.#status} cannot have a body`);
    this.#statusText = `${init.statusText ?? ""}`;
    this.#headers = new Headers(init.headers ?? undefined);
    if (type !== null && !this.#headers.has("content-type")) this.#headers.set("content-type", type);
  }
  static {
    made = (response, fields) => {
      if (fields.status !== undefined) response.#status = fields.status;
      response.#statusText = fields.statusText ?? "";
      response.#type = fields.type ?? "default";
      response.#url = fields.url ?? "";
      response.#redirected = fields.redirected ?? false;
      return response;
    };
  }
  static error() { return made(new Response(), { status: 0, type: "error" }); }
  static redirect(url, status = 302) {
    if (!REDIRECTS.includes(status)) throw new RangeError(`${status} is no redirect`);
    return new Response(null, { status, headers: { location: new URL(`${url}`, "http://localhost/").href } });
  }
  static json(data, init = {}) {
    const text = jsonStringify(data);
    if (text === undefined) throw new TypeError("the value cannot be written as JSON");
    const headers = new Headers(init?.headers ?? undefined);
    if (!headers.has("content-type")) headers.set("content-type", "application/json");
    return new Response(text, { ...init, headers });
  }
  get status() { return this.#status; }
  get statusText() { return this.#statusText; }
  get ok() { return this.#status >= 200 && this.#status < 300; }
  get headers() { return this.#headers; }
  get type() { return this.#type; }
  get url() { return this.#url; }
  get redirected() { return this.#redirected; }
  clone() {
    return made(new Response(twin(this), { headers: this.#headers }), {
      status: this.#status, statusText: this.#statusText, type: this.#type, url: this.#url, redirected: this.#redirected,
    });
  }
  get [Symbol.toStringTag]() { return "Response"; }
}

/** A Response out of what the host fetched. */
export function responseOf(answer, requested) {
  const { status, status_text: statusText, url = requested } = answer;
  let body = null;
  if (!NULL_BODY.includes(status)) {
    if (answer.body_base64 !== undefined) body = Uint8Array.fromBase64(answer.body_base64);
    else if (typeof answer.body === "string") body = new PlainText(answer.body);
  }
  const response = new Response(body, { headers: answer.headers });
  return made(response, { status, statusText, type: "basic", url, redirected: answer.redirected ?? url !== requested });
}

export const isResponse = (value) => value instanceof Response;

/** Types whose bytes are shown as text in a trace, if they are UTF-8: routers send text through streams. */
const TEXT = /^(text\/|application\/(json|javascript|xml|x-www-form-urlencoded|[^;]*\+(json|xml)))/i;

function textOf(bytes) {
  try {
    return decodeUtf8(bytes, true, true);
  } catch {
    return null;
  }
}

/** What leaves for the gateway. */
export async function responsePayload(response) {
  const headers = [...response.headers];
  const content = await take(response);
  const message = { status: response.status, headers };
  if (response.statusText) message.status_text = response.statusText;
  if (content === null) message.body = "";
  else if (typeof content === "string") message.body = content;
  else {
    const text = TEXT.test(response.headers.get("content-type") ?? "") ? textOf(content) : null;
    if (text === null) message.body_base64 = bytesToBase64(content);
    else message.body = text;
  }
  return { op: "~response", payload: encode(message) };
}
