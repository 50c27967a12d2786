// Request. https://fetch.spec.whatwg.org/#request-class
import { Body, extract, PlainText, twin } from "./body.js";
import { AbortController } from "./events.js";
import { Headers } from "./headers.js";
import { URL } from "./url.js";

const NORMALIZED = /^(delete|get|head|options|post|put)$/i;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const BASE = "http://localhost/"; // what relative addresses are resolved against: there is no page

export class Request extends Body {
  #url;
  #method;
  #headers;
  #signal;
  #options;

  constructor(input, init = {}) {
    init ??= {};
    const from = input instanceof Request ? input : null;
    const method = init.method === undefined ? from?.method ?? "GET" : `${init.method}`;
    if (!TOKEN.test(method) || /^(connect|trace|track)$/i.test(method)) throw new TypeError(`'${method}' is not a valid HTTP method`);
    const headers = new Headers(init.headers ?? from?.headers);
    const given = init.body !== undefined && init.body !== null;
    if ((given || (from !== null && from.body !== null && init.body !== null)) && /^(get|head)$/i.test(method)) {
      throw new TypeError("a request with method GET or HEAD cannot have a body");
    }
    let source = null;
    if (given) {
      const extracted = extract(init.body);
      source = extracted.source;
      if (extracted.type !== null && !headers.has("content-type")) headers.set("content-type", extracted.type);
    } else if (from !== null && init.body === undefined) source = twin(from);
    super(source);
    this.#url = from ? from.url : new URL(`${input}`, BASE).href;
    this.#method = NORMALIZED.test(method) ? method.toUpperCase() : method;
    this.#headers = headers;
    this.#signal = init.signal === undefined || init.signal === null ? from?.signal ?? null : init.signal;
    this.#options = {
      redirect: init.redirect ?? from?.redirect ?? "follow",
      cache: init.cache ?? from?.cache ?? "default",
      credentials: init.credentials ?? from?.credentials ?? "same-origin",
      mode: init.mode ?? from?.mode ?? "cors",
      referrer: init.referrer ?? from?.referrer ?? "about:client",
      referrerPolicy: init.referrerPolicy ?? from?.referrerPolicy ?? "",
      integrity: init.integrity ?? from?.integrity ?? "",
      keepalive: Boolean(init.keepalive ?? from?.keepalive),
    };
  }
  get url() { return this.#url; }
  get method() { return this.#method; }
  get headers() { return this.#headers; }
  get signal() { return this.#signal ??= new AbortController().signal; }
  get redirect() { return this.#options.redirect; }
  get cache() { return this.#options.cache; }
  get credentials() { return this.#options.credentials; }
  get mode() { return this.#options.mode; }
  get referrer() { return this.#options.referrer; }
  get referrerPolicy() { return this.#options.referrerPolicy; }
  get integrity() { return this.#options.integrity; }
  get keepalive() { return this.#options.keepalive; }
  get destination() { return ""; }
  get duplex() { return "half"; }
  clone() {
    return new Request(this.#url, {
      ...this.#options, method: this.#method, headers: this.#headers, signal: this.#signal, body: bodiless(this.#method) ? null : twin(this),
    });
  }
  get [Symbol.toStringTag]() { return "Request"; }
}

const bodiless = (method) => /^(get|head)$/i.test(method);

/** The request that a fetch-style function is called with. */
export function requestOf(request, body) {
  return new Request(request.url, {
    method: request.method,
    // A text body would otherwise add its own content type.
    headers: request.headers,
    body: body === undefined || bodiless(request.method) ? null : typeof body === "string" ? new PlainText(body) : body,
  });
}
