// Domain names to ASCII, after UTS #46. The mapping table of that standard is approximated by what the language has:
// NFKC and lower case, which differ from it for a few hundred rare characters (docs/WEB_API.md).
const BASE = 36, T_MIN = 1, T_MAX = 26, SKEW = 38, DAMP = 700, FIRST_BIAS = 72, FIRST_POINT = 128;
const IGNORED = /[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u2060\u2064\ufe00-\ufe0f\ufeff\u{e0100}-\u{e01ef}]/gu;
const DOTS = /[\u3002\uff0e\uff61]/g;

function adapt(delta, points, first) {
  delta = first ? Math.floor(delta / DAMP) : delta >> 1;
  delta += Math.floor(delta / points);
  let k = 0;
  for (; delta > ((BASE - T_MIN) * T_MAX) >> 1; k += BASE) delta = Math.floor(delta / (BASE - T_MIN));
  return k + Math.floor((BASE - T_MIN + 1) * delta / (delta + SKEW));
}

const digit = (value) => String.fromCharCode(value < 26 ? value + 97 : value + 22);
const threshold = (k, bias) => k <= bias ? T_MIN : k >= bias + T_MAX ? T_MAX : k - bias;

/** RFC 3492, without the "xn--". */
export function punycode(label) {
  const points = Array.from(label, (c) => c.codePointAt(0));
  const basic = points.filter((point) => point < 128);
  let output = String.fromCharCode(...basic);
  if (basic.length) output += "-";
  let n = FIRST_POINT, delta = 0, bias = FIRST_BIAS, done = basic.length;
  while (done < points.length) {
    const next = Math.min(...points.filter((point) => point >= n));
    delta += (next - n) * (done + 1);
    n = next;
    for (const point of points) {
      if (point < n) delta++;
      if (point !== n) continue;
      let q = delta;
      for (let k = BASE;; k += BASE) {
        const t = threshold(k, bias);
        if (q < t) break;
        output += digit(t + (q - t) % (BASE - t));
        q = Math.floor((q - t) / (BASE - t));
      }
      output += digit(q);
      bias = adapt(delta, done + 1, done === basic.length);
      delta = 0;
      done++;
    }
    delta++;
    n++;
  }
  return output;
}

/** The Unicode label of a punycoded one, or null. */
export function fromPunycode(text) {
  const last = text.lastIndexOf("-");
  const output = last > 0 ? Array.from(text.slice(0, last), (c) => c.codePointAt(0)) : [];
  let n = FIRST_POINT, i = 0, bias = FIRST_BIAS;
  for (let at = last > 0 ? last + 1 : 0; at < text.length;) {
    const before = i;
    for (let weight = 1, k = BASE;; k += BASE) {
      const code = text.charCodeAt(at++);
      const value = code >= 48 && code < 58 ? code - 22 : code >= 97 && code < 123 ? code - 97 : -1;
      if (value < 0) return null;
      i += value * weight;
      const t = threshold(k, bias);
      if (value < t) break;
      weight *= BASE - t;
      if (i > 0x7fffffff) return null;
    }
    bias = adapt(i - before, output.length + 1, before === 0);
    n += Math.floor(i / (output.length + 1));
    i %= output.length + 1;
    if (n > 0x10ffff) return null;
    output.splice(i++, 0, n);
  }
  return String.fromCodePoint(...output);
}

/** The ASCII form, or null when there is none. */
export function domainToAscii(domain) {
  const labels = domain.replace(IGNORED, "").replace(DOTS, ".").normalize("NFKC").toLowerCase().normalize("NFKC").split(".");
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i];
    if (/^[\0-\x7f]*$/.test(label)) {
      if (!label.startsWith("xn--")) continue;
      const unicode = fromPunycode(label.slice(4));
      if (unicode === null || /^[\0-\x7f]*$/.test(unicode) || unicode.normalize("NFC") !== unicode) return null;
      continue;
    }
    if (/^\p{M}/u.test(label) || /[\u200c\u200d\ufffd]/.test(label) || /\p{Cn}|\p{Co}|\p{Cs}/u.test(label)) return null;
    labels[i] = "xn--" + punycode(label);
  }
  return labels.join(".");
}
