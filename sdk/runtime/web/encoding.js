// TextEncoder, TextDecoder (UTF-8, UTF-16, Latin-1), atob, btoa. https://encoding.spec.whatwg.org
import { apply, bytesFromBase64, bytesToBase64, charCodeAt, fromCharCode } from "../primordials.js";
import { DOMException } from "./exception.js";

const CHUNK = 8192; // arguments of one fromCharCode call

export function encodeUtf8(text) {
  const length = text.length;
  let bytes = new Uint8Array(length);
  let at = 0;
  for (; at < length; at++) {
    const unit = charCodeAt(text, at);
    if (unit > 127) break;
    bytes[at] = unit;
  }
  if (at === length) return bytes;
  const wide = new Uint8Array(at + (length - at) * 3);
  wide.set(at === bytes.length ? bytes : bytes.subarray(0, at));
  bytes = wide;
  return bytes.subarray(0, encodeInto(text, at, bytes, at).written).slice();
}

/** Writes from unit `from` on; says how many units were read and where the writing ended. */
function encodeInto(text, from, bytes, at) {
  const length = text.length;
  let i = from;
  for (; i < length; i++) {
    let point = charCodeAt(text, i);
    let units = 1;
    if (point >= 0xd800 && point < 0xe000) {
      const low = point < 0xdc00 && i + 1 < length ? charCodeAt(text, i + 1) : 0;
      if (low >= 0xdc00 && low < 0xe000) {
        point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
        units = 2;
      } else point = 0xfffd;
    }
    const size = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    if (at + size > bytes.length) break;
    if (size === 1) bytes[at++] = point;
    else if (size === 2) {
      bytes[at++] = 0xc0 | point >> 6;
      bytes[at++] = 0x80 | point & 63;
    } else if (size === 3) {
      bytes[at++] = 0xe0 | point >> 12;
      bytes[at++] = 0x80 | point >> 6 & 63;
      bytes[at++] = 0x80 | point & 63;
    } else {
      bytes[at++] = 0xf0 | point >> 18;
      bytes[at++] = 0x80 | point >> 12 & 63;
      bytes[at++] = 0x80 | point >> 6 & 63;
      bytes[at++] = 0x80 | point & 63;
      i += units - 1;
    }
  }
  return { read: i, written: at };
}

function codesToText(codes, length) {
  let text = "";
  for (let i = 0; i < length; i += CHUNK) text += apply(fromCharCode, null, codes.subarray(i, Math.min(i + CHUNK, length)));
  return text;
}

class Utf8Decoder {
  point = 0;
  needed = 0;
  lower = 0x80;
  upper = 0xbf;

  decode(bytes, flush, fatal) {
    const out = new Uint16Array(bytes.length + 2);
    let at = 0;
    const bad = () => {
      if (fatal) throw new TypeError("The encoded data was not valid for encoding utf-8");
      out[at++] = 0xfffd;
    };
    for (let i = 0; i < bytes.length; i++) {
      const byte = bytes[i];
      if (this.needed === 0) {
        if (byte < 0x80) out[at++] = byte;
        else if (byte >= 0xc2 && byte <= 0xdf) this.start(byte & 31, 1);
        else if (byte >= 0xe0 && byte <= 0xef) {
          if (byte === 0xe0) this.lower = 0xa0;
          if (byte === 0xed) this.upper = 0x9f;
          this.start(byte & 15, 2);
        } else if (byte >= 0xf0 && byte <= 0xf4) {
          if (byte === 0xf0) this.lower = 0x90;
          if (byte === 0xf4) this.upper = 0x8f;
          this.start(byte & 7, 3);
        } else bad();
        continue;
      }
      if (byte < this.lower || byte > this.upper) {
        this.reset();
        bad();
        i--;
        continue;
      }
      this.lower = 0x80;
      this.upper = 0xbf;
      this.point = this.point << 6 | byte & 63;
      if (--this.needed === 0) {
        if (this.point > 0xffff) {
          out[at++] = 0xd800 + (this.point - 0x10000 >> 10);
          out[at++] = 0xdc00 + (this.point - 0x10000 & 1023);
        } else out[at++] = this.point;
        this.point = 0;
      }
    }
    if (flush && this.needed) {
      this.reset();
      bad();
    }
    return codesToText(out, at);
  }
  start(point, needed) {
    this.point = point;
    this.needed = needed;
  }
  reset() {
    this.point = this.needed = 0;
    this.lower = 0x80;
    this.upper = 0xbf;
  }
}

class Utf16Decoder {
  lead = -1;
  high = -1;
  constructor(big) { this.big = big; }
  decode(bytes, flush, fatal) {
    const out = new Uint16Array(bytes.length + 2);
    let at = 0;
    const bad = () => {
      if (fatal) throw new TypeError("The encoded data was not valid for encoding utf-16");
      out[at++] = 0xfffd;
    };
    for (const byte of bytes) {
      if (this.lead < 0) {
        this.lead = byte;
        continue;
      }
      const unit = this.big ? this.lead << 8 | byte : byte << 8 | this.lead;
      this.lead = -1;
      if (this.high >= 0) {
        const high = this.high;
        this.high = -1;
        if (unit >= 0xdc00 && unit < 0xe000) {
          out[at++] = high;
          out[at++] = unit;
          continue;
        }
        bad();
      }
      if (unit >= 0xd800 && unit < 0xdc00) this.high = unit;
      else if (unit >= 0xdc00 && unit < 0xe000) bad();
      else out[at++] = unit;
    }
    if (flush && (this.lead >= 0 || this.high >= 0)) {
      this.lead = this.high = -1;
      bad();
    }
    return codesToText(out, at);
  }
}

