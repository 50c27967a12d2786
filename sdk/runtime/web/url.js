// URL and URLSearchParams. https://url.spec.whatwg.org: the parser is the standard's state machine, state by state.
import { decodeUtf8, encodeUtf8 } from "./encoding.js";
import { parseHost } from "./host.js";
import { FRAGMENT, PATH, percentDecode, percentEncode, QUERY, SPECIAL_QUERY, USERINFO } from "./percent.js";

const SPECIAL = { __proto__: null, "ftp": 21, "file": null, "http": 80, "https": 443, "ws": 80, "wss": 443 };
const isSpecial = (url) => url.scheme in SPECIAL;
const ALPHA = /^[A-Za-z]$/;
const SCHEME = /^[A-Za-z0-9+\-.]$/;
const WINDOWS_LETTER = /^[A-Za-z][:|]$/;
const NORMALIZED_LETTER = /^[A-Za-z]:$/;
const SINGLE_DOT = /^(\.|%2e)$/i;
const DOUBLE_DOT = /^(\.|%2e)(\.|%2e)$/i;

const startsWithLetter = (text) => WINDOWS_LETTER.test(text.slice(0, 2)) && (text.length === 2 || "/\\?#".includes(text[2]));
const blank = () => ({ scheme: "", username: "", password: "", host: null, port: null, path: [], opaque: false, query: null, fragment: null });

function shorten(url) {
  if (url.scheme === "file" && url.path.length === 1 && NORMALIZED_LETTER.test(url.path[0])) return;
  url.path.pop();
}

const FAILURE = Symbol("failure");

/** Parses `input`; gives a record, or null. With `override` it changes `url` from that state on, and says whether it could. */
export function parseUrl(input, base = null, url = null, override = null) {
  if (url === null) {
    url = blank();
    input = input.replace(/^[\0-\x20]+|[\0-\x20]+$/g, "");
  }
  const machine = new Machine(input.replace(/[\t\n\r]/g, ""), base, url, override);
  return machine.run() === FAILURE ? null : url;
}

class Machine {
  constructor(input, base, url, override) {
    this.points = Array.from(input);
    this.base = base;
    this.url = url;
    this.override = override;
    this.state = override ?? "scheme start";
    this.at = 0;
    this.buffer = "";
    this.sawAt = this.inBrackets = this.sawPassword = false;
  }

  run() {
    for (; this.at <= this.points.length; this.at++) {
      const result = this[this.state](this.points[this.at]);
      if (result === FAILURE) return FAILURE;
      if (result === true) return;
    }
  }
  rest(count) { return this.points.slice(this.at + 1, count && this.at + 1 + count).join(""); }
  ends(c) { return c === undefined || c === "/" || c === "?" || c === "#" || (isSpecial(this.url) && c === "\\"); }

  "scheme start"(c) {
    if (c !== undefined && ALPHA.test(c)) {
      this.buffer += c.toLowerCase();
      this.state = "scheme";
    } else if (this.override === null) {
      this.state = "no scheme";
      this.at--;
    } else return FAILURE;
  }

  scheme(c) {
    const { url, override } = this;
    if (c !== undefined && SCHEME.test(c)) {
      this.buffer += c.toLowerCase();
    } else if (c === ":") {
      if (override !== null) {
        if (isSpecial(url) !== this.buffer in SPECIAL) return true;
        if ((url.username || url.password || url.port !== null) && this.buffer === "file") return true;
        if (url.scheme === "file" && !url.host) return true;
      }
      url.scheme = this.buffer;
      if (override !== null) {
        if (url.port === SPECIAL[url.scheme]) url.port = null;
        return true;
      }
      this.buffer = "";
      if (url.scheme === "file") this.state = "file";
      else if (isSpecial(url) && this.base !== null && this.base.scheme === url.scheme) this.state = "special relative or authority";
      else if (isSpecial(url)) this.state = "special authority slashes";
      else if (this.points[this.at + 1] === "/") {
        this.state = "path or authority";
        this.at++;
      } else {
        url.path = "";
        url.opaque = true;
        this.state = "opaque path";
      }
    } else if (override === null) {
      this.buffer = "";
      this.state = "no scheme";
      this.at = -1;
    } else return FAILURE;
  }

