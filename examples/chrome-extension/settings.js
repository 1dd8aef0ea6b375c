// What the user set, and what the pages may know of it. Keys are kept from content scripts.
import { adapterFor } from "./adapters.js";

export const DEFAULTS = { url: "http://127.0.0.1:8000", key: "", bankroll: 0, least: "F", off: [], sites: [], adapters: [] };

export const stored = () => chrome.storage.local.get(DEFAULTS);

export const keepFromPages = () => Promise.all(
  [chrome.storage.local, chrome.storage.session].map((area) => area.setAccessLevel({ accessLevel: "TRUSTED_CONTEXTS" })));

export const originOf = (url) => `${new URL(url).protocol}//${new URL(url).hostname}/*`;

/** Whether what is sent to this address can be read on the way. */
export const isOpenHttp = (url) => /^http:/.test(url) && !/^http:\/\/(?:127\.\d+\.\d+\.\d+|localhost|\[::1\])(?=[:/]|$)/.test(url);

/** What a page's content script needs: no address, no key. */
export async function pageSetting(pageUrl, siteUrl) {
  const { adapters, off, least, bankroll } = await stored();
  const on = !off.includes(new URL(siteUrl ?? pageUrl).hostname);
  return { adapter: on ? await adapterFor(pageUrl, adapters) : null, least, bankroll };
}
