import { byId, call, make } from "./common.js";
import { FIELDS, NEEDED, formatOf, guess, parseTable, toBets } from "./columns.js";
import { grade } from "./grading.js";
import { marketBets, prepareMarket } from "./market.js";
import { prepare, show } from "./results.js";
import { readSlate } from "./slate.js";

const EXAMPLE = `sport,league,market,sportsbook,odds,event,selection,line
Basketball,NBA,Moneyline,DraftKings,-110,LAL @ BOS,LAL,
Basketball,NBA,1st Half Spread,FanDuel,+150,PHX @ DEN,PHX,4.5
Ice Hockey,NHL,Puck Line,BetMGM,-110,MTL @ BOS,MTL,1.5`;

let table = null, mapping = [], slate = null;

const isJson = (text) => /^\s*[[{]/.test(text);

function slateOf(text) {
  let games;
  try {
    games = JSON.parse(text);
  } catch (error) {
    throw new Error(`This can't be read as JSON: ${error.message}`);
  }
  return readSlate(games);
}

/** A slate, or a table: then guess again if its head line has changed, and show what becomes of each column. */
function read() {
  byId("message").textContent = "";
  slate = null;
  try {
    const text = byId("bets").value;
    if (isJson(text)) {
      table = null;
      slate = slateOf(text);
    } else {
      const made = parseTable(text);
      if (!table || made.names.join() !== table.names.join()) mapping = guess(made.names);
      table = made;
    }
  } catch (error) {
    table = null;
    byId("message").textContent = error.message;
  }
  showMapping();
}

function slateWords({ bets, leftOut, games }) {
  const out = Object.entries(leftOut).map(([reason, count]) => `${count} left out: ${reason}`);
  return `A slate of ${games} ${games === 1 ? "game" : "games"}: ${bets.length} prices, each against the other books'. ${out.length ? `${out.join("; ")}.` : "None is left out."}`;
}

function showMapping() {
  byId("mapping").hidden = !table;
  byId("slate").textContent = slate ? slateWords(slate) : "";
  if (!table) {
    byId("constants").replaceChildren();
    return;
  }
  byId("columns").replaceChildren(...table.names.map((name, i) => {
    const select = make("select", {}, ...["", ...Object.keys(FIELDS)].map((field) => make("option", { value: field }, field || "(not used)")));
    select.value = mapping[i];
    select.addEventListener("change", () => {
      mapping = mapping.map((field, at) => (at === i ? select.value : field === select.value ? "" : field));
      showMapping();
    });
    const example = table.rows.find((cells) => cells[i])?.[i] ?? "";
    return make("label", { class: mapping[i] ? null : "unused" }, `${name}${example ? ` (${example.slice(0, 24)})` : ""}`, select);
  }));
  const missing = NEEDED.filter((field) => !mapping.includes(field));
  byId("constants").replaceChildren(...missing.filter((field) => field !== "odds").map((field) =>
    make("label", {}, `${field} of all bets`, make("input", { id: `constant-${field}`, autocomplete: "off", value: byId(`constant-${field}`)?.value ?? "" }))));
  const unused = table.names.filter((_, i) => !mapping[i]);
  const prices = table.rows.map((cells) => cells[mapping.indexOf("odds")] ?? "");
  byId("mapping-words").textContent = [
    `${table.rows.length} ${table.rows.length === 1 ? "bet" : "bets"}, ${table.names.length} columns.`,
    unused.length ? `Not used: ${unused.join(", ")}.` : "All columns are used.",
    mapping.includes("odds") ? `Odds look ${formatOf(prices)}.` : "No column is known as odds: choose one.",
    missing.length ? `No column for ${missing.join(", ")}.` : "",
  ].join(" ");
}

async function run(form, bets) {
  const buttons = document.querySelectorAll("button[type=submit]");
  show(null);
  byId("message").textContent = byId("market-message").textContent = "";
  for (const button of buttons) button.disabled = true;
  form.setAttribute("aria-busy", "true");
  try {
    const made = bets();
    const graded = await grade(made, byId("key").value, (done, all) => { byId("progress").textContent = `Grading … ${done} of ${all}`; });
    show(graded, form.id === "form" && slate ? "edge" : null);
  } catch (error) {
    byId(form.id === "form" ? "message" : "market-message").textContent = error.message;
  } finally {
    byId("progress").textContent = "";
    form.removeAttribute("aria-busy");
    for (const button of buttons) button.disabled = false;
  }
}

function betsOfForm() {
  if (!table && !slate) read();
  if (slate) return slate.bets;
  if (!table) throw new Error(byId("message").textContent);
  if (!mapping.includes("odds")) throw new Error("No column is known as odds: choose one above.");
  const constants = Object.fromEntries(NEEDED.map((field) => [field, byId(`constant-${field}`)?.value.trim()]).filter(([, text]) => text));
  return toBets(table, mapping, constants, byId("format").value);
}

async function load(file) {
  if (file.size > 20_000_000) {
    byId("message").textContent = `${file.name} is larger than 20 MB: split it.`;
    return;
  }
  byId("bets").value = await file.text();
  table = null;
  read();
}

async function showState() {
  const entry = (name, value) => make("div", {}, make("dt", {}, name), make("dd", {}, value));
  try {
    const health = await call("/health");
    byId("state").replaceChildren(entry("State", health.status), entry("Model set", health.model_timestamp || "none"), entry("History", health.history || "none"),
      entry("Version", health.version), entry("Deployment", health.deployment));
    const words = [];
    if (health.starter_models) words.push("These are the starter models, trained on simulated bets: do not stake money on them.");
    if (health.reload_error) words.push(`The last new model set was refused: ${health.reload_error}`);
    byId("notice").textContent = words.join(" ");
    byId("notice").hidden = !words.length;
  } catch (error) {
    byId("state").replaceChildren(entry("State", error.message));
  }
}

byId("bets").value = EXAMPLE;
prepare();
prepareMarket();
read();
byId("bets").addEventListener("input", read);
byId("form").addEventListener("submit", (event) => { event.preventDefault(); run(event.target, betsOfForm); });
byId("market-form").addEventListener("submit", (event) => { event.preventDefault(); run(event.target, marketBets); });
byId("file").addEventListener("change", async ({ target }) => {
  if (target.files[0]) await load(target.files[0]);
  target.value = "";
});
for (const name of ["dragover", "drop"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    document.body.classList.toggle("dropping", name === "dragover");
    if (event.dataTransfer?.files[0] && name === "drop") load(event.dataTransfer.files[0]);
  });
}
document.addEventListener("dragleave", () => document.body.classList.remove("dropping"));
byId("bets").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) byId("form").requestSubmit();
});
showState();