  "no scheme"(c) {
    const { base, url } = this;
    if (base === null || (base.opaque && c !== "#")) return FAILURE;
    if (base.opaque) {
      Object.assign(url, { scheme: base.scheme, path: base.path, opaque: true, query: base.query, fragment: "" });
      this.state = "fragment";
    } else {
      this.state = base.scheme === "file" ? "file" : "relative";
      this.at--;
    }
  }

  "special relative or authority"(c) {
    if (c === "/" && this.points[this.at + 1] === "/") {
      this.state = "special authority ignore slashes";
      this.at++;
    } else {
      this.state = "relative";
      this.at--;
    }
  }

  "path or authority"(c) {
    if (c === "/") this.state = "authority";
    else {
      this.state = "path";
      this.at--;
    }
  }

  relative(c) {
    const { base, url } = this;
    url.scheme = base.scheme;
    if (c === "/") this.state = "relative slash";
    else if (isSpecial(url) && c === "\\") this.state = "relative slash";
    else {
      this.copyAuthority();
      url.path = base.path.slice();
      url.query = base.query;
      if (c === "?") {
        url.query = "";
        this.state = "query";
      } else if (c === "#") {
        url.fragment = "";
        this.state = "fragment";
      } else if (c !== undefined) {
        url.query = null;
        shorten(url);
        this.state = "path";
        this.at--;
      }
    }
  }
  copyAuthority() {
    const { username, password, host, port } = this.base;
    Object.assign(this.url, { username, password, host, port });
  }

  "relative slash"(c) {
    if (isSpecial(this.url) && (c === "/" || c === "\\")) this.state = "special authority ignore slashes";
    else if (c === "/") this.state = "authority";
    else {
      this.copyAuthority();
      this.state = "path";
      this.at--;
    }
  }

  "special authority slashes"(c) {
    this.state = "special authority ignore slashes";
    if (c === "/" && this.points[this.at + 1] === "/") this.at++;
    else this.at--;
  }

  "special authority ignore slashes"(c) {
    if (c !== "/" && c !== "\\") {
      this.state = "authority";
      this.at--;
    }
  }

  authority(c) {
    const { url } = this;
    if (c === "@") {
      if (this.sawAt) this.buffer = "%40" + this.buffer;
      this.sawAt = true;
      for (const point of this.buffer) {
        if (point === ":" && !this.sawPassword) this.sawPassword = true;
        else if (this.sawPassword) url.password += percentEncode(point, USERINFO);
        else url.username += percentEncode(point, USERINFO);
      }
      this.buffer = "";
    } else if (this.ends(c)) {
      if (this.sawAt && this.buffer === "") return FAILURE;
      this.at -= Array.from(this.buffer).length + 1;
      this.buffer = "";
      this.state = "host";
    } else this.buffer += c;
  }

  host(c) {
    const { url, override } = this;
    if (override !== null && url.scheme === "file") {
      this.at--;
      this.state = "file host";
    } else if (c === ":" && !this.inBrackets) {
      if (this.buffer === "" || override === "hostname") return FAILURE;
      const host = parseHost(this.buffer, !isSpecial(url));
      if (host === null) return FAILURE;
      url.host = host;
      this.buffer = "";
      this.state = "port";
    } else if (this.ends(c)) {
      this.at--;
      if (isSpecial(url) && this.buffer === "") return FAILURE;
      if (override !== null && this.buffer === "" && (url.username || url.password || url.port !== null)) return FAILURE;
      const host = parseHost(this.buffer, !isSpecial(url));
      if (host === null) return FAILURE;
      url.host = host;
      this.buffer = "";
      this.state = "path start";
      if (override !== null) return true;
    } else {
      if (c === "[") this.inBrackets = true;
      if (c === "]") this.inBrackets = false;
      this.buffer += c;
    }
  }
  hostname(c) { return this.host(c); }

  port(c) {
    const { url, override } = this;
    if (c !== undefined && c >= "0" && c <= "9") this.buffer += c;
    else if (this.ends(c) || override !== null) {
      if (this.buffer !== "") {
        const port = parseInt(this.buffer, 10);
        if (port > 65535) return FAILURE;
        url.port = port === SPECIAL[url.scheme] ? null : port;
        this.buffer = "";
        if (override !== null) return true;
      }
      if (override !== null) return FAILURE;
      this.state = "path start";
      this.at--;
    } else return FAILURE;
  }

