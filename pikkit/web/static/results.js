// The table of graded bets: sorted, filtered, reasons on demand, as CSV.
import { byId, make, percent, signed } from "./common.js";
import { reasonsOf } from "./grading.js";

const GRADES = ["A", "B", "C", "D", "F"];
const SHOWN = 300; // rows at first: more take a browser long to lay out
const isNumber = (value) => typeof value === "number";
const fairOf = (p) => p.fair_probability;

/** The price at which a bet of this probability is even; decimal where its own is not American. */
function fairOdds(fair, format = "american") {
  if (format !== "american") return (1 / fair).toFixed(2);
  return fair < 0.5 ? `+${Math.round(100 * (1 / fair - 1))}` : `-${Math.round(100 * fair / (1 - fair))}`;
}

const METHODS = { reference: "other books", market: "this market" };
function evidence(p, format) {
  if (!isNumber(fairOf(p))) return "no second price";
  return [METHODS[p.fair_method] ?? "", `fair odds ${fairOdds(fairOf(p), format)}`, isNumber(p.overround) ? `overround ${percent(p.overround)}` : "", isNumber(p.reference_age_s) ? `${Math.round(p.reference_age_s)} s old` : ""].filter(Boolean).join(", ");
}

export const nameOf = (bet) => [bet.selection, isNumber(bet.line) && bet.line > 0 && !/^(over|under)$/i.test(bet.selection ?? "") ? `+${bet.line}` : bet.line].filter((part) => part !== undefined && part !== "").join(" ");

// key, head, value to sort by, text, class
const COLUMNS = [
  { key: "grade", head: "Grade", value: ({ prediction: p }) => -GRADES.indexOf(p.bet_grade) },
  { key: "bet", head: "Bet", value: ({ bet }) => [bet.event, nameOf(bet), bet.market].join(" ") },
  { key: "odds", head: "Odds", value: ({ bet }) => Number(bet.odds), text: ({ bet }) => String(bet.odds ?? "") },
  { key: "win", head: "Win", value: ({ prediction: p }) => p.win_probability, text: ({ prediction: p }) => percent(p.win_probability) },
  { key: "fair", head: "Fair", value: ({ prediction: p }) => fairOf(p) ?? -1, text: ({ prediction: p }) => (isNumber(fairOf(p)) ? percent(fairOf(p)) : "–") },
  { key: "edge", head: "Edge", value: ({ prediction: p }) => p.edge, text: ({ prediction: p }) => signed(100 * p.edge) },
  { key: "roi", head: "ROI", value: ({ prediction: p }) => p.expected_roi, text: ({ prediction: p }) => `${signed(p.expected_roi)} %` },
  { key: "stake", head: "Stake", value: ({ prediction: p }) => p.recommended_stake_pct, text: ({ prediction: p }) => stakeText(p) },
  { key: "confidence", head: "Confidence", value: ({ prediction: p }) => p.confidence, text: ({ prediction: p }) => percent(p.confidence, 0) },
];

const bankroll = () => Math.max(0, Number(byId("bankroll").value) || 0);
function stakeText(p) {
  const stake = p.recommended_stake_pct;
  return bankroll() > 0 ? (bankroll() * stake / 100).toFixed(2) : `${stake.toFixed(2)} %`;
}

let results = [], sort = { key: null, down: true }, all = false;

function ordered() {
  const grades = new Set(GRADES.filter((grade) => byId(`show-${grade}`).checked)), words = byId("search").value.trim().toLowerCase();
  const kept = results.map((result, number) => ({ ...result, number })).filter(({ bet, prediction, error }) =>
    (error ? byId("show-errors").checked : grades.has(prediction.bet_grade)) && (!words || JSON.stringify(Object.values({ ...bet, market_prices: 0, reference_prices: 0 })).toLowerCase().includes(words)));
  const column = COLUMNS.find(({ key }) => key === sort.key);
  if (column) {
    const value = (result) => (result.error ? null : column.value(result));
    kept.sort((a, b) => {
      const [one, other] = [value(a), value(b)];
      if (one === null || other === null) return (one === null) - (other === null);
      const order = typeof one === "string" ? one.localeCompare(other) : one - other;
      return sort.down ? -order : order;
    });
  }
  return kept;
}

const cell = (head, className, ...children) => make("td", { class: className, "data-head": head, role: "cell" }, ...children);

function betCell({ bet, number }) {
  const title = nameOf(bet) || [bet.sport, bet.league].filter(Boolean).join(" · ") || `bet ${number + 1}`;
  return cell("Bet", "bet", make("strong", {}, title), make("div", { class: "quiet" }, [bet.event, bet.market, bet.institution_name, bet.league ?? bet.sport, bet.is_live === true ? "live" : ""].filter(Boolean).join(" · ")));
}

