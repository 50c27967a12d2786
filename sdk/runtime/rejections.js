// Promises that were rejected while nobody listened. V8 tells of each; one that finds a listener before its step ends is
// none. What is left when the step ends is reported under the execution whose step it was.
import { current, emit } from "./execution.js";
import { failureText } from "./failure.js";

const MAX_REPORTS = 20; // of one step; a loop that rejects must not fill the record
let waiting = [];

export function rejected(promise, value) {
  waiting[waiting.length] = { promise, value, execution: current() };
}

export function handled(promise) {
  for (let i = waiting.length - 1; i >= 0; i--) {
    if (waiting[i] !== null && waiting[i].promise === promise) {
      waiting[i] = null;
      return;
    }
  }
}

export function reportRejections() {
  if (waiting.length === 0) return;
  const reports = waiting;
  waiting = [];
  let count = 0;
  for (let i = 0; i < reports.length && count < MAX_REPORTS; i++) {
    if (reports[i] === null) continue;
    emit(reports[i].execution, 0, 0, "~unhandled", failureText(reports[i].value));
    count++;
  }
}
