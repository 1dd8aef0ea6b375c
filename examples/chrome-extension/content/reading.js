"use strict";

// Reads a page's bets as its adapter says. An adapter is data (adapters/schema.json); nothing here knows a sportsbook.
(() => {
  const AMERICAN = /^(?:[+-]\d{3,7}|\d{3,7}|EVEN|EV|PK)$/i;
  const SIGNED = /^(?:[+-]\d{3,7}|EVEN|EV|PK)$/i;
  const DECIMAL = /^\d{1,4}[.,]\d{1,3}$/;
  const FRACTIONAL = /^\d{1,4}\s*\/\s*\d{1,4}$/;
  const TEXTS = ["event", "selection", "sport", "league", "market", "bet_type", "starts_at"];
  const LONGEST_URL = 2000;
  const NEEDED = ["sport", "market", "institution_name", "selection"];

  const plain = (text) => (text ?? "").normalize("NFKC").replace(/[\u2212\u2012-\u2014]/g, "-").replace(/\s+/g, " ").trim();
  const price = (text) => plain(text).replace(/(?<=\d),(?=\d{3}$)/, "");

  /** The shadow root of an element, closed ones too. */
  function shadowOf(element) {
    if (element.shadowRoot) return element.shadowRoot;
    if (!element.localName.includes("-") || element.localName.startsWith("pikkit-")) return null;
    return globalThis.chrome?.dom?.openOrClosedShadowRoot?.(element) ?? null;
  }

  /** The document's root and every shadow root below it. */
  function roots(from = document, found = [from]) {
    for (const element of from.querySelectorAll("*")) {
      if (element.localName.startsWith("pikkit-")) continue;
      const shadow = shadowOf(element);
      if (shadow) roots(shadow, (found.push(shadow), found));
    }
    return found;
  }

  /** `closest`, going on from a shadow root to its host. */
  function closest(element, selector) {
    for (let at = element; at; at = at.getRootNode().host) {
      const hit = at.closest(selector);
      if (hit) return hit;
    }
    return null;
  }

  function one(element, rule) {
    if (typeof rule === "string") return rule;
    let at = rule.closest ? closest(element, rule.closest) : element;
    if (at && rule.find) at = [...at.querySelectorAll(rule.find), ...(at.shadowRoot?.querySelectorAll(rule.find) ?? [])][rule.nth ?? 0];
    if (!at) return undefined;
    if (rule.when) return closest(at, rule.when) !== null || at.querySelector(rule.when) !== null;
    let text = plain(rule.attr ? at.getAttribute(rule.attr) : at.textContent);
    if (rule.match) text = plain(new RegExp(rule.match, "iu").exec(text)?.slice(-1)[0]);
    if (rule.map) text = rule.map[text] ?? (rule.otherwise ?? text);
    return text === "" ? undefined : text;
  }

  /** A field by its rule, or by the first of several that gives something. */
  function field(element, rule) {
    for (const each of [rule ?? []].flat()) {
      const value = one(element, each);
      if (value !== undefined) return value;
    }
    return undefined;
  }

  /** The odds format of a page's prices, decided by all of them together; null when they don't agree. */
  function formatOf(texts) {
    const prices = texts.map(price).filter(Boolean);
    const share = (pattern) => prices.filter((text) => pattern.test(text)).length / prices.length;
    if (share(FRACTIONAL) >= 0.8) return "fractional";
    if (share(DECIMAL) >= 0.8) return "decimal";
    if (share(AMERICAN) >= 0.8 && share(SIGNED) > 0) return "american";
    return null;
  }

  /** A price as the API takes it, or null. */
  function toOdds(text, format) {
    const value = price(text);
    if (format === "american" && AMERICAN.test(value)) {
      return /^\d/.test(value) ? (Number(value) >= 100 ? `+${value}` : null) : (/^[A-Z]/i.test(value) || Math.abs(value) >= 100 ? value.toUpperCase() : null);
    }
    if (format === "decimal" && DECIMAL.test(value)) return Number(value.replace(",", ".")) > 1 ? value.replace(",", ".") : null;
    return format === "fractional" && FRACTIONAL.test(value) ? value.replace(/\s/g, "") : null;
  }

  /** The chance that a price asks for, 0 to 1. */
  function implied(odds, format) {
    if (format === "decimal") return 1 / Number(odds);
    if (format === "fractional") return 1 / (1 + odds.split("/").reduce((over, under) => over / under));
    const american = /^[A-Z]/i.test(odds) ? 100 : Number(odds);
    return american > 0 ? 100 / (american + 100) : american / (american - 100);
  }

  /** A line of plain text, in which halves and quarters are a numerator, a fraction slash and a denominator. */
  function toLine(text) {
    if (text === undefined) return undefined;
    if (/^(?:PK|PICK)$/i.test(text)) return 0;
    const decimal = text.replace(/(\d*) ?([13])\u2044([24])/, (_, whole, over, under) => Number(whole) + over / under);
    const found = /[+-]?\d*[.,]?\d+/.exec(decimal);
    return found ? Number(found[0].replace(",", ".")) : undefined;
  }

  /** One side: its bet without the market's prices, or what is wrong with it. */
  function readSide(adapter, element, format) {
    try {
      const bet = {};
      for (const name of TEXTS) {
        const value = field(element, adapter.fields[name]);
        if (value !== undefined) bet[name] = String(value);
      }
      bet.url = link(field(element, adapter.fields.url ?? []));
      bet.institution_name = field(element, adapter.book);
      bet.line = toLine(field(element, adapter.fields.line));
      bet.is_live = field(element, adapter.fields.is_live ?? []) === true;
      const shown = field(element, adapter.fields.odds);
      const missing = NEEDED.filter((name) => !bet[name]);
      if (missing.length) return { element, problem: `no ${missing.join(", no ")}` };
      if (!shown) return { element, problem: "no price (suspended?)" };
      if (!format) return { element, problem: "the page's prices are in no one odds format" };
      const odds = toOdds(shown, format);
      if (!odds) return { element, problem: `price “${shown}” can't be read as ${format} odds` };
      return { element, bet: { ...bet, odds, odds_format: format } };
    } catch (error) {
      return { element, problem: `the adapter fails: ${error.message}` };
    }
  }

  /** Where the bet is found: what the adapter names, else the page, without what follows its path. The service takes https alone. */
  function link(named) {
    if (!named && globalThis !== top) return undefined;
    const url = new URL(named ?? location.pathname, document.baseURI);
    return url.protocol === "https:" && url.href.length <= LONGEST_URL ? url.href : undefined;
  }

  const keyOf = (bet) => JSON.stringify(Object.keys(bet).sort().map((name) => [name, bet[name]]));

  /** The market of a side: its sides' elements, grouped by the adapter's market key. */
  function groupKey(adapter, bet) {
    const value = (name) => (name === "line" ? Math.abs(bet.line ?? 0) : bet[name]);
    return JSON.stringify((adapter.market_key.fields ?? []).map(value));
  }

  /** The sides that stand in these elements' markets, each with its whole market in its bet and a key of all that. */
  function read(adapter, elements, format) {
    const places = new Map();
    for (const element of elements) {
      const place = adapter.market_key.closest ? closest(element, adapter.market_key.closest) : element.getRootNode();
      if (place) places.set(place, true);
    }
    const sides = [];
    for (const place of places.keys()) {
      const groups = new Map();
      for (const element of place.querySelectorAll(adapter.side)) {
        const side = readSide(adapter, element, format);
        sides.push(side);
        if (!side.bet) continue;
        const name = groupKey(adapter, side.bet);
        groups.set(name, [...(groups.get(name) ?? []), side]);
      }
      for (const group of groups.values()) complete(adapter, group);
    }
    return sides;
  }

  function complete(adapter, group) {
    const all = group.length === adapter.sides;
    const names = new Set(group.map(({ bet }) => JSON.stringify([bet.selection, bet.line])));
    if (group.length > adapter.sides || names.size < group.length) {
      for (const side of group) {
        side.problem = `${group.length} prices in a market of ${adapter.sides} sides: the adapter's market key is too wide`;
        delete side.bet;
      }
      return;
    }
    const prices = group.map(({ bet: { selection, odds, line } }) => ({ selection, odds, ...(line === undefined ? {} : { line }) }));
    for (const side of group) {
      for (const name of Object.keys(side.bet)) if (side.bet[name] === undefined) delete side.bet[name];
      if (all) side.bet.market_prices = prices;
      else side.note = `${group.length} of ${adapter.sides} sides can be read: graded without its market`;
      side.key = keyOf(side.bet);
    }
    const market = group.map(({ key }) => key).sort().join("\n");
    for (const side of group) side.market = market;
  }

  /** Every side's element on the page, shadow roots included. */
  const sides = (adapter, within) => within.flatMap((root) => [...root.querySelectorAll(adapter.side)]);
  const prices = (adapter, elements) => elements.map((element) => {
    try { return field(element, adapter.fields.odds) ?? ""; } catch { return ""; }
  });

  globalThis.pikkit = { ...globalThis.pikkit, reading: { closest, formatOf, implied, keyOf, plain, prices, read, roots, shadowOf, sides, toLine, toOdds } };
})();
