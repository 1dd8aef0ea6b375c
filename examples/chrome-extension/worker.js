import { readAdapter } from "./adapters.js";
import { call, forget, restore, saved, state } from "./service.js";
import { keepFromPages, pageSetting, stored } from "./settings.js";
import { add, inject, reconcile } from "./sites.js";

const LIMIT = 100; // bets a request
const STALE_MS = 30000; // an answer past its time is shown in grey, then no more
const ERROR_MS = 600000; // a bet that the service refuses isn't asked for again soon
const KEPT = 5000;

let answers = null; // key of a bet -> its answer; also in the session's storage, since a service worker ends when idle
let epoch = 0; // answers of another address or key are none of ours
let waiting = []; // markets that pages wait for
let busy = false;
const reports = new Map(); // tab -> frame -> what was read there

const ready = (async () => {
  await keepFromPages();
  const kept = await chrome.storage.session.get(["answers", "service"]);
  answers = new Map(kept.answers ?? []);
  restore(kept.service);
})();

let saving = 0;
function save() {
  saving ||= setTimeout(() => {
    saving = 0;
    const now = Date.now();
    for (const [key, { until }] of answers) if (until <= now || answers.size > KEPT) answers.delete(key);
    chrome.storage.session.set({ answers: [...answers], service: saved() });
  }, 500);
}

const post = (port, message) => { try { port.postMessage(message); } catch { /* its page is gone */ } };

function lifetime(seconds, now = Date.now()) {
  return { refresh: now + 750 * seconds, until: now + 1000 * seconds, gone: now + 1000 * seconds + Math.min(1000 * seconds, STALE_MS) };
}

/** Ask for whole markets, up to 100 bets at once, one request after the other. */
async function work() {
  if (busy) return;
  busy = true;
  try {
    while (waiting.length) {
      const own = await state();
      if (Date.now() < own.notBefore) break;
      const part = [];
      while (waiting.length && (!part.length || part.flatMap(({ market }) => market).length + waiting[0].market.length <= LIMIT)) part.push(waiting.shift());
      await request(part);
    }
  } finally {
    const { notBefore, trouble } = await state();
    for (const port of new Set(waiting.map(({ port }) => port))) post(port, { type: "answers", answers: [], again_ms: Math.max(100, notBefore - Date.now()) });
    waiting = [];
    busy = false;
    mark(trouble);
    save();
  }
}

async function request(part) {
  const bets = new Map(part.flatMap(({ market }) => market).map(({ key, bet }) => [key, bet]));
  const keys = [...bets.keys()], began = epoch;
  const body = await call("/api/v1/batch-predict", { bets: [...bets.values()] });
  if (began !== epoch) return; // another address or key by now
  if (!body) {
    waiting.unshift(...part);
    return;
  }
  for (const { index, prediction } of body.predictions) answers.set(keys[index], { prediction, ...lifetime(prediction.ttl_s) });
  for (const { index, error } of body.errors ?? []) answers.set(keys[index], { error: error.message, ...lifetime(ERROR_MS / 1000) });
  for (const { port, market } of part) post(port, { type: "answers", answers: known(market) });
}

const known = (market) => market.filter(({ key }) => answers.has(key)).map(({ key }) => [key, answers.get(key)]);

function grade(port, markets) {
  const now = Date.now(), missing = [], cached = [];
  for (const market of markets) {
    if (market.every(({ key }) => answers.get(key)?.refresh > now)) cached.push(...known(market));
    else missing.push({ port, market });
  }
  if (cached.length) post(port, { type: "answers", answers: cached });
  waiting.push(...missing);
  work();
}

/** A mark on the extension's button: something is wrong, the popup says what. */
function mark(trouble) {
  chrome.action.setBadgeBackgroundColor({ color: "#b3261e" });
  chrome.action.setBadgeText({ text: trouble ? "!" : "" });
}

async function hear(port, message) {
  await ready;
  const { sender } = port;
  if (message.type === "hello") post(port, { type: "setting", setting: await pageSetting(sender.url.startsWith("http") ? sender.url : sender.origin + "/", sender.tab?.url) });
  else if (message.type === "grade") grade(port, message.markets);
  else if (message.type === "explain") {
    const body = Date.now() < (await state()).notBefore ? null : await call("/api/v1/predict?explain=true&dry_run=true", message.bet);
    post(port, { type: "reasons", reasons: body?.reasons ?? [] });
  } else if (message.type === "report" && sender.tab) {
    const frames = reports.get(sender.tab.id) ?? new Map();
    reports.set(sender.tab.id, frames.set(sender.documentId, message.report));
  }
}

chrome.runtime.onConnect.addListener((port) => {
  if (port.name !== "page") return;
  port.onMessage.addListener((message) => hear(port, message));
  port.onDisconnect.addListener(() => {
    waiting = waiting.filter((each) => each.port !== port);
    reports.get(port.sender.tab?.id)?.delete(port.sender.documentId);
  });
});

/** What the popup and the options page ask. */
const ANSWERS = {
  async status() {
    const model = await call("/api/v1/model-info"), own = await state();
    const health = model && await call("/health");
    mark(own.trouble);
    return { trouble: own.trouble, model: model?.metadata?.timestamp ?? null, starter: health?.starter_models ?? false, version: health?.version ?? null };
  },
  async report({ tab }) {
    return [...(reports.get(tab)?.values() ?? [])];
  },
  async site({ origin, tab }) {
    await add(origin, tab);
    return { saved: origin };
  },
  async record({ tab }) {
    await inject(tab, ["content/reading.js", "content/recorder.js"], false);
    return { saved: null };
  },
  async adapter({ text }) {
    return keep(await readAdapter(text));
  },
};

/** An adapter of the user's goes before all others; one of the same name is replaced. */
async function keep(adapter) {
  const { adapters } = await stored();
  await chrome.storage.local.set({ adapters: [adapter, ...adapters.filter(({ name }) => name !== adapter.name)] });
  return { saved: adapter.name };
}

/** A page's script may do one thing: hand over an adapter for its own site, made with the recorder. */
async function recorded(message, sender) {
  const adapter = await readAdapter(JSON.stringify(message.adapter));
  if (message.type !== "recorded" || adapter.hosts.some((host) => host !== new URL(sender.url).hostname)) throw new Error("This adapter is for another site.");
  return keep(adapter);
}

chrome.runtime.onMessage.addListener((message, sender, respond) => {
  if (sender.id !== chrome.runtime.id) return false;
  const own = sender.url?.startsWith(chrome.runtime.getURL(""));
  if (own ? !ANSWERS[message.type] : message.type !== "recorded") return false;
  ready.then(() => (own ? ANSWERS[message.type](message) : recorded(message, sender))).then(respond, (error) => respond({ trouble: error.message }));
  return true; // the answer comes later
});

async function everyPage(message) {
  for (const { id } of await chrome.tabs.query({})) chrome.tabs.sendMessage(id, message).catch(() => {});
}

chrome.storage.onChanged.addListener(async (changes, area) => {
  if (area !== "local") return;
  await ready;
  if (changes.url || changes.key) {
    epoch += 1;
    answers.clear();
    waiting = [];
    forget();
    mark(null);
    await chrome.storage.session.clear();
  }
  await everyPage({ type: "reset" });
});
for (const event of [chrome.permissions.onAdded, chrome.permissions.onRemoved, chrome.runtime.onInstalled]) event.addListener(reconcile);
