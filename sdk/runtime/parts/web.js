// The web part: the web API, as far as it does not come in the core or in parts of its own.
export { Blob, File } from "../web/blob.js";
export { structuredClone } from "../web/clone.js";
export { CryptoKey, subtle, SubtleCrypto } from "../web/crypto.js";
export { atob, btoa, TextDecoder, TextEncoder } from "../web/encoding.js";
export { AbortController, AbortSignal, CustomEvent, Event, EventTarget } from "../web/events.js";
export { DOMException } from "../web/exception.js";
export { fetch, fetchFrom } from "../web/fetch.js";
export { FormData } from "../web/formdata.js";
export { Headers } from "../web/headers.js";
export { show } from "../web/inspect.js";
export { MessageChannel, MessageEvent, MessagePort } from "../web/message.js";
export { Request, requestOf } from "../web/request.js";
export { isResponse, Response, responsePayload } from "../web/response.js";
export { URL, URLSearchParams } from "../web/url.js";