  file(c) {
    const { base, url } = this;
    url.scheme = "file";
    url.host = "";
    if (c === "/" || c === "\\") this.state = "file slash";
    else if (base !== null && base.scheme === "file") {
      Object.assign(url, { host: base.host, path: base.path.slice(), query: base.query });
      if (c === "?") {
        url.query = "";
        this.state = "query";
      } else if (c === "#") {
        url.fragment = "";
        this.state = "fragment";
      } else if (c !== undefined) {
        url.query = null;
        if (startsWithLetter(this.points.slice(this.at).join(""))) url.path = [];
        else shorten(url);
        this.state = "path";
        this.at--;
      }
    } else {
      this.state = "path";
      this.at--;
    }
  }

  "file slash"(c) {
    const { base, url } = this;
    if (c === "/" || c === "\\") {
      this.state = "file host";
      return;
    }
    if (base !== null && base.scheme === "file") {
      url.host = base.host;
      if (!startsWithLetter(this.points.slice(this.at).join("")) && NORMALIZED_LETTER.test(base.path[0] ?? "")) url.path.push(base.path[0]);
    }
    this.state = "path";
    this.at--;
  }

  "file host"(c) {
    const { url, override } = this;
    if (c !== undefined && c !== "/" && c !== "\\" && c !== "?" && c !== "#") {
      this.buffer += c;
      return;
    }
    this.at--;
    if (override === null && WINDOWS_LETTER.test(this.buffer)) this.state = "path";
    else if (this.buffer === "") {
      url.host = "";
      if (override !== null) return true;
      this.state = "path start";
    } else {
      const host = parseHost(this.buffer, !isSpecial(url));
      if (host === null) return FAILURE;
      url.host = host === "localhost" ? "" : host;
      if (override !== null) return true;
      this.buffer = "";
      this.state = "path start";
    }
  }

  "path start"(c) {
    const { url, override } = this;
    if (isSpecial(url)) {
      this.state = "path";
      if (c !== "/" && c !== "\\") this.at--;
    } else if (override === null && c === "?") {
      url.query = "";
      this.state = "query";
    } else if (override === null && c === "#") {
      url.fragment = "";
      this.state = "fragment";
    } else if (c !== undefined) {
      this.state = "path";
      if (c !== "/") this.at--;
    } else if (override !== null && url.host === null) url.path.push("");
  }

  path(c) {
    const { url, override } = this;
    const slash = c === "/" || (isSpecial(url) && c === "\\");
    if (c !== undefined && !slash && (override !== null || (c !== "?" && c !== "#"))) {
      this.buffer += percentEncode(c, PATH);
      return;
    }
    if (DOUBLE_DOT.test(this.buffer)) {
      shorten(url);
      if (!slash) url.path.push("");
    } else if (SINGLE_DOT.test(this.buffer)) {
      if (!slash) url.path.push("");
    } else {
      if (url.scheme === "file" && url.path.length === 0 && WINDOWS_LETTER.test(this.buffer)) this.buffer = this.buffer[0] + ":";
      url.path.push(this.buffer);
    }
    this.buffer = "";
    if (c === "?") {
      url.query = "";
      this.state = "query";
    } else if (c === "#") {
      url.fragment = "";
      this.state = "fragment";
    }
  }

  "opaque path"(c) {
    const { url } = this;
    if (c === "?" || c === "#") {
      url[c === "?" ? "query" : "fragment"] = "";
      this.state = c === "?" ? "query" : "fragment";
    } else if (c === " ") {
      const next = this.points[this.at + 1];
      url.path += next === "?" || next === "#" ? "%20" : " ";
    } else if (c !== undefined) url.path += percentEncode(c, "");
  }

  query(c) {
    const { url, override } = this;
    if ((override === null && c === "#") || c === undefined) {
      url.query += percentEncode(this.buffer, isSpecial(url) ? SPECIAL_QUERY : QUERY);
      this.buffer = "";
      if (c === "#") {
        url.fragment = "";
        this.state = "fragment";
      }
    } else this.buffer += c;
  }

  fragment(c) {
    if (c !== undefined) this.url.fragment += percentEncode(c, FRAGMENT);
  }
}

