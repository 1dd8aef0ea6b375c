import { adapterFor } from "./adapters.js";
import { isOpenHttp, originOf, stored } from "./settings.js";

const byId = (id) => document.getElementById(id);
const ask = (message) => chrome.runtime.sendMessage(message);
const chosen = new URLSearchParams(location.search).get("tab"); // the popup as a page of its own, for one tab
const tab = chosen ? await chrome.tabs.get(Number(chosen)) : (await chrome.tabs.query({ active: true, lastFocusedWindow: true }))[0];
const url = tab?.url?.startsWith("http") ? tab.url : null;
const settings = await stored();
let adapter = null;

function element(name, text, className = "") {
  return Object.assign(document.createElement(name), { textContent: text, className });
}

async function showConnection() {
  const { trouble, model, starter } = await ask({ type: "status" });
  byId("trouble").textContent = trouble ?? "";
  byId("connection").textContent = model ? `Connected: ${starter ? "starter models (simulated: stake nothing on them)" : `models ${model}`}${settings.key ? ", with a key" : ""}.` : "Not connected.";
  if (isOpenHttp(settings.url)) byId("trouble").append(" The service's address is plain http: others on the way can read what is sent, the key too.");
}

async function showSite() {
  const host = url ? new URL(url).hostname : null;
  byId("site").textContent = host ?? "Bet grades";
  if (!host) return;
  const permitted = settings.sites.includes(originOf(url)) && (await chrome.permissions.contains({ origins: [originOf(url)] }));
  byId("allow").hidden = byId("allow-words").hidden = permitted;
  byId("on-label").hidden = !permitted;
  byId("on").checked = !settings.off.includes(host);
  adapter = await adapterFor(url, settings.adapters);
  byId("adapter").textContent = adapter ? `By the adapter “${adapter.name}”.` : "No adapter fits this site. Record one: click a price, a team, a line and a market on the page.";
  byId("export").hidden = !adapter;
}

async function showPage() {
  const reports = url ? await ask({ type: "report", tab: tab.id }) : [];
  byId("page").hidden = !reports?.length;
  if (!reports?.length) return;
  const sum = (name) => reports.reduce((total, report) => total + (report[name] ?? 0), 0);
  byId("counts").textContent = `${sum("all")} prices on the page; in view ${sum("read")} read, ${sum("graded")} graded.`;
  const skipped = new Map();
  for (const report of reports) {
    if (report.failed) skipped.set(`The page can't be read: ${report.failed}`, 1);
    for (const [reason, count] of Object.entries(report.skipped ?? {})) skipped.set(reason, (skipped.get(reason) ?? 0) + count);
  }
  byId("skipped").replaceChildren(...[...skipped].map(([reason, count]) => element("li", `${count} skipped: ${reason}`)));
  const best = reports.flatMap((report) => report.best ?? []).sort((a, b) => b.prediction.edge - a.prediction.edge).slice(0, 6);
  byId("best").hidden = !best.length;
  byId("rows").replaceChildren(...best.map((bet) => {
    const row = document.createElement("tr"), p = bet.prediction, money = settings.bankroll * p.recommended_stake_pct / 100;
    const name = element("td", bet.name);
    name.append(element("div", [bet.event, bet.market].filter(Boolean).join(" · "), "quiet"));
    row.append(element("td", p.bet_grade), name, element("td", `${(100 * p.edge).toFixed(1)}`, "number"),
      element("td", settings.bankroll > 0 ? money.toFixed(2) : `${p.recommended_stake_pct.toFixed(2)} %`, "number"));
    return row;
  }));
}

byId("allow").addEventListener("click", async () => {
  const origin = originOf(url);
  if (!(await chrome.permissions.request({ origins: [origin] }))) {
    byId("message").textContent = "Without the permission this site is left alone.";
    return;
  }
  const { trouble } = await ask({ type: "site", origin, tab: tab.id });
  byId("message").textContent = trouble ?? "";
  Object.assign(settings, await stored());
  await showSite();
});
byId("on").addEventListener("change", async () => {
  const host = new URL(url).hostname;
  settings.off = settings.off.filter((each) => each !== host).concat(byId("on").checked ? [] : [host]);
  await chrome.storage.local.set({ off: settings.off });
});
byId("bankroll").addEventListener("change", async () => {
  settings.bankroll = Math.max(0, Number(byId("bankroll").value) || 0);
  await chrome.storage.local.set({ bankroll: settings.bankroll });
  await showPage();
});
byId("least").addEventListener("change", () => chrome.storage.local.set({ least: byId("least").value }));
byId("record").addEventListener("click", async () => {
  const { trouble } = await ask({ type: "record", tab: tab?.id });
  byId("message").textContent = trouble ?? "";
  if (!trouble && !chosen) window.close();
});
byId("export").addEventListener("click", () => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(adapter, null, 2)], { type: "application/json" }));
  link.download = `${adapter.name.replace(/[^\w-]+/g, "-")}.json`;
  link.click();
});
byId("options").addEventListener("click", () => chrome.runtime.openOptionsPage());

byId("bankroll").value = settings.bankroll || "";
byId("least").value = settings.least;
await Promise.all([showConnection(), showSite(), showPage()]);
setInterval(showPage, 1000);
