// A slate in the form of The Odds API (v4) to bets, each outcome at each book against the other books on its line: what
// pikkit/slate/reading.py does for `python -m pikkit.slate`. The tests hold both to the same slates.

const MAX_BOOKS = 40, MAX_TEXT = 200, LEAST_AMERICAN = 100, NO_PRICE_AMERICAN = 100000, NO_PRICE_DECIMAL = 1.001;
const CONTROL = /[\x00-\x1f\x7f-\x9f]/, TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)$/;
const FIRST_MS = Date.UTC(1971, 0), LAST_MS = Date.UTC(2101, 0);
const SPORTS = { americanfootball: "American Football", icehockey: "Ice Hockey", mma: "MMA" };
const MARKETS = { h2h: "Moneyline", h2h_3_way: "Moneyline", spreads: "Spread", totals: "Total Points" };
const OF_SPORT = {
  baseball: { spreads: "Run Line", totals: "Total Runs" }, icehockey: { spreads: "Puck Line", totals: "Total Goals" },
  soccer: { spreads: "Asian Handicap", totals: "Total Goals" }, tennis: { spreads: "Game Handicap", totals: "Total Games" },
};

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
const own = (table, key) => (Object.hasOwn(table, key) ? table[key] : undefined);
const objects = (value) => (Array.isArray(value) ? value.filter((item) => item !== null && typeof item === "object" && !Array.isArray(item)) : []);
const title = (words) => words.replaceAll("_", " ").replace(/[a-z]+/gi, (word) => word[0].toUpperCase() + word.slice(1).toLowerCase());
const isText = (value) => { const length = [...value.trim()].length; return length > 0 && length <= MAX_TEXT && !CONTROL.test(value.trim()); };

/** A time in a form in which the later one is the greater text; empty where it is no time that bets can have. */
function utc(time) {
  const ms = isNumber(time) ? 1000 * time : typeof time === "string" && TIME.test(time) ? Date.parse(time) : NaN;
  return ms >= FIRST_MS && ms < LAST_MS ? `${new Date(ms).toISOString().slice(0, 19)}Z` : "";
}

const updated = (book, market) => utc(market.last_update) || utc(book.last_update);

/** `{bets, leftOut, games}` of a decoded slate: bets market by market, and how many outcomes are left out, by reason. */
export function readSlate(read) {
  const games = Array.isArray(read) ? read : [read];
  if (objects(games).length < games.length || !games.every((game) => "bookmakers" in game)) {
    throw new Error("This is no slate: a list of games, each with its `bookmakers`, is needed (The Odds API, v4).");
  }
  const markets = games.flatMap((game) => objects(game.bookmakers).flatMap((book) => objects(book.markets).map((market) => [book, market])));
  const prices = markets.flatMap(([, market]) => objects(market.outcomes).map((outcome) => outcome.price)).filter(isNumber);
  const format = 2 * prices.filter((price) => Math.abs(price) >= LEAST_AMERICAN).length >= prices.length ? "american" : "decimal"; // a few are wrong, not most
  const seen = markets.map(([book, market]) => updated(book, market)).reduce((newest, at) => (at > newest ? at : newest), "");
  const leftOut = {};
  return { bets: games.flatMap((game) => betsOf(game, format, seen, leftOut)), leftOut, games: games.length };
}

function betsOf(game, format, seen, leftOut) {
  const home = String(game.home_team || ""), sport = String(game.sport_key || "").split("_")[0];
  const startsAt = utc(game.commence_time);
  const leave = (reason) => { leftOut[reason] = (leftOut[reason] ?? 0) + 1; };
  const shared = {
    sport: own(SPORTS, sport) ?? title(sport), league: String(game.sport_title || "") || null, event: `${game.away_team || ""} @ ${home}`,
    starts_at: startsAt || (game.commence_time ?? null), is_live: startsAt !== "" && startsAt < seen, odds_format: format,
    placed_at: seen || null, client_ref: game.id ?? null,
  };
  const markets = new Map();
  for (const book of objects(game.bookmakers)) {
    const name = String(book.title || book.key || "");
    for (const market of objects(book.markets)) {
      for (const outcome of objects(market.outcomes)) {
        const side = sideOf(outcome), reason = unusable(name, market, outcome, side.selection, format);
        if (reason) { leave(reason); continue; }
        const [key, words] = keyOf(String(market.key), sport, outcome, home);
        if (!markets.has(key)) markets.set(key, { words, books: new Map(), at: {} });
        const { books, at } = markets.get(key);
        if (!books.has(name)) books.set(name, []);
        if (books.get(name).some(({ selection }) => selection === side.selection)) { leave("the same outcome twice at one book"); continue; }
        books.get(name).push(side);
        at[name] = updated(book, market);
      }
    }
  }
  return [...markets.values()].flatMap((market) => ofMarket({ ...shared, market: market.words }, market));
}

function unusable(book, market, { name, price, point }, selection, format) {
  const key = String(market.key || "");
  if (!isText(book)) return "a sportsbook without a name that can be read";
  if (!key || key.endsWith("_lay") || key === "outrights") return `market ${key || "without a key"}: not graded`;
  if (!isNumber(price) || !name) return "no name or price";
  if (!isText(selection)) return "a name that can't be read";
  if (format === "american" ? Math.abs(price) >= NO_PRICE_AMERICAN : price <= NO_PRICE_DECIMAL) return "suspended price";
  if (format === "american" && Math.abs(price) < LEAST_AMERICAN) return "a price that is not American, as most are";
  if (key.includes("spread") && (point ?? null) === null) return "a spread without a line";
  return (point ?? null) === null || isNumber(point) ? null : "a line that is no number";
}

/** Outcomes with the same key are sides of one market: its name, whom it is about, its line for the home side. */
function keyOf(market, sport, { name, description, point }, home) {
  const plain = market.replace(/^alternate_/, "").replace(/_alternate$/, "");
  const words = own({ ...MARKETS, ...own(OF_SPORT, sport) }, plain) ?? title(plain);
  const line = (point ?? null) === null ? null : plain.includes("spread") && name !== home ? 0 - point : point;
  return [JSON.stringify([words, String(description || ""), line]), words];
}

function sideOf({ name, description, price, point }) {
  const side = { selection: description ? `${description} ${name}` : String(name), odds: price };
  return (point ?? null) === null ? side : { ...side, line: point };
}

function ofMarket(shared, { books, at }) {
  // As many sides as most books have: one that adds a draw, or lacks a side, is not the measure.
  const sizes = new Map();
  for (const sides of books.values()) if (sides.length > 1) sizes.set(sides.length, (sizes.get(sides.length) ?? 0) + 1);
  const [full] = [...sizes].reduce(([size, count], [other, often]) => (often > count || (often === count && other > size) ? [other, often] : [size, count]), [0, 0]);
  const newest = [...books.keys()].filter((book) => books.get(book).length === full).sort((a, b) => (at[a] < at[b]) - (at[a] > at[b]));
  return [...books].flatMap(([book, sides]) => {
    const references = newest.filter((other) => other !== book).slice(0, MAX_BOOKS)
      .map((other) => ({ book: other, prices: books.get(other), ...(at[other] ? { at: at[other] } : {}) }));
    return sides.map((side) => ({
      ...shared, institution_name: book, ...side, ...(sides.length === full ? { market_prices: sides } : {}),
      ...(references.length ? { reference_prices: references } : {}),
    }));
  });
}
