// DOMException, https://webidl.spec.whatwg.org/#idl-DOMException
const CODES = {
  IndexSizeError: 1, HierarchyRequestError: 3, WrongDocumentError: 4, InvalidCharacterError: 5,
  NoModificationAllowedError: 7, NotFoundError: 8, NotSupportedError: 9, InUseAttributeError: 10, InvalidStateError: 11,
  SyntaxError: 12, InvalidModificationError: 13, NamespaceError: 14, InvalidAccessError: 15, TypeMismatchError: 17,
  SecurityError: 18, NetworkError: 19, AbortError: 20, URLMismatchError: 21, QuotaExceededError: 22, TimeoutError: 23,
  InvalidNodeTypeError: 24, DataCloneError: 25,
};

export class DOMException extends Error {
  #name;
  constructor(message = "", name = "Error") {
    super(`${message}`);
    const given = name !== null && typeof name === "object" ? name : { name };
    this.#name = `${given.name ?? "Error"}`;
    if ("cause" in given) Object.defineProperty(this, "cause", { value: given.cause, configurable: true, writable: true });
  }
  get name() { return this.#name; }
  get code() { return CODES[this.#name] ?? 0; }
  get [Symbol.toStringTag]() { return "DOMException"; }
}

for (const [name, code] of Object.entries(CODES)) {
  const constant = name.replace(/Error$/, "").replace(/(?!^)([A-Z])(?=[a-z])/g, "_$1").toUpperCase() + "_ERR";
  const described = { value: code, enumerable: true };
  Object.defineProperty(DOMException, constant, described);
  Object.defineProperty(DOMException.prototype, constant, described);
}
