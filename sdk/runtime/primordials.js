// What the runtime needs of the language, taken before user code runs: user code may replace any of it.
const { bind, call } = Function.prototype;
/** Turns a method into a function that takes `this` first, and that no later change of a prototype can reach. */
const uncurry = bind.bind(call);

export const NativePromise = Promise;
export const NativeDate = Date;
export const NativeError = Error;
export const NativeProxy = Proxy;
export const { parse: jsonParse, stringify: jsonStringify } = JSON;
export const {
  create, defineProperty, defineProperties, freeze, getOwnPropertyDescriptor, getPrototypeOf, keys, entries, assign,
} = Object;
export const { apply, construct, ownKeys } = Reflect;
export const { isArray } = Array;
export const { isView } = ArrayBuffer;
export const { floor } = Math;
export const { fromCharCode } = String;

export const arrayJoin = uncurry(Array.prototype.join);
export const charCodeAt = uncurry(String.prototype.charCodeAt);
export const stringSlice = uncurry(String.prototype.slice);
export const stringSplit = uncurry(String.prototype.split);
export const stringIncludes = uncurry(String.prototype.includes);
export const stringIndexOf = uncurry(String.prototype.indexOf);
export const stringToLowerCase = uncurry(String.prototype.toLowerCase);
export const getTime = uncurry(Date.prototype.getTime);
export const toISOString = uncurry(Date.prototype.toISOString);
export const dateToString = uncurry(Date.prototype.toString);
export const bytesToBase64 = uncurry(Uint8Array.prototype.toBase64);
export const bytesFromBase64 = Uint8Array.fromBase64.bind(Uint8Array);
