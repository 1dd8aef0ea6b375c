// The sites that the user allowed. Their pages get the content scripts; no site is there from the start.
import { stored } from "./settings.js";

const SCRIPTS = ["content/reading.js", "content/overlay.js", "content/content.js"];

const script = (origin) => ({
  id: `site ${origin}`, matches: [origin], js: SCRIPTS, allFrames: true, matchOriginAsFallback: true, runAt: "document_idle", persistAcrossSessions: true,
});

/** What the browser runs is what the user allowed: after an update, a grant, a withdrawal. */
export async function reconcile() {
  const there = new Set((await chrome.scripting.getRegisteredContentScripts()).map(({ id }) => id));
  for (const origin of (await stored()).sites) {
    const own = script(origin), permitted = await chrome.permissions.contains({ origins: [origin] });
    if (permitted && !there.has(own.id)) await chrome.scripting.registerContentScripts([own]);
    if (!permitted && there.has(own.id)) await chrome.scripting.unregisterContentScripts({ ids: [own.id] });
  }
}

/** From now on, pages and frames of this site are read; a page that is open at once. */
export async function add(origin, tabId) {
  const { sites } = await stored();
  if (!sites.includes(origin)) await chrome.storage.local.set({ sites: [...sites, origin] });
  await reconcile();
  await inject(tabId);
}

export const inject = (tabId, files = SCRIPTS, allFrames = true) => chrome.scripting.executeScript({ target: { tabId, allFrames }, files });