function details(result) {
  const { bet, prediction: p } = result, box = make("ul", { class: "why" });
  const button = make("button", { type: "button", class: "plain", "aria-expanded": "false" }, `Why${p.warnings.length ? ` (${p.warnings.length} ${p.warnings.length === 1 ? "note" : "notes"})` : ""}`);
  box.hidden = true;
  button.addEventListener("click", async () => {
    const open = button.getAttribute("aria-expanded") !== "true";
    button.setAttribute("aria-expanded", String(open));
    box.hidden = !open;
    if (!open || box.childElementCount) return;
    box.append(make("li", {}, `Evidence: ${evidence(p, bet.odds_format)}.${isNumber(p.model_probability) ? ` The model alone: ${percent(p.model_probability)}.` : ""}`), ...p.warnings.map((words) => make("li", { class: "warning" }, words)));
    try {
      box.append(...(await reasonsOf(bet, byId("key").value)).map((words) => make("li", {}, words)));
    } catch (error) {
      box.append(make("li", { class: "error" }, error.message));
    }
  });
  return cell("", "details", button, box);
}

function row(result) {
  const { prediction: p, error } = result;
  if (error) {
    return make("tr", { role: "row", class: "failed" }, cell("Grade", "", make("span", { class: "error" }, "not graded")), betCell(result),
      cell("Odds", "number", String(result.bet.odds ?? "")), make("td", { colspan: "7", class: "error", role: "cell" }, error));
  }
  return make("tr", { role: "row" }, cell("Grade", "", make("span", { class: `grade grade-${p.bet_grade}` }, p.bet_grade)), betCell(result),
    ...COLUMNS.slice(2).map(({ head, text }) => cell(head, "number", text(result))), details(result));
}

export function draw() {
  const kept = ordered(), shown = all ? kept : kept.slice(0, SHOWN), good = results.filter(({ error }) => !error).length;
  byId("rows").replaceChildren(...shown.map(row));
  const counts = GRADES.map((grade) => `${grade} ${results.filter(({ prediction: p }) => p?.bet_grade === grade).length}`).join(", ");
  byId("summary").textContent = `${good} of ${results.length} ${results.length === 1 ? "bet" : "bets"} graded (${counts}).${kept.length < results.length ? ` ${kept.length} match the filter.` : ""}`;
  byId("more").hidden = shown.length === kept.length;
  byId("more").textContent = `Show all ${kept.length}`;
  for (const head of document.querySelectorAll("th[data-key]")) {
    head.setAttribute("aria-sort", head.dataset.key !== sort.key ? "none" : sort.down ? "descending" : "ascending");
  }
}

/** Show results of a request, sorted by a column where one is named; `null` takes away the last ones. */
export function show(made, by = null) {
  results = made ?? [];
  if (by) sort = { key: by, down: true };
  all = false;
  byId("results").hidden = !made;
  if (!made) return;
  draw();
  byId("results-title").focus();
}

const quoted = (value) => {
  const text = String(value ?? "");
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : /^[=+@\t]|^-(?![\d.]+$)/.test(text) && !/^[+-][\d.]+$/.test(text) ? `'${text}` : text; // no formula for a spreadsheet
};

/** What is shown, as CSV. */
export function csv() {
  const bets = ["event", "selection", "line", "sport", "league", "market", "institution_name", "odds"];
  const figures = ["bet_grade", "win_probability", "fair_probability", "fair_method", "edge", "expected_roi", "recommended_stake_pct", "confidence", "model_probability", "model_version"];
  const lines = ordered().map(({ bet, prediction: p, error }) => [...bets.map((name) => bet[name]), ...figures.map((name) => p?.[name]), error ?? p.warnings.join("; ")]);
  return [[...bets, ...figures, "notes"], ...lines].map((line) => line.map(quoted).join(",")).join("\r\n");
}

export function prepare() {
  byId("head").replaceChildren(...COLUMNS.map(({ key, head }, i) => {
    const button = make("button", { type: "button", class: "plain" }, head);
    button.addEventListener("click", () => {
      sort = { key, down: sort.key === key ? !sort.down : key !== "bet" };
      draw();
    });
    return make("th", { scope: "col", role: "columnheader", "data-key": key, class: i > 1 ? "number" : null }, button);
  }), make("th", { scope: "col", role: "columnheader" }, "Why"));
  byId("filter").append(...GRADES.map((grade) => {
    const box = make("input", { type: "checkbox", id: `show-${grade}`, checked: "" });
    return make("label", { class: "check" }, box, grade);
  }), make("label", { class: "check" }, make("input", { type: "checkbox", id: "show-errors", checked: "" }), "not graded"));
  byId("filter").addEventListener("change", draw);
  byId("search").addEventListener("input", draw);
  byId("bankroll").addEventListener("input", () => { if (results.length) draw(); });
  byId("more").addEventListener("click", () => { all = true; draw(); });
  byId("download").addEventListener("click", () => {
    const link = make("a", { href: URL.createObjectURL(new Blob(["\ufeff", csv()], { type: "text/csv" })), download: "graded-bets.csv" });
    link.click();
    URL.revokeObjectURL(link.href);
  });
  byId("print").addEventListener("click", () => print());
}
