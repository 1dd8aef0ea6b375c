"use strict";

// Watches one page: reads its sides, asks the service worker about those in view, shows the answers. A badge is checked
// in the very callback that reports a change of the page: it stays only beside the price, selection, line and market
// that its answer is for.
(() => {
  globalThis.pikkit.stop?.();
  const { reading } = globalThis.pikkit;
  const ASK_MS = 100; // a throttle: at most one question in this time, and none waits longer
  const LOOK_MS = 1000; // for what no observer reports (a shadow root attached late)
  const PATIENCE_MS = 8000; // after it a question counts as lost
  const MARGIN_PX = 200; // asked for before they come into view
  const SHARE = 0.4, SAVED_MS = 300; // of the time may go into reading a page that never rests, and saved up while it does
  const RANK = "FDCBA";

  const answers = new Map(); // key -> the worker's answer
  const asked = new Map(); // key -> when
  let setting = null, port = null, format = null, known = [], observers = [], credit = SAVED_MS, lastEnd = 0, askTimer = 0, wakeTimer = 0;
  let later = 0, explaining = null, lastReport = "", dead = false;

  const overlay = globalThis.pikkit.overlay.create({ explain });

  function connect() {
    if (port || dead) return port;
    try {
      port = chrome.runtime.connect({ name: "page" });
    } catch {
      stop(); // the extension was updated or removed: this script is an orphan
      return null;
    }
    port.onMessage.addListener(hear);
    port.onDisconnect.addListener(() => {
      port = null;
      asked.clear();
      explaining?.([]);
    });
    return port;
  }

  function say(message) {
    try {
      connect()?.postMessage(message);
    } catch {
      port = null;
    }
  }

  function hear(message) {
    if (message.type === "setting") {
      setting = message.setting;
      later = 0;
      answers.clear();
      asked.clear();
      overlay.clear();
      look();
    } else if (message.type === "answers") {
      for (const [key, answer] of message.answers) {
        answers.set(key, answer);
        asked.delete(key);
      }
      if (message.again_ms) {
        later = Date.now() + message.again_ms;
        asked.clear();
        wake(message.again_ms + 50);
      }
      pass();
    } else if (message.type === "reasons") explaining?.(message.reasons);
  }

  function explain(side) {
    explaining?.([]);
    return new Promise((resolve) => {
      explaining = resolve;
      setTimeout(resolve, 5500, []);
      say({ type: "explain", bet: side.bet });
    });
  }

  const inView = (element, margin) => {
    const box = element.getBoundingClientRect();
    return box.width > 0 && box.height > 0 && box.bottom > -margin && box.top < innerHeight + margin && box.right > 0 && box.left < innerWidth;
  };

  /** What may be shown of a market: of sides that can't all be right, only the best is recommended. */
  function choose(sides) {
    const best = new Map();
    for (const side of sides) {
      side.answer = side.key ? answers.get(side.key) : undefined;
      const prediction = side.answer?.prediction;
      if (!prediction?.profitable) continue;
      const held = best.get(side.market);
      if (!held || prediction.expected_roi > held.answer.prediction.expected_roi) best.set(side.market, side);
    }
    return (side) => !side.answer.prediction.profitable || best.get(side.market) === side;
  }

  function show(side, allowed) {
    const now = Date.now(), { answer } = side;
    const good = answer?.prediction && now < answer.gone && allowed(side) && RANK.indexOf(answer.prediction.bet_grade) >= RANK.indexOf(setting.least);
    if (!good) return overlay.remove(side.element);
    return overlay.draw(side, { grade: answer.prediction.bet_grade, stale: now >= answer.until, words: words(side) });
  }

  function words({ bet, answer: { prediction: p }, note }) {
    const percent = (fraction) => `${(100 * fraction).toFixed(1)} %`, plus = (number) => (number > 0 ? "+" : "") + number.toFixed(1);
    const fair = typeof p.fair_probability === "number"
      ? `fair ${percent(p.fair_probability)} (${p.fair_method === "reference" ? "other books" : "this market"} without vig)` : "no second price known";
    const money = setting.bankroll > 0 ? ` = ${(setting.bankroll * p.recommended_stake_pct / 100).toFixed(2)} of ${setting.bankroll}` : "";
    return [
      [bet.selection, signedLine(bet), bet.event ? `(${bet.event})` : "", "at", bet.odds].filter((part) => part !== "").join(" "),
      `Grade ${p.bet_grade}: win ${percent(p.win_probability)}, ${fair}`,
      `Edge ${plus(100 * p.edge)} points, expected ROI ${plus(p.expected_roi)} %`,
      `Stake ${p.recommended_stake_pct.toFixed(2)} % of bankroll${money}; confidence ${percent(p.confidence)}`,
      ...(note ? [note] : []), ...p.warnings,
    ];
  }

  const signedLine = ({ line, selection }) => (line > 0 && !/^(?:over|under)$/i.test(selection) ? `+${line}` : line ?? "");

  /** Read the page and show what is known, at once; ask for the rest soon. */
  function pass() {
    if (dead || !setting?.adapter || document.hidden) return;
    const begin = performance.now();
    try {
      const elements = reading.sides(setting.adapter, known);
      const near = elements.filter((element) => inView(element, MARGIN_PX));
      // The format is decided once, by the whole page; a page that changes its format shows it in its prices.
      if (!format || near.length) format = reading.formatOf(reading.prices(setting.adapter, near.length ? near : elements)) ?? format;
      const sides = reading.read(setting.adapter, near, format);
      const allowed = choose(sides), present = new Set();
      for (const side of sides) {
        present.add(side.element);
        if (side.key) show(side, allowed); else overlay.remove(side.element);
      }
      for (const element of overlay.shown()) if (!present.has(element)) overlay.remove(element);
      ask(sides);
      report(sides, elements.length);
    } catch (error) {
      overlay.clear(); // what can't be checked isn't shown
      say({ type: "report", report: { failed: error.message } });
      lastReport = "";
    }
    overlay.position({ again: true });
    credit = Math.min(SAVED_MS, credit + SHARE * (begin - lastEnd));
    lastEnd = performance.now();
    credit -= lastEnd - begin;
  }

  /** Only what is shown: each badge stays beside its own bet, or goes. */
  function verify() {
    const shown = overlay.shown();
    try {
      const own = new Map(reading.read(setting.adapter, shown, format).map((side) => [side.element, side]));
      for (const element of shown) if (!element.isConnected || own.get(element)?.key !== overlay.keyAt(element)) overlay.remove(element);
    } catch {
      overlay.clear();
    }
    overlay.position({ again: true });
  }

  let passTimer = 0;
  function changed(changes) {
    if (document.hidden || !setting?.adapter) return;
    for (const change of changes) {
      for (const node of change.addedNodes) {
        if (node instanceof Element) watch(node);
      }
    }
    if (credit + SHARE * (performance.now() - lastEnd) > 0) return pass();
    verify();
    passTimer ||= setTimeout(() => { passTimer = 0; pass(); }, ASK_MS);
  }

  /** Observe what has not been observed: shadow roots tell their host's observers nothing. */
  function watch(from) {
    const found = from === document ? reading.roots() : reading.roots(from).slice(1);
    if (from instanceof Element && reading.shadowOf(from)) found.push(...reading.roots(reading.shadowOf(from)));
    known = known.filter((root) => root === document || root.host?.isConnected);
    for (const root of found) {
      if (known.includes(root)) continue;
      known.push(root);
      const observer = new MutationObserver(changed);
      observer.observe(root, { subtree: true, childList: true, characterData: true, attributes: true });
      root.addEventListener("scroll", moved, { capture: true, passive: true });
      observers.push({ root, observer });
    }
  }

  const moved = () => {
    overlay.position();
    passTimer ||= setTimeout(() => { passTimer = 0; pass(); }, ASK_MS);
  };

  function look() {
    if (dead || document.hidden || !setting?.adapter) return;
    overlay.attach();
    watch(document);
    pass();
  }

  function ask(sides) {
    const now = Date.now();
    if (askTimer || now < later) return;
    for (const [key, when] of asked) if (now - when > PATIENCE_MS) asked.delete(key);
    for (const [key, answer] of answers) if (now > answer.gone) answers.delete(key);
    const markets = new Map();
    let next = Infinity;
    for (const side of sides) {
      if (!side.key) continue;
      const answer = answers.get(side.key);
      if (answer) next = Math.min(next, [answer.refresh, answer.until, answer.gone].find((when) => when > now) ?? Infinity);
      if ((answer && now < answer.refresh) || asked.has(side.key)) continue;
      markets.set(side.market, [...(markets.get(side.market) ?? []), side]);
    }
    if (next < Infinity) wake(next - now + 20);
    if (!markets.size) return;
    const questions = [...markets.values()].map((market) => market.map(({ key, bet }) => ({ key, bet })));
    for (const { key } of questions.flat()) asked.set(key, now);
    askTimer = setTimeout(() => { askTimer = 0; pass(); }, ASK_MS);
    say({ type: "grade", markets: questions });
  }

  function wake(wait) {
    clearTimeout(wakeTimer);
    wakeTimer = setTimeout(pass, wait);
  }

  /** What the popup shows of this page. */
  function report(sides, all) {
    const skipped = {}, best = [];
    for (const side of sides) {
      const problem = side.problem ?? side.answer?.error;
      if (problem) skipped[problem] = (skipped[problem] ?? 0) + 1;
      const p = side.answer?.prediction;
      if (p) best.push({ name: [side.bet.selection, signedLine(side.bet), side.bet.odds].filter((part) => part !== "").join(" "), event: side.bet.event, market: side.bet.market, prediction: p });
    }
    best.sort((a, b) => b.prediction.edge - a.prediction.edge);
    const made = { all, read: sides.filter(({ bet }) => bet).length, graded: best.length, skipped, best: best.slice(0, 20), format };
    const text = JSON.stringify(made);
    if (text === lastReport) return;
    lastReport = text;
    say({ type: "report", report: made });
  }

  // Positions are taken last in a frame: an observer of sizes is called after the page's own callbacks and the layout.
  const sentinel = Object.assign(document.createElement("i"), { hidden: false });
  sentinel.style.cssText = "position:absolute;height:1px;visibility:hidden";
  const frames = new ResizeObserver(() => overlay.position());
  let beat = 0;
  function frame() {
    if (dead) return;
    if (overlay.shown().length) sentinel.style.width = `${1 + (beat ^= 1)}px`;
    requestAnimationFrame(frame);
  }

  function visibility() {
    if (!document.hidden) return look();
    for (const { observer } of observers) observer.disconnect();
    observers = [];
    known = [];
    overlay.clear();
  }

  const reset = (message) => { if (message?.type === "reset") say({ type: "hello" }); };
  const timer = setInterval(look, LOOK_MS);

  function stop() {
    dead = true;
    clearInterval(timer);
    for (const { root, observer } of observers) {
      observer.disconnect();
      root.removeEventListener("scroll", moved, { capture: true });
    }
    frames.disconnect();
    overlay.destroy();
    document.removeEventListener("visibilitychange", visibility);
    try { chrome.runtime.onMessage.removeListener(reset); port?.disconnect(); } catch { /* an orphan has no runtime */ }
  }

  globalThis.pikkit.stop = stop;
  overlay.attach();
  overlay.carry(sentinel);
  frames.observe(sentinel);
  chrome.runtime.onMessage.addListener(reset);
  document.addEventListener("visibilitychange", visibility);
  addEventListener("resize", () => overlay.position({ again: true }));
  addEventListener("pageshow", (event) => { if (event.persisted) { port = null; look(); } });
  say({ type: "hello" });
  requestAnimationFrame(frame);
})();
