// What Request and Response have in common. https://fetch.spec.whatwg.org/#body-mixin
import { jsonParse } from "../primordials.js";
import { Blob, bytesOfBlob } from "./blob.js";
import { bytesOf, decodeUtf8, encodeUtf8 } from "./encoding.js";
import { decodeMultipart, encodeMultipart, FormData } from "./formdata.js";
import { lazy } from "../lazy.js";
import { URLSearchParams } from "./url.js";

const isStream = (value) => value !== null && typeof value === "object" && typeof value.getReader === "function";

/** Text that says nothing of its type: what came over the wire. */
export class PlainText {
  constructor(text) { this.text = text; }
}

/** {source: null | string | Uint8Array | stream, type: content type or null} of what a constructor was given. */
export function extract(value) {
  if (value === null || value === undefined) return { source: null, type: null };
  if (typeof value === "string") return { source: value.isWellFormed() ? value : value.toWellFormed(), type: "text/plain;charset=UTF-8" };
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return { source: bytesOf(value).slice(), type: null };
  if (value instanceof PlainText) return { source: value.text, type: null };
  if (value instanceof Blob) return { source: bytesOfBlob(value), type: value.type || null };
  if (value instanceof URLSearchParams) return { source: value.toString(), type: "application/x-www-form-urlencoded;charset=UTF-8" };
  if (value instanceof FormData) {
    const { bytes, type } = encodeMultipart(value);
    return { source: bytes, type };
  }
  if (isStream(value)) {
    if (value.locked) throw new TypeError("the stream is locked");
    return { source: value, type: null };
  }
  if (typeof value[Symbol.asyncIterator] === "function") return { source: lazy.streams().ReadableStream.from(value), type: null };
  return { source: `${value}`, type: "text/plain;charset=UTF-8" };
}

async function drained(stream) {
  const reader = stream.getReader();
  const chunks = [];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (!ArrayBuffer.isView(value) && !(value instanceof ArrayBuffer)) {
      const error = new TypeError("a body's stream must hold bytes");
      reader.cancel(error).catch(() => {});
      throw error;
    }
    chunks.push(bytesOf(value));
  }
  return chunks.length === 1 ? chunks[0] : bytesOfBlob(new Blob(chunks));
}

/** Reads the body and marks it used: string or Uint8Array or null, or a promise of that if the body is a stream. */
export let take = null;
/** Another body with the same content. */
export let twin = null;

export class Body {
  #source;
  #stream = null;
  #used = false;

  constructor(source) {
    this.#source = source;
    if (isStream(source)) this.#stream = source;
  }

  static {
    take = (body) => {
      if (body.bodyUsed || body.#stream?.locked) throw new TypeError("the body has already been read");
      if (body.#source === null) return null;
      body.#used = true;
      return body.#stream === null ? body.#source : drained(body.#stream);
    };
    twin = (body) => {
      if (body.bodyUsed || body.#stream?.locked) throw new TypeError("the body has already been read");
      if (body.#stream === null) return body.#source;
      const [mine, other] = body.#stream.tee();
      body.#stream = mine;
      if (isStream(body.#source)) body.#source = mine;
      return other;
    };
  }

  get body() {
    if (this.#source === null) return null;
    if (this.#stream === null) {
      const bytes = this.#asBytes(this.#source);
      const used = this.#used;
      this.#stream = new (lazy.streams().ReadableStream)({
        type: "bytes",
        pull(controller) {
          if (bytes.length && !used) controller.enqueue(bytes.slice());
          controller.close();
          controller.byobRequest?.respond(0);
        },
      });
    }
    return this.#stream;
  }
  get bodyUsed() { return this.#used || (this.#stream !== null && lazy.streams().isDisturbed(this.#stream)); }

  #asBytes(source) { return source === null ? new Uint8Array(0) : typeof source === "string" ? encodeUtf8(source) : source; }

  async text() {
    const source = await take(this);
    return source === null ? "" : typeof source === "string" ? source : decodeUtf8(source);
  }
  async json() { return jsonParse(await this.text()); }
  async bytes() { return this.#asBytes(await take(this)).slice(); }
  async arrayBuffer() { return (await this.bytes()).buffer; }
  async blob() { return new Blob([this.#asBytes(await take(this))], { type: this.headers.get("content-type") ?? "" }); }
  async formData() {
    const type = this.headers.get("content-type") ?? "";
    if (/^multipart\/form-data/i.test(type)) return decodeMultipart(this.#asBytes(await take(this)), type);
    if (!/^application\/x-www-form-urlencoded/i.test(type)) throw new TypeError(`the body is ${type || "of no type"}, not a form`);
    const form = new FormData();
    for (const [name, value] of new URLSearchParams(await this.text())) form.append(name, value);
    return form;
  }
}
