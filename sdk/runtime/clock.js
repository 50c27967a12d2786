// Time: what the running execution's clock says. It stands still while code runs; only a host's answer moves it.
import { current, nowMs } from "./execution.js";
import { apply, construct, dateToString, defineProperties, defineProperty, getOwnPropertyDescriptor, NativeDate } from "./primordials.js";

function FluxDate(...args) {
  if (new.target === undefined) return dateToString(new NativeDate(nowMs()));
  return construct(NativeDate, args.length ? args : [nowMs()], new.target);
}

function installDate(global) {
  defineProperties(FluxDate, {
    name: { value: "Date", configurable: true },
    length: { value: 7, configurable: true },
    prototype: { value: NativeDate.prototype, writable: false, enumerable: false, configurable: false },
    now: { value: function now() { return nowMs(); }, writable: true, configurable: true },
    parse: getOwnPropertyDescriptor(NativeDate, "parse"),
    UTC: getOwnPropertyDescriptor(NativeDate, "UTC"),
  });
  defineProperty(NativeDate.prototype, "constructor", { value: FluxDate, writable: true, configurable: true });
  defineProperty(global, "Date", { value: FluxDate, writable: true, configurable: true });
}

/** Intl.DateTimeFormat's methods take "now" when they are given no date. */
function installIntl() {
  const prototype = Intl.DateTimeFormat.prototype;
  const { get: format } = getOwnPropertyDescriptor(prototype, "format");
  defineProperty(prototype, "format", {
    configurable: true,
    get() {
      const bound = apply(format, this, []);
      return (date) => bound(date === undefined ? nowMs() : date);
    },
  });
  const { formatToParts } = prototype;
  defineProperty(prototype, "formatToParts", {
    configurable: true,
    writable: true,
    value(date) { return apply(formatToParts, this, [date === undefined ? nowMs() : date]); },
  });
}

/** Temporal.Now from the same clock; the zone is UTC. */
function installTemporal() {
  if (typeof Temporal === "undefined") return;
  const { Instant, Now } = Temporal;
  const fromEpochNanoseconds = (value) => new Instant(value);
  const instant = () => fromEpochNanoseconds(BigInt(current().clock) * 1000n);
  const zoned = (zone = "UTC") => instant().toZonedDateTimeISO(zone);
  const replacements = {
    instant,
    timeZoneId: () => "UTC",
    zonedDateTimeISO: zoned,
    plainDateTimeISO: (zone) => zoned(zone).toPlainDateTime(),
    plainDateISO: (zone) => zoned(zone).toPlainDate(),
    plainTimeISO: (zone) => zoned(zone).toPlainTime(),
  };
  for (const name in replacements) defineProperty(Now, name, { value: replacements[name], writable: true, configurable: true });
}

export class Performance {
  get timeOrigin() { return current().started / 1000; }
  now() { return (current().clock - current().started) / 1000; }
  mark() {}
  measure() {}
  clearMarks() {}
  clearMeasures() {}
  getEntries() { return []; }
  getEntriesByName() { return []; }
  getEntriesByType() { return []; }
  toJSON() { return { timeOrigin: this.timeOrigin }; }
}

export function installClock(global) {
  installDate(global);
  installIntl();
  installTemporal();
}
