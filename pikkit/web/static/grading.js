// Bets to answers: requests of 100 or a megabyte, one after the other; one that fails costs only its own bets.
import { call } from "./common.js";

const LIMIT = 100, BYTES = 900_000;

function headers(key) {
  return { "Content-Type": "application/json", ...(key ? { "X-API-Key": key } : {}) };
}

/** Whole requests: a slate's bets hold all books' prices. */
function* parts(bets) {
  let part = [], size = 0;
  for (const bet of bets) {
    const bytes = new Blob([JSON.stringify(bet)]).size;
    if (part.length === LIMIT || (part.length && size + bytes > BYTES)) {
      yield part;
      [part, size] = [[], 0];
    }
    part.push(bet);
    size += bytes + 1;
  }
  if (part.length) yield part;
}

/** For each bet `{bet, prediction}` or `{bet, error}`, in order. */
export async function grade(bets, key, progress) {
  const results = [];
  for (const part of parts(bets)) {
    progress(results.length, bets.length);
    try {
      const answer = await call("/api/v1/batch-predict?dry_run=true", { method: "POST", headers: headers(key), body: JSON.stringify({ bets: part }) });
      const made = part.map((bet) => ({ bet, error: "The service gave no answer for this bet." }));
      for (const { index, prediction } of answer.predictions) made[index] = { bet: part[index], prediction };
      for (const { index, error } of answer.errors) made[index] = { bet: part[index], error: error.message };
      results.push(...made);
    } catch (error) {
      results.push(...part.map((bet) => ({ bet, error: error.message })));
    }
  }
  return results;
}

/** The reasons of one bet's grade, in words. */
export async function reasonsOf(bet, key) {
  const answer = await call("/api/v1/predict?dry_run=true&explain=true", { method: "POST", headers: headers(key), body: JSON.stringify(bet) });
  return answer.reasons ?? [];
}
