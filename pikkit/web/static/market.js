// One market: the prices of all its sides at a sportsbook, and at another one if it is known.
import { byId, make } from "./common.js";

const EXAMPLE = [["MTL", "1.5", "-150", "-165"], ["BOS", "-1.5", "+135", "+140"]];
let sides = 0;

function addSide(values = []) {
  const number = ++sides;
  const field = (name, label, value = "") => make("td", { "data-head": label, role: "cell" }, make("input", { id: `${name}-${number}`, "aria-label": `${label}, side ${number}`, value, size: "10", autocomplete: "off" }));
  byId("sides").append(make("tr", { role: "row" }, field("selection", "Selection", values[0]), field("line", "Line", values[1]), field("price", "Odds here", values[2]), field("other", "Odds at the other book", values[3])));
}

const value = (id) => byId(id).value.trim();

/** The bets of the form: a bet a side, each with the whole market. */
export function marketBets() {
  const rows = Array.from({ length: sides }, (_, i) => i + 1).map((number) => ({
    selection: value(`selection-${number}`), line: value(`line-${number}`), odds: value(`price-${number}`), other: value(`other-${number}`),
  })).filter(({ selection, odds, other }) => selection || odds || other);
  if (rows.length < 2) throw new Error("A market has two sides or more: fill in selection and odds of each.");
  const format = byId("market-format").value === "american" ? {} : { odds_format: byId("market-format").value };
  const side = ({ selection, line }, odds) => {
    const number = Number(line.replace(/[\u2212\u2013]/, "-")); // what is no number is told by the service
    return { selection, odds, ...(line ? { line: Number.isFinite(number) ? number : line } : {}) };
  };
  for (const { selection, odds } of rows) if (!selection || !odds) throw new Error("Each side needs a selection and odds.");
  const others = rows.filter(({ other }) => other);
  if (others.length && others.length < rows.length) throw new Error("The other book needs a price of every side, or of none.");
  const shared = Object.fromEntries(["sport", "league", "market", "institution_name", "event"].map((name) => [name, value(`market-${name}`)]).filter(([, text]) => text));
  return rows.map((row) => ({
    ...shared, ...format, ...side(row, row.odds), market_prices: rows.map((each) => side(each, each.odds)),
    ...(others.length ? { reference_prices: [{ book: value("market-other") || "another book", prices: rows.map((each) => side(each, each.other)) }] } : {}),
  }));
}

export function prepareMarket() {
  for (const values of EXAMPLE) addSide(values);
  byId("add-side").addEventListener("click", () => addSide());
}
