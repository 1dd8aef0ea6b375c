"use strict";

const EXAMPLE = `sport,league,market,institution_name,odds
Basketball,NBA,Moneyline,DraftKings,-110
Basketball,NBA,1st Half Spread,FanDuel,+150
Ice Hockey,NHL,Puck Line,BetMGM,-110`;
const LIMIT = 100;
const NAMES = { american_odds: "odds", sportsbook: "institution_name", book: "institution_name" };

const byId = (id) => document.getElementById(id);

/** Rows of a CSV text (RFC 4180: quotes, doubled quotes, line breaks within them). */
function parseCsv(text) {
  const rows = [];
  let row = [], cell = "", quoted = false;
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (quoted) {
      if (char === '"' && text[i + 1] === '"') { cell += '"'; i++; }
      else if (char === '"') quoted = false;
      else cell += char;
    } else if (char === '"' && cell.trim() === "") { quoted = true; cell = ""; }
    else if (char === ",") { row.push(cell.trim()); cell = ""; }
    else if (char === "\n") { row.push(cell.trim()); rows.push(row); row = []; cell = ""; }
    else if (char !== "\r") cell += char;
  }
  row.push(cell.trim());
  rows.push(row);
  return rows.filter((cells) => cells.some((value) => value !== ""));
}

/** Bets of a CSV text; empty cells are left out, so that the service names what is missing. */
function readBets(text) {
  const [head, ...rows] = parseCsv(text);
  if (!head || !rows.length) throw new Error("There are no bets: write a head line and a line for each bet.");
  const names = head.map((name) => NAMES[name.toLowerCase()] || name.toLowerCase());
  if (!names.includes("odds")) throw new Error("The head line has no column odds.");
  const known = ["sport", "league", "market", "institution_name", "bet_type", "odds", "odds_format", "is_live", "clv_percentage"];
  return rows.map((cells) => {
    const bet = {};
    names.forEach((name, i) => {
      const value = cells[i];
      if (!known.includes(name) || value === undefined || value === "") return;
      if (name === "is_live") bet[name] = value.toLowerCase();
      else bet[name] = value;
    });
    return bet;
  });
}

function chances(prediction) {
  const width = 100, model = width * prediction.win_probability, implied = width * prediction.implied_probability;
  const words = `model ${percent(prediction.win_probability)}, implied ${percent(prediction.implied_probability)}`;
  return make("svg", { class: "chances", viewBox: "0 0 145 34", role: "img", "aria-label": words },
    make("title", {}, words),
    make("rect", { class: "bar-model", x: 0, y: 3, width: model.toFixed(1), height: 11, rx: 2 }),
    make("text", { x: (model + 4).toFixed(1), y: 13 }, percent(prediction.win_probability)),
    make("rect", { class: "bar-implied", x: 0, y: 19, width: implied.toFixed(1), height: 11, rx: 2 }),
    make("text", { x: (implied + 4).toFixed(1), y: 29 }, percent(prediction.implied_probability)));
}

function betWords(bet) {
  return make("td", {}, make("strong", {}, [bet.sport, bet.league].filter(Boolean).join(" · ") || "(no bet)"), make("br"),
    [bet.market, bet.institution_name, bet.bet_type].filter(Boolean).join(", "));
}

function gradedRow(bet, prediction) {
  const why = make("ul", { class: "why" },
    ...prediction.warnings.map((words) => make("li", { class: "warning" }, words)),
    ...(prediction.reasons || []).map((words) => make("li", {}, words)));
  return make("tr", {},
    make("td", {}, make("span", { class: `grade grade-${prediction.bet_grade}` }, prediction.bet_grade)),
    betWords(bet),
    make("td", { class: "number" }, String(bet.odds)),
    make("td", {}, chances(prediction)),
    make("td", { class: "number" }, `${signed(prediction.expected_roi)} %`),
    make("td", { class: "number" }, `${prediction.recommended_stake_pct.toFixed(2)} %`),
    make("td", { class: "number" }, percent(prediction.confidence, 0)),
    make("td", {}, why));
}

function failedRow(bet, error) {
  return make("tr", {},
    make("td", {}, make("span", { class: "error" }, "error")),
    betWords(bet),
    make("td", { class: "number" }, String(bet.odds ?? "")),
    make("td", { colspan: "5", class: "error" }, error.message));
}

async function grade(event) {
  event.preventDefault();
  const message = byId("message");
  message.textContent = "";
  try {
    const bets = readBets(byId("bets").value);
    const rows = [];
    let good = 0;
    for (let start = 0; start < bets.length; start += LIMIT) {
      const headers = { "Content-Type": "application/json" };
      if (byId("key").value) headers["X-API-Key"] = byId("key").value;
      const part = bets.slice(start, start + LIMIT);
      const answer = await call("/api/v1/batch-predict?explain=true&dry_run=true", {
        method: "POST", headers, body: JSON.stringify({ bets: part }),
      });
      good += answer.summary.successful;
      const made = new Array(part.length);
      for (const item of answer.predictions) made[item.index] = gradedRow(item.bet, item.prediction);
      for (const item of answer.errors) made[item.index] = failedRow(item.bet, item.error);
      rows.push(...made);
    }
    byId("rows").replaceChildren(...rows);
    byId("summary").textContent = `${good} of ${bets.length} ${bets.length === 1 ? "bet" : "bets"} graded.`;
    byId("results").hidden = false;
    byId("results-title").focus();
  } catch (error) {
    message.textContent = error.message;
  }
}

async function showState() {
  const entry = (name, value) => make("div", {}, make("dt", {}, name), make("dd", {}, value));
  try {
    const health = await call("/health");
    byId("state").replaceChildren(
      entry("State", health.status),
      entry("Model set", health.model_timestamp || "none"),
      entry("History", health.history || "none"),
      entry("Version", health.version),
      entry("Deployment", health.deployment));
    const notice = byId("notice");
    const words = [];
    if (health.starter_models) words.push("These are the starter models, trained on simulated bets: do not stake money on them.");
    if (health.reload_error) words.push(`The last new model set was refused: ${health.reload_error}`);
    notice.textContent = words.join(" ");
    notice.hidden = !words.length;
  } catch (error) {
    byId("state").replaceChildren(entry("State", error.message));
  }
}

byId("bets").value = EXAMPLE;
byId("form").addEventListener("submit", grade);
byId("file").addEventListener("change", async (event) => {
  const [file] = event.target.files;
  if (file) byId("bets").value = await file.text();
  event.target.value = "";
});
byId("bets").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) byId("form").requestSubmit();
});
showState();
