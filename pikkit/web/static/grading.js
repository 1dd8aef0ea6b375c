// Bets to answers: requests of 100 or a megabyte, one after the other; one that fails costs only its own bets.
import { call } from "./common.js";

const LIMIT = 100, BYTES = 900_000;

function headers(key) {
  return { "Content-Type": "application/json", ...(key ? { "X-API-Key": key } : {}) };
}

const together = (one, other) => one.event && ["event", "market", "institution_name"].every((name) => one[name] === other[name]);

/** Whole requests: a slate's bets hold all books' prices, and sides of one market are graded together. */
function* parts(bets) {
  for (let start = 0, end = 0; start < bets.length; start = end) {
    let size = 0;
    for (; end < bets.length && end - start < LIMIT; end++) {
      size += new Blob([JSON.stringify(bets[end])]).size + 1;
      if (end > start && size > BYTES) break;
    }
    let cut = end;
    while (cut > start && cut < bets.length && together(bets[cut - 1], bets[cut])) cut--;
    if (cut > start) end = cut;
    yield bets.slice(start, end);
  }
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
