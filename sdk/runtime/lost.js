// What JSON has no word for, and what would become of it in a query: `undefined` and functions are left out, so that a
// condition holds for rows that nobody meant; NaN and dates that are none become null, which is IS NULL, or stored.
import { FluxError } from "./execution.js";
import { getTime, isArray, keys, NativeDate } from "./primordials.js";

/** Their values decide which rows are meant; elsewhere what is undefined may be left out, as usual. */
const STRICT = { __proto__: null, where: true, having: true, after: true };

/** What is stored may have keys of these names, too: those of documents decide nothing. */
const STORED = { __proto__: null, data: true, "query.data": true };

// Deeper is for JSON.stringify to refuse, and for the query's own limit.
const MAX_DEPTH = 64;

/** An error that names the first such value of a query's parts, or null. `strict` is null within what is stored. */
export function lostIn(value, path = "", strict = false, depth = 0) {
  switch (typeof value) {
    case "number":
      return value - value === 0 ? null : lost(path, `${value}, which JSON cannot say`);
    case "undefined":
      return strict ? lost(path, "undefined: it would be left out, and other rows be meant") : null;
    case "function":
    case "symbol":
      return lost(path, `a ${typeof value}`);
    case "object":
      return value === null || depth === MAX_DEPTH ? null : lostWithin(value, path, strict, depth + 1);
    default:
      return null;
  }
}

function lostWithin(value, path, strict, depth) {
  if (value instanceof NativeDate) {
    const time = getTime(value);
    return time === time ? null : lost(path, "an invalid Date");
  }
  if (typeof value.toJSON === "function") return null; // it says itself what it is
  const names = keys(value);
  for (let index = 0; index < names.length; index++) {
    const name = names[index];
    const place = isArray(value) ? `${path}[${name}]` : path === "" ? name : `${path}.${name}`;
    const stored = strict === null || STORED[place] === true;
    const within = stored ? null : strict || STRICT[name] === true && value[name] !== undefined;
    const found = lostIn(value[name], place, within, depth);
    if (found !== null) return found;
  }
  return null;
}

const lost = (path, what) => new FluxError(400, "INVALID_VALUE", `"${path}" is ${what}.`);
