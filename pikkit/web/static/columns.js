// A table as text (comma, semicolon or tab; a tracker's export) to bets: which column is which is guessed by its name,
// shown, and changed by the user. Nothing is dropped unseen.

/** Our fields, and how exports spell them: those of pikkit/exports/columns.py, which a test holds this to. */
export const FIELDS = {
  sport: ["sport", "sports"],
  league: ["league", "leagues", "competition", "tournament"],
  market: ["market", "market_type", "bet_market"],
  institution_name: ["institution_name", "sportsbook", "book", "bookmaker", "bookie"],
  odds: ["american_odds", "odds_american", "decimal_odds", "odds_decimal", "odds", "price"],
  odds_format: ["odds_format"],
  bet_type: ["bet_type", "type", "wager_type"],
  is_live: ["is_live", "live", "in_play"],
  clv_percentage: ["clv_percentage", "clv", "clv_pct", "clv_percent"],
  event: ["event", "game", "match", "fixture"],
  selection: ["bet_info", "selection", "pick", "pick_name", "description", "bet"],
  line: ["line", "point", "points", "handicap", "spread"],
  starts_at: ["starts_at", "start", "start_time", "commence_time"],
  placed_at: ["placed_at", "time_placed_iso", "time_placed", "date_placed", "placed_date", "bet_date", "date_bet_placed", "created_at"],
  url: ["url", "link"],
  client_ref: ["client_ref", "id", "bet_id", "ticket_id", "ticket", "bet_number"],
};
export const NEEDED = ["sport", "market", "institution_name", "odds"];

const folded = (name) => name.trim().toLowerCase().replace(/[^a-z0-9]+/g, "_").replace(/^_+|_+$/g, "");

/** The delimiter that stands most often outside quotes in the head line. */
function delimiterOf(text) {
  const head = text.slice(0, text.search(/[\r\n]|$/)).replace(/"[^"]*"/g, "");
  return [",", ";", "\t"].map((mark) => [head.split(mark).length, mark]).sort((a, b) => b[0] - a[0])[0][1];
}

/** Names and rows of a text (RFC 4180: quotes, doubled quotes, line breaks within them). */
export function parseTable(text) {
  const clean = text.replace(/^\ufeff/, ""), delimiter = delimiterOf(clean), rows = [];
  let row = [], cell = "", quoted = false;
  const endRow = () => { row.push(cell.trim()); cell = ""; if (row.some((value) => value !== "")) rows.push(row); row = []; };
  for (let i = 0; i < clean.length; i++) {
    const char = clean[i];
    if (quoted) {
      if (char === '"' && clean[i + 1] === '"') { cell += '"'; i++; }
      else if (char === '"') quoted = false;
      else cell += char;
    } else if (char === '"' && cell.trim() === "") { quoted = true; cell = ""; }
    else if (char === delimiter) { row.push(cell.trim()); cell = ""; }
    else if (char === "\n") endRow();
    else if (char !== "\r") cell += char;
  }
  if (quoted) throw new Error("A quote (\") is opened and never closed.");
  endRow();
  const [names, ...rest] = rows;
  if (!names || !rest.length) throw new Error("There are no bets: write a head line and a line for each bet.");
  return { names, rows: rest, delimiter };
}

/** For each column our field, or "". */
export function guess(names) {
  const taken = new Set(), found = names.map(() => "");
  for (const [field, known] of Object.entries(FIELDS)) {
    for (const spelling of known) {
      const at = names.findIndex((name, i) => folded(name) === spelling && !found[i]);
      if (at >= 0 && !taken.has(field)) { found[at] = field; taken.add(field); }
    }
  }
  return found;
}

/** The format of a column of prices: all of them together decide; american when they don't tell. */
export function formatOf(prices) {
  const filled = prices.filter(Boolean);
  if (filled.length && filled.every((text) => /^\d+\s*\/\s*\d+$/.test(text))) return "fractional";
  if (filled.length && filled.every((text) => /^\d{1,4}[.,]\d+$/.test(text) && !/^\d+[.,]0+$/.test(text) || Number(text.replace(",", ".")) > 1 && Number(text.replace(",", ".")) < 100)) return "decimal";
  return "american";
}

const TRUE = new Set(["true", "yes", "1", "live", "x"]), FALSE = new Set(["false", "no", "0", "pregame", "prematch"]);

/** Bets of a table; empty cells are left out, so that the service names what is missing. */
export function toBets({ rows }, mapping, constants = {}, format = "auto") {
  const at = mapping.indexOf("odds"), used = format === "auto" ? formatOf(rows.map((cells) => cells[at] ?? "")) : format;
  return rows.map((cells) => {
    const bet = { ...constants };
    mapping.forEach((field, i) => {
      const value = cells[i];
      if (!field || value === undefined || value === "") return;
      const text = value.toLowerCase();
      if (field === "is_live") bet[field] = TRUE.has(text) ? true : FALSE.has(text) ? false : value;
      else if (field === "line" || field === "clv_percentage") bet[field] = Number.isFinite(Number(value)) ? Number(value) : value;
      else bet[field] = field === "odds" && used === "decimal" ? value.replace(",", ".") : value;
    });
    if (used !== "american" && !bet.odds_format) bet.odds_format = used;
    return bet;
  });
}
