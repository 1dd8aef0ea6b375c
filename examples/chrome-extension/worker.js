import { keyOf } from "./keys.js";

const LIMIT = 100; // bets a request
const DEFAULTS = { url: "http://127.0.0.1:8000", key: "" };
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 60000;

// Answers by bet, for as long as the service allows (ttl_s) and its model set stays the same. Kept in the session's
// storage too, since a service worker ends whenever it is idle.
let cache = null;
let state = { version: null, failures: 0, notBefore: 0 };
let queue = Promise.resolve(); // one request at a time: pages that ask together share the answers

async function load() {
  if (cache) return;
  const stored = await chrome.storage.session.get(["cache", "state"]);
  cache = new Map(stored.cache ?? []);
  state = stored.state ?? state;
}

async function save() {
  const now = Date.now();
  for (const [key, entry] of cache) if (entry.until <= now) cache.delete(key);
  await chrome.storage.session.set({ cache: [...cache], state });
}

async function call(path, options = {}) {
  const { url, key } = { ...DEFAULTS, ...(await chrome.storage.local.get(["url", "key"])) };
  const headers = { ...options.headers };
  if (key) headers["X-API-Key"] = key;
  return fetch(url.replace(/\/+$/, "") + path, { ...options, headers, credentials: "omit" });
}

/** After a failure the service is left alone: as long as it says, else twice as long each time. */
function backOff(answer) {
  state.failures += 1;
  const told = Number(answer?.headers.get("Retry-After"));
  const wait = Math.min(FIRST_WAIT_MS * 2 ** (state.failures - 1), LONGEST_WAIT_MS) * (0.75 + Math.random() / 2);
  state.notBefore = Date.now() + (told > 0 ? told * 1000 : wait);
}

async function request(bets) {
  let answer = null;
  try {
    answer = await call("/api/v1/batch-predict", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ bets }),
    });
    if (!answer.ok) {
      backOff(answer);
      return;
    }
    const { predictions } = await answer.json();
    state.failures = 0;
    state.notBefore = 0;
    for (const { index, prediction } of predictions) {
      if (prediction.model_version !== state.version) {
        cache.clear();
        state.version = prediction.model_version;
      }
      cache.set(keyOf(bets[index]), { prediction, until: Date.now() + 1000 * prediction.ttl_s });
    }
  } catch {
    backOff(answer);
  }
}

async function grade(bets) {
  await load();
  const fresh = (bet) => (cache.get(keyOf(bet))?.until ?? 0) > Date.now();
  const missing = bets.filter((bet) => !fresh(bet));
  for (let start = 0; start < missing.length && Date.now() >= state.notBefore; start += LIMIT) {
    await request(missing.slice(start, start + LIMIT));
  }
  await save();
  const predictions = {};
  for (const bet of bets) {
    const entry = cache.get(keyOf(bet));
    if (entry) predictions[keyOf(bet)] = entry.prediction;
  }
  const waits = bets.map((bet) => (cache.get(keyOf(bet))?.until ?? state.notBefore) - Date.now());
  const waiting = waits.filter((wait) => wait > 0);
  return { predictions, again_ms: waiting.length ? Math.min(...waiting) + 50 : null };
}

async function explain(bet) {
  try {
    const answer = await call("/api/v1/predict?explain=true&dry_run=true", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(bet),
    });
    return answer.ok ? await answer.json() : {};
  } catch {
    return {};
  }
}

chrome.runtime.onMessage.addListener((message, _sender, respond) => {
  if (message.type === "grade") {
    queue = queue.then(() => grade(message.bets)).then(respond, () => respond(null));
  } else if (message.type === "explain") {
    explain(message.bet).then(respond);
  } else {
    return false;
  }
  return true; // the answer comes later
});

chrome.storage.onChanged.addListener((changes, area) => {
  if (area !== "local" || !(changes.url || changes.key)) return;
  cache = new Map();
  state = { version: null, failures: 0, notBefore: 0 };
  chrome.storage.session.clear();
});
