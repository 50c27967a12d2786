// Blob and File. https://w3c.github.io/FileAPI
import { nowMs } from "../execution.js";
import { bytesOf, decodeUtf8, encodeUtf8 } from "./encoding.js";
import { lazy } from "../lazy.js";

export let bytesOfBlob = null;

function joined(parts) {
  let length = 0;
  for (const part of parts) length += part.length;
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

const typeText = (type) => /[^\x20-\x7e]/.test(type) ? "" : type.toLowerCase();

export class Blob {
  #bytes;
  #type;
  constructor(parts = [], options = {}) {
    if (parts === null || typeof parts !== "object" || typeof parts[Symbol.iterator] !== "function") {
      throw new TypeError("Blob: the parts must be a sequence");
    }
    const pieces = [];
    for (const part of parts) {
      if (part instanceof Blob) pieces.push(part.#bytes);
      else if (part instanceof ArrayBuffer || ArrayBuffer.isView(part)) pieces.push(bytesOf(part));
      else pieces.push(encodeUtf8(options?.endings === "native" ? `${part}`.replace(/\r\n?/g, "\n") : `${part}`));
    }
    this.#bytes = joined(pieces);
    this.#type = typeText(`${options?.type ?? ""}`);
  }
  static { bytesOfBlob = (blob) => blob.#bytes; }
  get size() { return this.#bytes.length; }
  get type() { return this.#type; }
  slice(start = 0, end = this.size, type = "") {
    const blob = new Blob([], { type });
    blob.#bytes = this.#bytes.slice(start, end);
    return blob;
  }
  async text() { return decodeUtf8(this.#bytes); }
  async bytes() { return this.#bytes.slice(); }
  async arrayBuffer() { return this.#bytes.slice().buffer; }
  stream() {
    const bytes = this.#bytes;
    return new (lazy.streams().ReadableStream)({
      type: "bytes",
      pull(controller) {
        if (bytes.length) controller.enqueue(bytes.slice());
        controller.close();
        controller.byobRequest?.respond(0);
      },
    });
  }
  get [Symbol.toStringTag]() { return "Blob"; }
}

export class File extends Blob {
  #name;
  #modified;
  constructor(parts, name, options = {}) {
    if (arguments.length < 2) throw new TypeError("File needs parts and a name");
    super(parts, options);
    this.#name = `${name}`;
    this.#modified = options?.lastModified === undefined ? nowMs() : Math.trunc(Number(options.lastModified)) || 0;
  }
  get name() { return this.#name; }
  get lastModified() { return this.#modified; }
  get webkitRelativePath() { return ""; }
  get [Symbol.toStringTag]() { return "File"; }
}