const pathOf = (url) => url.opaque ? url.path : url.path.map((segment) => "/" + segment).join("");

function serialize(url, withFragment = true) {
  let text = url.scheme + ":";
  if (url.host !== null) {
    text += "//";
    if (url.username || url.password) text += url.username + (url.password ? ":" + url.password : "") + "@";
    text += url.host + (url.port === null ? "" : ":" + url.port);
  } else if (!url.opaque && url.path.length > 1 && url.path[0] === "") text += "/.";
  return text + pathOf(url) + (url.query === null ? "" : "?" + url.query) + (withFragment && url.fragment !== null ? "#" + url.fragment : "");
}

/** name=value pairs of application/x-www-form-urlencoded. */
function parseForm(text) {
  const pairs = [];
  for (const part of text.split("&")) {
    if (part === "") continue;
    const at = part.indexOf("=");
    const decode = (piece) => decodeUtf8(percentDecode(piece.replaceAll("+", " ")));
    pairs.push(at < 0 ? [decode(part), ""] : [decode(part.slice(0, at)), decode(part.slice(at + 1))]);
  }
  return pairs;
}

const FORM_SAFE = /^[*\-.0-9A-Z_a-z]+$/;
function encodeForm(text) {
  if (FORM_SAFE.test(text)) return text;
  let out = "";
  for (const byte of encodeUtf8(text)) {
    const c = String.fromCharCode(byte);
    out += byte === 32 ? "+" : FORM_SAFE.test(c) ? c : "%" + (byte < 16 ? "0" : "") + byte.toString(16).toUpperCase();
  }
  return out;
}

const string = (value) => `${value}`.toWellFormed();
let bind = null;

export class URLSearchParams {
  #pairs = [];
  #owner = null;

