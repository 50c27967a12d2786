// The host parser. https://url.spec.whatwg.org/#host-parsing
import { decodeUtf8 } from "./encoding.js";
import { domainToAscii } from "./idna.js";
import { percentDecode, percentEncode } from "./percent.js";

const FORBIDDEN_HOST = /[\0\t\n\r #/:<>?@[\\\]^|]/;
const FORBIDDEN_DOMAIN = /[\0-\x20"#%/:<>?@[\\\]^`{|}\x7f]/;
const ENDS_IN_NUMBER = /(^|\.)([0-9]+|0x[0-9a-f]*)\.?$/i;

/** The host as it is written in a URL, or null. */
export function parseHost(input, isOpaque) {
  if (input.startsWith("[")) {
    if (!input.endsWith("]")) return null;
    const pieces = parseIpv6(input.slice(1, -1));
    return pieces === null ? null : `[${writeIpv6(pieces)}]`;
  }
  if (isOpaque) return FORBIDDEN_HOST.test(input) ? null : percentEncode(input, "");
  const ascii = domainToAscii(decodeUtf8(percentDecode(input), false, true));
  if (ascii === null || ascii === "" || FORBIDDEN_DOMAIN.test(ascii)) return null;
  return ENDS_IN_NUMBER.test(ascii) ? parseIpv4(ascii) : ascii;
}

function parseNumber(text) {
  if (text === "") return NaN;
  if (/^0x/i.test(text)) return text.length === 2 ? 0 : /^0x[0-9a-f]+$/i.test(text) ? parseInt(text, 16) : NaN;
  if (text.length > 1 && text[0] === "0") return /^[0-7]+$/.test(text) ? parseInt(text, 8) : NaN;
  return /^[0-9]+$/.test(text) ? parseInt(text, 10) : NaN;
}

function parseIpv4(text) {
  const parts = text.split(".");
  if (parts.at(-1) === "" && parts.length > 1) parts.pop();
  if (parts.length > 4) return null;
  const numbers = parts.map(parseNumber);
  if (numbers.some(Number.isNaN)) return null;
  const last = numbers.pop();
  if (numbers.some((number) => number > 255) || last >= 256 ** (4 - numbers.length)) return null;
  let address = last;
  numbers.forEach((number, i) => { address += number * 256 ** (3 - i); });
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join(".");
}

function parseIpv6(text) {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const read = (half) => {
    if (half === "") return [];
    const pieces = [];
    const parts = half.split(":");
    for (let i = 0; i < parts.length; i++) {
      if (i === parts.length - 1 && parts[i].includes(".")) {
        if (!/^(0|[1-9][0-9]{0,2})(\.(0|[1-9][0-9]{0,2})){3}$/.test(parts[i])) return null;
        const bytes = parts[i].split(".").map(Number);
        if (bytes.some((byte) => byte > 255)) return null;
        pieces.push(bytes[0] << 8 | bytes[1], bytes[2] << 8 | bytes[3]);
      } else if (/^[0-9a-f]{1,4}$/i.test(parts[i])) pieces.push(parseInt(parts[i], 16));
      else return null;
    }
    return pieces;
  };
  const head = read(halves[0]);
  const tail = halves.length === 2 ? read(halves[1]) : [];
  if (head === null || tail === null || (halves.length === 2 && halves[0].includes("."))) return null;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null;
  return [...head, ...new Array(missing).fill(0), ...tail];
}

function writeIpv6(pieces) {
  let best = -1, length = 1;
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (end < 8 && pieces[end] === 0) end++;
    if (end - i > length) [best, length] = [i, end - i];
  }
  let text = "";
  for (let i = 0; i < 8; i++) {
    if (i === best) {
      text += i === 0 ? "::" : ":";
      i += length - 1;
    } else text += pieces[i].toString(16) + (i < 7 ? ":" : "");
  }
  return text;
}
