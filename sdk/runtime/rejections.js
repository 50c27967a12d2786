// Promises that were rejected while nobody listened. V8 tells of each; one that finds a listener before its step ends is
// none. What is left when the step ends is reported under the execution whose step it was.
import { current, emit } from "./execution.js";
import { failureText } from "./failure.js";

const MAX_REPORTS = 20; // of one step; a loop that rejects must not fill the record

// Newest first, linked: see execution.js on why this is no array.
let waiting = null;
let count = 0;

export function rejected(promise, value) {
  if (count >= MAX_REPORTS) return;
  count++;
  waiting = { promise, value, execution: current(), next: waiting };
}

export function handled(promise) {
  let before = null;
  for (let entry = waiting; entry !== null; before = entry, entry = entry.next) {
    if (entry.promise !== promise) continue;
    if (before === null) waiting = entry.next;
    else before.next = entry.next;
    count--;
    return;
  }
}

export function reportRejections() {
  let entry = null;
  for (let rest = waiting; rest !== null;) {
    const { next } = rest;
    rest.next = entry;
    entry = rest;
    rest = next;
  }
  waiting = null;
  count = 0;
  for (; entry !== null; entry = entry.next) emit(entry.execution, 0, 0, "~unhandled", failureText(entry.value));
}
