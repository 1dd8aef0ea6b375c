import { byId, call, make, percent } from "./common.js";

const WORDS = {
  stable: "Bets are what they were in training",
  noticeable: "Bets differ noticeably from training",
  drifted: "Bets have drifted from training",
  too_few_bets: "Too few bets to tell",
};
const RANK = { drifted: 0, noticeable: 1, too_few_bets: 2, stable: 3 };
const SPACE = "http://www.w3.org/2000/svg";
const plain = (name) => name.replaceAll("institution_name", "sportsbook").replaceAll("_", " ").replace(/\bprob\b/, "probability").replace(/\broi\b/, "ROI");
const short = (number) => String(Number(number.toPrecision(3)));

/** What each share is of: bins between edges, and bets without a value. */
function binNames(edges) {
  const bounded = edges.slice(1).map((edge, i) => `${short(edges[i])} to ${short(edge)}`);
  const bins = edges.length ? [`below ${short(edges[0])}`, ...bounded, `from ${short(edges.at(-1))}`] : ["all"];
  return [...bins, "no value"];
}

/** Every distribution of the report in one shape, the one that moved most first. */
function distributions(report) {
  const verdict = (name) => (name in report.psi ? (report.psi[name] > 0.25 ? "drifted" : report.psi[name] > 0.1 ? "noticeable" : "stable") : "too_few_bets");
  const pairs = (shares, prefix) => Object.entries(shares).map(([name, share]) => ({ name: prefix + name, ...share }));
  const columns = Object.entries(report.columns).map(([name, column]) => ({
    name, status: column.status, psi: report.psi[name],
    bins: binNames(column.edges).map((bin, i) => ({ name: bin, trained: column.trained[i], live: column.live[i] })),
  }));
  const grades = { name: "grade", status: verdict("grade"), psi: report.psi.grade, bins: pairs(report.grades, "") };
  const unknown = { name: "values that the models do not know", status: "stable", bins: pairs(report.unknown, "") };
  if (unknown.bins.some(({ trained, live }) => live > trained + 0.1)) unknown.status = "noticeable";
  return [grades, unknown, ...columns].sort((one, other) => RANK[one.status] - RANK[other.status] || (other.psi ?? 0) - (one.psi ?? 0));
}

/** In words: where the two differ most. */
function sentence({ name, bins }) {
  const most = bins.reduce((found, bin) => (Math.abs(bin.live - bin.trained) > Math.abs(found.live - found.trained) ? bin : found));
  return `${plain(name)}, ${plain(most.name)}: ${percent(most.live, 0)} of live bets, ${percent(most.trained, 0)} in training`;
}

function bar({ trained, live }, widest) {
  const svg = document.createElementNS(SPACE, "svg");
  svg.setAttribute("viewBox", "0 0 100 10");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  for (const [kind, share, y] of [["trained", trained, 0.5], ["live", live, 5.5]]) {
    const rect = document.createElementNS(SPACE, "rect");
    for (const [key, value] of Object.entries({ class: kind, x: 0, y, width: (100 * share) / widest, height: 4 })) rect.setAttribute(key, value);
    svg.append(rect);
  }
  return svg;
}

function card(shown) {
  const bins = shown.bins.filter((bin) => bin.trained || bin.live);
  const widest = Math.max(...bins.map((bin) => Math.max(bin.trained, bin.live)), 1e-9);
  const said = shown.psi === undefined ? "" : ` (${shown.psi.toFixed(2)})`;
  return make("article", {},
    make("h3", {}, plain(shown.name)),
    make("p", { class: `verdict-${shown.status}` }, `${plain(shown.status)}${said}`),
    make("dl", { class: "bars" }, ...bins.flatMap((bin) => [
      make("dt", {}, plain(bin.name)), make("dd", {}, bar(bin, widest)),
      make("dd", { class: "number" }, `${percent(bin.trained, 0)} → ${percent(bin.live, 0)}`)])));
}

async function show() {
  const key = byId("key").value;
  try {
    const report = await call("/api/v1/drift-report", key ? { headers: { "X-API-Key": key } } : {});
    byId("report").hidden = report.status === "no_baseline";
    if (report.status === "no_baseline") {
      byId("status").textContent = report.message;
      byId("moved").replaceChildren();
      return;
    }
    const rest = report.status === "too_few_bets" ? `, ${report.bets_needed} are needed` : "";
    byId("status").textContent = `${WORDS[report.status]}: ${report.bets.toLocaleString("en")} different bets in the past ${report.window_hours} hours${rest}.`;
    const all = distributions(report);
    const loud = all.filter(({ status }) => status === "drifted" || status === "noticeable");
    const quiet = all.filter((shown) => !loud.includes(shown));
    byId("moved").replaceChildren(...loud.slice(0, 6).map((shown) => make("li", {}, sentence(shown))));
    byId("cards").replaceChildren(...loud.map(card));
    byId("quiet").replaceChildren(...quiet.map(card));
    byId("quiet-words").textContent = `${quiet.length} ${quiet.length === 1 ? "distribution" : "distributions"} ${report.status === "too_few_bets" ? "so far" : "that did not move"}`;
    byId("quiet-part").hidden = !quiet.length;
    if (!loud.length) byId("quiet-part").open = true;
  } catch (error) {
    byId("report").hidden = true;
    byId("moved").replaceChildren();
    byId("status").textContent = error.message;
  }
}

byId("form").addEventListener("submit", (event) => {
  event.preventDefault();
  show();
});
show();
setInterval(show, 15000);