  constructor(init = "") {
    if (init !== null && (typeof init === "object" || typeof init === "function")) {
      if (typeof init[Symbol.iterator] === "function") {
        for (const pair of init) {
          const [name, value, ...more] = pair;
          if (value === undefined || more.length) throw new TypeError("each entry must be a pair of name and value");
          this.#pairs.push([string(name), string(value)]);
        }
      } else {
        for (const name of Reflect.ownKeys(init)) {
          if (Object.getOwnPropertyDescriptor(init, name)?.enumerable) this.#pairs.push([string(name), string(init[name])]);
        }
      }
    } else this.#pairs = parseForm(string(init).replace(/^\?/, ""));
  }
  static {
    bind = (params, owner, text) => {
      params.#owner = owner;
      params.#pairs = parseForm(text);
      return params;
    };
  }
  #changed() { this.#owner?.(this.toString()); }
  get size() { return this.#pairs.length; }
  append(name, value) {
    this.#pairs.push([string(name), string(value)]);
    this.#changed();
  }
  delete(name, value) {
    name = string(name);
    this.#pairs = this.#pairs.filter((pair) => pair[0] !== name || (value !== undefined && pair[1] !== string(value)));
    this.#changed();
  }
  get(name) { return this.#pairs.find((pair) => pair[0] === string(name))?.[1] ?? null; }
  getAll(name) { return this.#pairs.filter((pair) => pair[0] === string(name)).map((pair) => pair[1]); }
  has(name, value) { return this.#pairs.some((pair) => pair[0] === string(name) && (value === undefined || pair[1] === string(value))); }
  set(name, value) {
    name = string(name);
    const at = this.#pairs.findIndex((pair) => pair[0] === name);
    if (at < 0) this.#pairs.push([name, string(value)]);
    else {
      this.#pairs[at][1] = string(value);
      this.#pairs = this.#pairs.filter((pair, i) => i <= at || pair[0] !== name);
    }
    this.#changed();
  }
  sort() {
    this.#pairs.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
    this.#changed();
  }
  *entries() { for (let i = 0; i < this.#pairs.length; i++) yield [this.#pairs[i][0], this.#pairs[i][1]]; }
  *keys() { for (let i = 0; i < this.#pairs.length; i++) yield this.#pairs[i][0]; }
  *values() { for (let i = 0; i < this.#pairs.length; i++) yield this.#pairs[i][1]; }
  forEach(callback, self) { for (const [name, value] of this.entries()) callback.call(self, value, name, this); }
  toString() { return this.#pairs.map(([name, value]) => `${encodeForm(name)}=${encodeForm(value)}`).join("&"); }
  get [Symbol.toStringTag]() { return "URLSearchParams"; }
}
Object.defineProperty(URLSearchParams.prototype, Symbol.iterator, { value: URLSearchParams.prototype.entries, writable: true, configurable: true });

export class URL {
  #url;
  #params = null;

  constructor(input, base) {
    let parsedBase = null;
    if (base !== undefined) {
      parsedBase = parseUrl(string(base));
      if (parsedBase === null) throw invalid(base);
    }
    this.#url = parseUrl(string(input), parsedBase);
    if (this.#url === null) throw invalid(input);
  }
  static canParse(input, base) { return URL.parse(input, base) !== null; }
  static parse(input, base) {
    try {
      return new URL(input, base);
    } catch {
      return null;
    }
  }
  get href() { return serialize(this.#url); }
  set href(value) {
    const url = parseUrl(string(value));
    if (url === null) throw invalid(value);
    this.#url = url;
    this.#refresh();
  }
  get origin() {
    const { scheme, host, port, opaque, path } = this.#url;
    if (scheme === "blob") {
      const inner = opaque ? parseUrl(path) : null;
      return inner !== null && /^https?$/.test(inner.scheme) ? `${inner.scheme}://${inner.host}${inner.port === null ? "" : ":" + inner.port}` : "null";
    }
    return scheme in SPECIAL && scheme !== "file" ? `${scheme}://${host}${port === null ? "" : ":" + port}` : "null";
  }
  get protocol() { return this.#url.scheme + ":"; }
  set protocol(value) { this.#change(string(value) + ":", "scheme start"); }
  get username() { return this.#url.username; }
  set username(value) { if (this.#canHaveCredentials()) this.#url.username = percentEncode(string(value), USERINFO); }
  get password() { return this.#url.password; }
  set password(value) { if (this.#canHaveCredentials()) this.#url.password = percentEncode(string(value), USERINFO); }
  get host() { return this.#url.host === null ? "" : this.#url.host + (this.#url.port === null ? "" : ":" + this.#url.port); }
  set host(value) { if (!this.#url.opaque) this.#change(string(value), "host"); }
  get hostname() { return this.#url.host ?? ""; }
  set hostname(value) { if (!this.#url.opaque) this.#change(string(value), "hostname"); }
  get port() { return this.#url.port === null ? "" : `${this.#url.port}`; }
  set port(value) {
    if (!this.#canHaveCredentials()) return;
    if (`${value}` === "") this.#url.port = null;
    else this.#change(string(value), "port");
  }
  get pathname() { return pathOf(this.#url); }
  set pathname(value) {
    if (this.#url.opaque) return;
    this.#url.path = [];
    this.#change(string(value), "path start");
  }
  get search() { return this.#url.query ? "?" + this.#url.query : ""; }
  set search(value) {
    const text = string(value);
    this.#url.query = null;
    if (text !== "") {
      this.#url.query = "";
      this.#change(text.replace(/^\?/, ""), "query");
    }
    this.#refresh();
  }
  get searchParams() {
    return this.#params ??= bind(new URLSearchParams(), (text) => { this.#url.query = text === "" ? null : text; }, this.#url.query ?? "");
  }
  get hash() { return this.#url.fragment ? "#" + this.#url.fragment : ""; }
  set hash(value) {
    const text = string(value);
    this.#url.fragment = null;
    if (text !== "") {
      this.#url.fragment = "";
      this.#change(text.replace(/^#/, ""), "fragment");
    }
  }
  toString() { return this.href; }
  toJSON() { return this.href; }
  get [Symbol.toStringTag]() { return "URL"; }

  #canHaveCredentials() { return Boolean(this.#url.host) && this.#url.scheme !== "file"; }
  #change(input, state) {
    const changed = structure(this.#url);
    if (parseUrl(input, null, changed, state) !== null) this.#url = changed;
  }
  #refresh() {
    if (this.#params !== null) bind(this.#params, (text) => { this.#url.query = text === "" ? null : text; }, this.#url.query ?? "");
  }
}

const structure = (url) => ({ ...url, path: url.opaque ? url.path : url.path.slice() });
const invalid = (input) => Object.assign(new TypeError("Invalid URL"), { code: "ERR_INVALID_URL", input: `${input}` });
