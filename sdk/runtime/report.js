// Errors that no caller can receive: thrown by a timer's or an event's callback.
import { current, emit } from "./execution.js";
import { failureText } from "./failure.js";

export function reportError(error) {
  emit(current(), 0, 0, "~unhandled", failureText(error));
}
