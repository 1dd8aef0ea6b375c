// The grading service: time-outs, back-off, what is wrong in words.
import { stored } from "./settings.js";

const TIMEOUT_MS = 5000;
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 60000;
const KEY_WAIT_MS = 60000;
const REFUSED = new Set([401, 403]);

const fresh = () => ({ failures: 0, notBefore: 0, trouble: null });
let states = {}; // by the service's address

export const restore = (saved) => { states = saved ?? {}; };
export const saved = () => states;
export const forget = () => { states = {}; };

export async function state() {
  const { url } = await stored();
  return (states[url] ??= fresh());
}

/** After a failure the service is left alone: as long as it says, else twice as long each time. */
function failed(own, trouble, wait) {
  own.failures += 1;
  const step = Math.min(FIRST_WAIT_MS * 2 ** (own.failures - 1), LONGEST_WAIT_MS) * (0.75 + Math.random() / 2);
  own.notBefore = Date.now() + (wait > 0 ? wait : step);
  own.trouble = trouble;
}

/** The service's answer, or null when there is none that can be used; `state` then says why, and when to come back. */
export async function call(path, body) {
  const { url, key } = await stored(), own = (states[url] ??= fresh());
  const headers = { ...(body ? { "Content-Type": "application/json" } : {}), ...(key ? { "X-API-Key": key } : {}) };
  let answer;
  try {
    answer = await fetch(url + path, {
      method: body ? "POST" : "GET", headers, credentials: "omit", body: body && JSON.stringify(body), signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (answer.ok) {
      const read = await answer.json();
      Object.assign(own, fresh());
      return read;
    }
  } catch (error) {
    failed(own, error.name === "TimeoutError" ? `${url} does not answer within ${TIMEOUT_MS / 1000} s.` : `${url} can't be reached, or does not allow this extension (CORS_ORIGINS).`);
    return null;
  }
  const said = (await answer.json().catch(() => null))?.error?.message ?? "";
  if (REFUSED.has(answer.status)) failed(own, `The API key is ${key ? "wrong" : "missing"}: set it on the options page.`, KEY_WAIT_MS);
  else failed(own, `${url} answers with ${answer.status}. ${said}`, 1000 * Number(answer.headers.get("Retry-After")));
  return null;
}
