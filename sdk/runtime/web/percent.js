// Percent-encode sets and the two directions. https://url.spec.whatwg.org/#percent-encoded-bytes
import { encodeUtf8 } from "./encoding.js";

// Characters above 0x7e and controls are always encoded; these come on top.
export const FRAGMENT = ' "<>`';
export const QUERY = ' "#<>';
export const SPECIAL_QUERY = QUERY + "'";
export const PATH = QUERY + "?^`{}";
export const USERINFO = PATH + "/:;=@[\\]|";

const HEX = "0123456789ABCDEF";
const PLAIN = /^[\w\-.~/]*$/;

export function percentEncode(text, set) {
  if (PLAIN.test(text) && (set !== USERINFO || !text.includes("/"))) return text;
  let out = "";
  for (const c of text) {
    const point = c.codePointAt(0);
    if (point > 0x1f && point < 0x7f && !set.includes(c)) out += c;
    else for (const byte of encodeUtf8(c)) out += "%" + HEX[byte >> 4] + HEX[byte & 15];
  }
  return out;
}

const nibble = (unit) => unit >= 48 && unit < 58 ? unit - 48 : (unit |= 32) >= 97 && unit < 103 ? unit - 87 : -1;

export function percentDecode(text) {
  const bytes = encodeUtf8(text);
  let at = bytes.indexOf(37);
  if (at < 0) return bytes;
  let out = at;
  for (; at < bytes.length; at++) {
    const high = bytes[at] === 37 && at + 2 < bytes.length ? nibble(bytes[at + 1]) : -1;
    const low = high < 0 ? -1 : nibble(bytes[at + 2]);
    if (low < 0) bytes[out++] = bytes[at];
    else {
      bytes[out++] = high << 4 | low;
      at += 2;
    }
  }
  return bytes.subarray(0, out);
}
