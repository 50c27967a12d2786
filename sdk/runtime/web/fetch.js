// fetch: one host call. The host resolves names, refuses private addresses and follows redirects.
import { cancel, hostError, post } from "../calls.js";
import { current } from "../execution.js";
import { bytesToBase64, jsonParse, NativePromise } from "../primordials.js";
import { take } from "./body.js";
import { Request } from "./request.js";
import { responseOf } from "./response.js";

export const fetch = (input, init) => fetchFrom(current(), 0, input, init);

export async function fetchFrom(execution, span, input, init) {
  const request = new Request(input, init);
  const { signal } = request;
  signal.throwIfAborted();
  // Without an await where none is needed: calls are numbered in the order in which user code makes them.
  const taken = take(request);
  const content = taken instanceof NativePromise ? await taken : taken;
  const args = { url: request.url, method: request.method, headers: [...request.headers], redirect: request.redirect };
  if (content === null) args.body = null;
  else if (typeof content === "string") args.body = content;
  else args.body_base64 = bytesToBase64(content);
  let ok = true;
  let aborted = false;
  const payload = await new NativePromise((resolve) => {
    const id = post(execution, span, "fetch", args, (good, text) => {
      ok = good;
      resolve(text);
    });
    signal.addEventListener("abort", () => {
      cancel(execution, id);
      aborted = true;
      resolve(null);
    }, { once: true });
  });
  if (aborted) throw signal.reason;
  if (!ok) throw hostError(payload);
  return responseOf(jsonParse(payload), request.url);
}
