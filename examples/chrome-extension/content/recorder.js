"use strict";

// Makes an adapter from a few clicks: a price, its team, its line, its market, its event. What repeats is inferred, and
// shown as a table while it grows; an adapter that reads nonsense isn't saved.
(() => {
  document.querySelector("pikkit-recorder")?.remove();
  const { reading } = globalThis.pikkit;
  const HOLD = [-0.001, 0.15]; // what sportsbooks keep; outside of it these are not the sides of one market
  const STEPS = {
    odds: "Click a price (the number itself).", selection: "Click what that price is for: the team, the player, Over.",
    line: "Click its line (+1.5, O 6.5), or skip.", market: "Click the market's name, or type it and skip.", event: "Click the game's name, or skip.",
  };
  const STYLE = `
    :host { all: initial; position: fixed; z-index: 2147483647; right: 12px; top: 12px; }
    section { width: 340px; max-height: 90vh; overflow: auto; padding: 12px 14px; border-radius: 8px; background: #fff; color: #1b1d22;
      border: 2px solid #1f5fc4; font: 14px/1.5 system-ui, sans-serif; box-shadow: 0 4px 24px #0005; }
    h2 { font-size: 16px; margin: 0 0 6px; } p { margin: 4px 0; } .step { font-weight: 600; } .bad { color: #b3261e; }
    label { display: block; margin-top: 4px; } input { font: inherit; width: 100%; box-sizing: border-box; } button { font: inherit; margin: 8px 8px 0 0; }
    table { border-collapse: collapse; width: 100%; font-size: 12px; } td { border-top: 1px solid #cfd4dd; padding: 2px 4px 2px 0; }`;

  const picked = {}; // field -> the element clicked
  const paths = {}; // field -> where it stood
  const host = document.createElement("pikkit-recorder"), shadow = host.attachShadow({ mode: "open" });
  const byId = (id) => shadow.getElementById(id);
  let adapter = null;

  /** Selectors that may stand for an element's kind, the most telling first; names that look generated are left out. */
  function candidates(element) {
    const telling = (name) => !/\d{2,}|active|select|hover|focus|open|^css-|^sc-/i.test(name);
    const tests = ["data-testid", "data-test", "data-qa"].filter((name) => telling(element.getAttribute(name) ?? "00"));
    const classes = [...element.classList].filter(telling).map((name) => `.${CSS.escape(name)}`);
    return [...tests.map((name) => `[${name}="${CSS.escape(element.getAttribute(name))}"]`), ...(classes.length > 1 ? [classes.join("")] : []), ...classes, element.localName];
  }

  const within = (selector, root) => [...root.querySelectorAll(selector)];
  const best = (element, worth) => candidates(element).map((selector) => [worth(selector), selector]).sort((a, b) => b[0] - a[0])[0][1];

  /** How a field is reached from a side: below it, or up to what both share and down again. */
  function rule(side, target, sideSelector) {
    if (side === target) return {};
    for (let at = side; at; at = at.parentElement) {
      if (!at.contains(target)) continue;
      const find = candidates(target).find((selector) => within(selector, at)[0] === target) ?? candidates(target)[0];
      const nth = within(find, at).indexOf(target);
      const made = { find, ...(nth > 0 ? { nth } : {}) };
      if (at === side) return made;
      const closest = candidates(at).find((selector) => side.closest(selector) === at && selector !== sideSelector) ?? at.localName;
      return { closest, ...made };
    }
    throw new Error("this is in another frame or shadow root");
  }

  /** Where an element stands: a page that is rendered anew has the same kind of element there. */
  function pathOf(element) {
    const steps = [];
    for (let at = element; at.parentNode; at = at.parentNode) steps.unshift([...at.parentNode.children].indexOf(at));
    return { root: element.getRootNode(), steps };
  }

  function refresh() {
    for (const [name, { root, steps }] of Object.entries(paths)) {
      if (picked[name]?.isConnected) continue;
      const found = steps.reduce((at, step) => at?.children[step], root);
      if (found) picked[name] = found;
    }
  }

  /** The adapter that follows from what was clicked. */
  function infer() {
    refresh();
    const leaf = picked.odds, root = leaf.getRootNode(), format = reading.formatOf([leaf.textContent]);
    if (!format) throw new Error(`“${reading.plain(leaf.textContent)}” is no price: click the number itself`);
    const isPrice = (element) => reading.toOdds(element.textContent, format) !== null;
    const odds = best(leaf, (selector) => within(selector, root).filter(isPrice).length - 2 * within(selector, root).filter((each) => !isPrice(each)).length);
    let side = leaf;
    while (side.parentElement && within(odds, side.parentElement).length === 1) side = side.parentElement;
    if (picked.selection && !side.contains(picked.selection)) side = leaf.closest("button, a, [role=button]") ?? leaf;
    const sideSelector = best(side, (selector) => within(selector, root).filter((each) => each.matches(odds) || within(odds, each).length === 1).length
      - 2 * within(selector, root).filter((each) => !each.matches(odds) && within(odds, each).length !== 1).length);
    let place = side.parentElement;
    while (place?.parentElement && within(sideSelector, place).length < 2) place = place.parentElement;
    const typed = (name) => byId(name).value.trim();
    const fields = { odds: side === leaf ? {} : { find: odds }, sport: typed("sport") || "?", market: picked.market ? rule(side, picked.market, sideSelector) : typed("market") || "?" };
    if (typed("league")) fields.league = typed("league");
    for (const name of ["line", "event"]) if (picked[name]) fields[name] = rule(side, picked[name], sideSelector);
    if (picked.selection) {
      const own = rule(side, picked.selection, sideSelector), over = fields.line ? ["O", "U"].map((letter) => ({ ...fields.line, match: `^(${letter})(?:ver|nder)? ?[\\d.]`, map: { O: "Over", U: "Under", o: "Over", u: "Under" } })) : [];
      fields.selection = over.length ? [...over, own] : own;
    } else fields.selection = "?";
    const made = {
      name: `${location.hostname}, recorded`, hosts: [location.hostname], book: typed("book"), side: sideSelector, sides: 2,
      market_key: { closest: candidates(place).find((selector) => side.closest(selector) === place) ?? place.localName, fields: ["market", "line", ...(fields.event ? ["event"] : [])] }, fields,
    };
    const sizes = new Map();
    for (const market of markets({ ...made, sides: 3 }).all) sizes.set(market.length, (sizes.get(market.length) ?? 0) + 1);
    return { ...made, sides: (sizes.get(3) ?? 0) > (sizes.get(2) ?? 0) ? 3 : 2 };
  }

  function markets(made) {
    const elements = reading.sides(made, reading.roots()), format = reading.formatOf(reading.prices(made, elements));
    const sides = reading.read(made, elements, format), groups = new Map();
    for (const side of sides) if (side.key) groups.set(side.market, [...(groups.get(side.market) ?? []), side]);
    return { all: [...groups.values()], problems: sides.filter(({ problem }) => problem).map(({ problem }) => problem), format };
  }

  const holdOf = (market, format) => market.reduce((sum, { bet }) => sum + reading.implied(bet.odds, format), 0) - 1;

  /** The table, and why this can't be saved yet. */
  function show() {
    const step = Object.keys(STEPS).find((name) => !(name in picked));
    byId("step").textContent = step ? STEPS[step] : "Look at the table, then save.";
    byId("skip").hidden = !["line", "market", "event"].includes(step);
    byId("problem").textContent = byId("sum").textContent = "";
    byId("rows").replaceChildren();
    byId("save").disabled = true;
    if (!picked.odds) return;
    try {
      adapter = infer();
      const { all, problems, format } = markets(adapter);
      const whole = all.filter((market) => market.length === adapter.sides), holds = whole.map((market) => holdOf(market, format)).sort((a, b) => a - b);
      const percent = (share) => `${(100 * share).toFixed(1)} %`;
      byId("sum").textContent = `${all.length} markets, ${all.length - whole.length} without a second side`
        + (holds.length ? `; overround ${percent(holds[0])} to ${percent(holds.at(-1))}.` : ".");
      byId("rows").replaceChildren(...all.slice(0, 8).map((market) => {
        const row = document.createElement("tr");
        for (const text of [market[0].bet.event ?? "", market[0].bet.market, ...market.map(({ bet }) => `${bet.selection} ${bet.line ?? ""} ${bet.odds}`)]) row.append(Object.assign(document.createElement("td"), { textContent: text }));
        return row;
      }));
      const wrong = !whole.length ? (problems[0] ?? "no market has all its sides yet") : holds[0] < HOLD[0] || holds.at(-1) > HOLD[1]
        ? `the overround lies outside 0 to 15 %: these are not the sides of one market` : step ? "" : ["sport", "book"].find((name) => !byId(name).value.trim());
      byId("problem").textContent = wrong ? (byId(wrong) ? `Type the ${wrong}.` : wrong) : "";
      byId("save").disabled = Boolean(wrong) || Boolean(step);
    } catch (error) {
      byId("problem").textContent = error.message;
    }
  }

  function pick(event) {
    if (event.composedPath().includes(host)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const step = Object.keys(STEPS).find((name) => !(name in picked));
    if (event.type !== "click" || !step) return;
    picked[step] = event.composedPath()[0];
    paths[step] = pathOf(picked[step]);
    show();
  }

  const EVENTS = ["click", "pointerdown", "pointerup", "mousedown", "mouseup"];
  function close() {
    for (const name of EVENTS) removeEventListener(name, pick, true);
    host.remove();
  }

  shadow.innerHTML = `<style>${STYLE}</style><section role="dialog" aria-label="Record an adapter"><h2>Record this site</h2>
    <p class="step" id="step" role="status"></p>
    <label>Sport <input id="sport"></label><label>League <input id="league"></label><label>Market, if the page does not name it <input id="market"></label>
    <label>Sportsbook <input id="book"></label>
    <p id="sum" role="status"></p><table><tbody id="rows"></tbody></table><p class="bad" id="problem" role="alert"></p>
    <button id="skip" type="button">Skip</button><button id="again" type="button">Start again</button><button id="save" type="button">Save</button><button id="close" type="button">Close</button></section>`;
  byId("book").value = document.title.split(/[|:·-]/)[0].trim();
  byId("skip").addEventListener("click", () => { picked[Object.keys(STEPS).find((name) => !(name in picked))] = null; show(); });
  byId("again").addEventListener("click", () => { for (const name of Object.keys(picked)) { delete picked[name]; delete paths[name]; } show(); });
  byId("close").addEventListener("click", close);
  byId("save").addEventListener("click", async () => {
    const { trouble } = await chrome.runtime.sendMessage({ type: "recorded", adapter });
    if (trouble) byId("problem").textContent = trouble; else close();
  });
  shadow.addEventListener("change", show);
  for (const name of EVENTS) addEventListener(name, pick, true);
  document.documentElement.append(host);
  show();
})();