const WINDOWS_1252 = "€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ";
class Latin1Decoder {
  decode(bytes) {
    const out = new Uint16Array(bytes.length);
    for (let i = 0; i < bytes.length; i++) out[i] = bytes[i] >= 0x80 && bytes[i] < 0xa0 ? WINDOWS_1252.charCodeAt(bytes[i] - 0x80) : bytes[i];
    return codesToText(out, bytes.length);
  }
}

/** One whole text. */
export function decodeUtf8(bytes, fatal = false, keepMark = false) {
  let i = 0;
  while (i < bytes.length && bytes[i] < 128) i++;
  if (i === bytes.length) return codesToText(bytes, i);
  if (!keepMark && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) bytes = bytes.subarray(3);
  return new Utf8Decoder().decode(bytes, true, fatal);
}

export function bytesOf(source) {
  if (source === undefined) return new Uint8Array(0);
  if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  throw new TypeError("not an ArrayBuffer or a view of one");
}

export class TextEncoder {
  get encoding() { return "utf-8"; }
  encode(text = "") { return encodeUtf8(`${text}`); }
  encodeInto(text, target) {
    if (!(target instanceof Uint8Array)) throw new TypeError("encodeInto: the target must be a Uint8Array");
    return encodeInto(`${text}`, 0, target, 0);
  }
  get [Symbol.toStringTag]() { return "TextEncoder"; }
}

const LABELS = new Map();
for (const label of ["utf-8", "utf8", "unicode-1-1-utf-8", "unicode11utf8", "unicode20utf8", "x-unicode20utf8"]) LABELS.set(label, "utf-8");
for (const label of ["utf-16", "utf-16le", "ucs-2", "unicode", "csunicode", "iso-10646-ucs-2", "unicodefeff"]) LABELS.set(label, "utf-16le");
for (const label of ["utf-16be", "unicodefffe"]) LABELS.set(label, "utf-16be");
for (const label of ["ascii", "us-ascii", "latin1", "l1", "iso-8859-1", "iso8859-1", "iso88591", "windows-1252", "cp1252", "x-cp1252", "ansi_x3.4-1968", "iso_8859-1", "ibm819", "cp819"]) LABELS.set(label, "windows-1252");

const decoderOf = (encoding) =>
  encoding === "utf-8" ? new Utf8Decoder() : encoding === "windows-1252" ? new Latin1Decoder() : new Utf16Decoder(encoding === "utf-16be");

export class TextDecoder {
  #encoding;
  #fatal;
  #ignoreBOM;
  #decoder = null;
  #started = false;

  constructor(label = "utf-8", { fatal = false, ignoreBOM = false } = {}) {
    const encoding = LABELS.get(`${label}`.trim().toLowerCase());
    if (encoding === undefined) throw new RangeError(`The encoding label provided ('${label}') is invalid or not supported`);
    this.#encoding = encoding;
    this.#fatal = Boolean(fatal);
    this.#ignoreBOM = Boolean(ignoreBOM);
  }
  get encoding() { return this.#encoding; }
  get fatal() { return this.#fatal; }
  get ignoreBOM() { return this.#ignoreBOM; }

  decode(input, { stream = false } = {}) {
    const bytes = bytesOf(input);
    if (!stream && this.#decoder === null && this.#encoding === "utf-8") return decodeUtf8(bytes, this.#fatal, this.#ignoreBOM);
    const decoder = this.#decoder ??= decoderOf(this.#encoding);
    if (!stream) this.#decoder = null;
    let text;
    try {
      text = decoder.decode(bytes, !stream, this.#fatal);
    } catch (error) {
      this.#decoder = null;
      this.#started = false;
      throw error;
    }
    const first = !this.#started;
    this.#started = stream && (this.#started || text.length > 0);
    return first && !this.#ignoreBOM && text.charCodeAt(0) === 0xfeff && this.#encoding !== "windows-1252" ? text.slice(1) : text;
  }
  get [Symbol.toStringTag]() { return "TextDecoder"; }
}

export function btoa(text) {
  text = `${text}`;
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const unit = charCodeAt(text, i);
    if (unit > 255) throw new DOMException("The string to be encoded contains characters outside of the Latin1 range.", "InvalidCharacterError");
    bytes[i] = unit;
  }
  return bytesToBase64(bytes);
}

export function atob(text) {
  try {
    const bytes = bytesFromBase64(`${text}`);
    return codesToText(bytes, bytes.length);
  } catch {
    throw new DOMException("The string to be decoded is not correctly encoded.", "InvalidCharacterError");
  }
}
