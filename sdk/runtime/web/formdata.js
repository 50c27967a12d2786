// FormData, and its two forms on the wire. https://xhr.spec.whatwg.org/#interface-formdata
import { Blob, bytesOfBlob, File } from "./blob.js";
import { decodeUtf8, encodeUtf8 } from "./encoding.js";
import { fillRandom } from "../random.js";

const wellFormed = (text) => `${text}`.toWellFormed();

function entryValue(value, filename) {
  if (!(value instanceof Blob)) return wellFormed(value);
  if (value instanceof File && filename === undefined) return value;
  return new File([value], filename === undefined ? "blob" : `${filename}`, { type: value.type });
}

export class FormData {
  #entries = [];
  constructor(form) {
    if (form !== undefined) throw new TypeError("FormData: there are no forms here");
  }
  append(name, value, filename) { this.#entries.push([wellFormed(name), entryValue(value, filename)]); }
  set(name, value, filename) {
    const entry = [wellFormed(name), entryValue(value, filename)];
    const at = this.#entries.findIndex(([key]) => key === entry[0]);
    if (at < 0) this.#entries.push(entry);
    else {
      this.#entries = this.#entries.filter(([key], i) => i <= at || key !== entry[0]);
      this.#entries[at] = entry;
    }
  }
  delete(name) { this.#entries = this.#entries.filter(([key]) => key !== `${name}`); }
  get(name) { return this.#entries.find(([key]) => key === `${name}`)?.[1] ?? null; }
  getAll(name) { return this.#entries.filter(([key]) => key === `${name}`).map(([, value]) => value); }
  has(name) { return this.#entries.some(([key]) => key === `${name}`); }
  *entries() { for (const [name, value] of this.#entries) yield [name, value]; }
  *keys() { for (const [name] of this.#entries) yield name; }
  *values() { for (const [, value] of this.#entries) yield value; }
  forEach(callback, self) { for (const [name, value] of this.#entries) callback.call(self, value, name, this); }
  get [Symbol.toStringTag]() { return "FormData"; }
}
Object.defineProperty(FormData.prototype, Symbol.iterator, { value: FormData.prototype.entries, writable: true, configurable: true });

const escaped = (text) => text.replace(/\r\n|\r|\n/g, "%0D%0A").replace(/"/g, "%22");

/** {bytes, type} as multipart/form-data. */
export function encodeMultipart(form) {
  const boundary = "----FluxFormBoundary" + fillRandom(new Uint8Array(12)).toHex();
  const parts = [];
  for (const [name, value] of form) {
    let head = `--${boundary}\r\nContent-Disposition: form-data; name="${escaped(name)}"`;
    if (typeof value === "string") parts.push(`${head}\r\n\r\n${value.replace(/\r\n|\r|\n/g, "\r\n")}\r\n`);
    else {
      head += `; filename="${escaped(value.name)}"\r\nContent-Type: ${value.type || "application/octet-stream"}`;
      parts.push(`${head}\r\n\r\n`, value, "\r\n");
    }
  }
  parts.push(`--${boundary}--\r\n`);
  return { bytes: bytesOfBlob(new Blob(parts)), type: `multipart/form-data; boundary=${boundary}` };
}

function indexOfBytes(bytes, wanted, from) {
  for (let at = bytes.indexOf(wanted[0], from); at >= 0; at = bytes.indexOf(wanted[0], at + 1)) {
    let same = 1;
    while (same < wanted.length && bytes[at + same] === wanted[same]) same++;
    if (same === wanted.length) return at;
  }
  return -1;
}

const BAD = "the body is not valid multipart/form-data";
const unescaped = (text) => text.replace(/%0D/gi, "\r").replace(/%0A/gi, "\n").replace(/%22/g, '"');

export function decodeMultipart(bytes, contentType) {
  const boundary = /boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(contentType);
  if (!boundary) throw new TypeError(BAD);
  const delimiter = encodeUtf8(`--${boundary[1] ?? boundary[2]}`);
  const between = encodeUtf8(`\r\n--${boundary[1] ?? boundary[2]}`);
  const blank = encodeUtf8("\r\n\r\n");
  const form = new FormData();
  let at = indexOfBytes(bytes, delimiter, 0);
  if (at < 0) throw new TypeError(BAD);
  at += delimiter.length;
  while (!(bytes[at] === 45 && bytes[at + 1] === 45)) {
    const headEnd = indexOfBytes(bytes, blank, at);
    const end = headEnd < 0 ? -1 : indexOfBytes(bytes, between, headEnd + 2);
    if (end < 0) throw new TypeError(BAD);
    const head = decodeUtf8(bytes.subarray(at, headEnd));
    const content = bytes.slice(headEnd + 4, Math.max(end, headEnd + 4));
    const name = /content-disposition:[^\n]*[;\s]name="([^"]*)"/i.exec(head);
    if (!name) throw new TypeError(BAD);
    const filename = /content-disposition:[^\n]*[;\s]filename="([^"]*)"/i.exec(head);
    const type = /content-type:\s*([^\r\n]+)/i.exec(head)?.[1] ?? "text/plain";
    if (filename) form.append(unescaped(name[1]), new File([content], unescaped(filename[1]), { type }));
    else form.append(unescaped(name[1]), decodeUtf8(content));
    at = end + between.length;
  }
  return form;
}
