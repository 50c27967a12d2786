// crypto.subtle: every method is a host call, so its result is recorded. https://w3c.github.io/webcrypto
import { callHere } from "../calls.js";
import { bytesToBase64 } from "../primordials.js";
import { bytesOf } from "./encoding.js";
import { DOMException } from "./exception.js";

const CREATE = Symbol("create");
const base64 = (source) => bytesToBase64(bytesOf(source));
const buffer = (text) => Uint8Array.fromBase64(text).buffer;
let hostForm = null;

/** A key: what it may do is kept here and checked by the host as well; its material (`data`) travels with each call. */
export class CryptoKey {
  #fields;
  constructor(key, fields) {
    if (key !== CREATE) throw new TypeError("Illegal constructor");
    this.#fields = fields;
  }
  static {
    hostForm = (key, usage) => {
      if (!(key instanceof CryptoKey)) throw new TypeError("not a CryptoKey");
      const { algorithm, usages, ...rest } = key.#fields;
      if (usage && !usages.includes(usage)) throw new DOMException(`the key's usages do not permit ${usage}`, "InvalidAccessError");
      return { ...rest, algorithm: plain(algorithm), usages };
    };
  }
  get algorithm() { return this.#fields.algorithm; }
  get type() { return this.#fields.type; }
  get extractable() { return this.#fields.extractable; }
  get usages() { return [...this.#fields.usages]; }
  get [Symbol.toStringTag]() { return "CryptoKey"; }
}

/** An algorithm for the host: bytes in base64, keys in their host form. */
function plain(value) {
  if (typeof value === "string") return { name: value };
  const out = {};
  for (const name in value) {
    const field = value[name];
    if (field instanceof ArrayBuffer || ArrayBuffer.isView(field)) out[name] = base64(field);
    else if (field instanceof CryptoKey) out[name] = hostForm(field);
    else if (name === "hash") out[name] = typeof field === "string" ? { name: field } : { name: field.name };
    else out[name] = field;
  }
  return out;
}

/** A CryptoKey of what the host returned. */
function keyOf(fields) {
  const { algorithm } = fields;
  if (typeof algorithm.publicExponent === "string") algorithm.publicExponent = Uint8Array.fromBase64(algorithm.publicExponent);
  return new CryptoKey(CREATE, fields);
}

const keysOf = (answer) => answer.key ? keyOf(answer.key) : { publicKey: keyOf(answer.public_key), privateKey: keyOf(answer.private_key) };

const EXCEPTIONS = {
  OPERATION_ERROR: "OperationError",
  DATA_ERROR: "DataError",
  NOT_SUPPORTED_ERROR: "NotSupportedError",
  INVALID_ACCESS_ERROR: "InvalidAccessError",
  SYNTAX_ERROR: "SyntaxError",
};

async function call(method, args) {
  try {
    return await callHere("crypto." + method, args);
  } catch (error) {
    const name = EXCEPTIONS[error.code];
    if (name !== undefined) throw new DOMException(error.message, name);
    if (error.code === "INVALID_ARGUMENT") throw new TypeError(error.message);
    throw error;
  }
}

export class SubtleCrypto {
  constructor(key) {
    if (key !== CREATE) throw new TypeError("Illegal constructor");
  }
  async digest(algorithm, data) {
    return buffer((await call("digest", { algorithm: plain(algorithm), data: base64(data) })).data);
  }
  async importKey(format, data, algorithm, extractable, usages) {
    const material = { key_data: format === "jwk" ? data : base64(data) };
    return keyOf((await call("importKey", { format, ...material, algorithm: plain(algorithm), extractable: Boolean(extractable), usages: [...usages] })).key);
  }
  async exportKey(format, key) {
    if (!key.extractable) throw new DOMException("the key is not extractable", "InvalidAccessError");
    const answer = await call("exportKey", { format, key: hostForm(key) });
    return format === "jwk" ? answer.jwk : buffer(answer.data);
  }
  async generateKey(algorithm, extractable, usages) {
    return keysOf(await call("generateKey", { algorithm: plain(algorithm), extractable: Boolean(extractable), usages: [...usages] }));
  }
  async sign(algorithm, key, data) {
    return buffer((await call("sign", { algorithm: plain(algorithm), key: hostForm(key, "sign"), data: base64(data) })).data);
  }
  async verify(algorithm, key, signature, data) {
    const args = { algorithm: plain(algorithm), key: hostForm(key, "verify"), signature: base64(signature), data: base64(data) };
    return (await call("verify", args)).valid;
  }
  async encrypt(algorithm, key, data) {
    return buffer((await call("encrypt", { algorithm: plain(algorithm), key: hostForm(key, "encrypt"), data: base64(data) })).data);
  }
  async decrypt(algorithm, key, data) {
    return buffer((await call("decrypt", { algorithm: plain(algorithm), key: hostForm(key, "decrypt"), data: base64(data) })).data);
  }
  async deriveBits(algorithm, key, length = null) {
    return buffer((await call("deriveBits", { algorithm: plain(algorithm), key: hostForm(key, "deriveBits"), length })).data);
  }
  async deriveKey(algorithm, key, derived, extractable, usages) {
    return keyOf((await call("deriveKey", {
      algorithm: plain(algorithm), key: hostForm(key, "deriveKey"), derived_algorithm: plain(derived), extractable: Boolean(extractable), usages: [...usages],
    })).key);
  }
  async wrapKey(format, key, wrapping, algorithm) {
    if (!key.extractable) throw new DOMException("the key is not extractable", "InvalidAccessError");
    return buffer((await call("wrapKey", { format, key: hostForm(key), wrapping_key: hostForm(wrapping, "wrapKey"), algorithm: plain(algorithm) })).data);
  }
  async unwrapKey(format, data, unwrapping, algorithm, unwrapped, extractable, usages) {
    return keyOf((await call("unwrapKey", {
      format, data: base64(data), unwrapping_key: hostForm(unwrapping, "unwrapKey"), algorithm: plain(algorithm),
      unwrapped_algorithm: plain(unwrapped), extractable: Boolean(extractable), usages: [...usages],
    })).key);
  }
  get [Symbol.toStringTag]() { return "SubtleCrypto"; }
}

export const subtle = new SubtleCrypto(CREATE);
