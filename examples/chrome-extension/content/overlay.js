"use strict";

// What the extension shows on a page: one element of its own, outside the site's, in a shadow root. Nothing of the site
// is changed; a click on a badge goes nowhere; badges are outside the order of focus and of reading (the popup lists them).
(() => {
  const STYLE = `
    :host { all: initial; position: absolute; inset: 0 auto auto 0; width: 0; height: 0; z-index: 2147483647; pointer-events: none; }
    .badge { position: absolute; left: 0; top: 0; box-sizing: border-box; width: 18px; height: 16px; padding: 0; border-radius: 4px;
      font: 700 11px/16px system-ui, sans-serif; text-align: center; color: #fff; cursor: help; pointer-events: auto; user-select: none; }
    .A { background: #0b6e3b; } .B { background: #2e7d32; } .C { background: #7a5600; } .D { background: #9a4a00; } .F { background: #b3261e; }
    .stale { background: #6b7280; }
    .tip { position: fixed; z-index: 1; max-width: min(26em, 90vw); padding: 8px 11px; border-radius: 6px; background: #1b1d22; color: #fff;
      font: 13px/1.5 system-ui, sans-serif; white-space: pre-line; box-shadow: 0 2px 12px #0006; }
    [hidden] { display: none; }`;

  function create({ explain }) {
    const host = document.createElement("pikkit-overlay");
    host.setAttribute("aria-hidden", "true");
    const shadow = host.attachShadow({ mode: "open" });
    const style = new CSSStyleSheet();
    style.replaceSync(STYLE);
    shadow.adoptedStyleSheets = [style];
    const tip = Object.assign(document.createElement("div"), { className: "tip", hidden: true });
    shadow.append(tip);
    const badges = new Map(); // side's element -> its badge
    let tipped = null;

    for (const name of ["click", "mousedown", "mouseup", "pointerdown", "pointerup", "dblclick", "auxclick"]) {
      shadow.addEventListener(name, (event) => { event.stopPropagation(); event.preventDefault(); });
    }

    const attach = () => { if (!host.isConnected) document.documentElement.append(host); };

    /** The topmost element at a point that isn't ours, in whatever shadow root it lies. */
    function under(x, y) {
      let hit = null;
      for (let root = document; root; root = globalThis.pikkit.reading.shadowOf(hit)) {
        let next = root.elementFromPoint(x, y);
        if (next === host) next = root.elementsFromPoint(x, y)[1];
        if (!next || next === hit) break;
        hit = next;
      }
      return hit;
    }

    /** Whether a price, and the corner where its badge goes, can be seen: in the window, not clipped by a list, not covered. */
    function visible(element, box) {
      if (!box.width || !box.height) return false;
      return [[box.left + box.width / 2, box.top + box.height / 2], [box.right - 9, box.top + 8]].every(([x, y]) => {
        for (let at = under(x, y); at; at = at.parentNode ?? at.host) if (at === element) return true;
        return false;
      });
    }

    /** Put every badge to its price: first all is measured, then all is moved, so that the page is laid out once. */
    function position({ again = false } = {}) {
      if (!badges.size) return;
      attach();
      for (const element of [...badges.keys()]) if (!element.isConnected) remove(element);
      const origin = host.getBoundingClientRect(), moves = [];
      for (const [element, badge] of badges) {
        const box = element.getBoundingClientRect();
        const at = `${box.left},${box.top},${box.width},${box.height},${origin.left},${origin.top}`;
        if (again || badge.at !== at) moves.push([badge, at, box, visible(element, box)]);
      }
      for (const [badge, at, box, seen] of moves) {
        badge.at = at;
        badge.node.hidden = !seen;
        badge.node.style.transform = `translate(${box.right - 18 - origin.left}px, ${box.top - origin.top}px)`;
      }
    }

    function showTip(badge) {
      tipped = badge;
      tip.textContent = badge.words.join("\n");
      tip.hidden = false;
      const box = badge.node.getBoundingClientRect(), own = tip.getBoundingClientRect();
      tip.style.left = `${Math.max(4, Math.min(box.left, innerWidth - own.width - 4))}px`;
      tip.style.top = `${box.bottom + own.height + 6 < innerHeight ? box.bottom + 4 : Math.max(4, box.top - own.height - 4)}px`;
    }

    function hideTip() {
      tip.hidden = true;
      tipped = null;
    }

    function make() {
      const badge = { node: document.createElement("div"), at: null, words: [], key: null };
      badge.node.hidden = true;
      badge.node.addEventListener("pointerenter", async () => {
        showTip(badge);
        const { key } = badge, reasons = await explain(badge.side);
        if (tipped === badge && badge.key === key && reasons.length) {
          badge.words = [...badge.words, ...reasons.filter((text) => !badge.words.includes(text))];
          showTip(badge);
        }
      });
      badge.node.addEventListener("pointerleave", hideTip);
      shadow.append(badge.node);
      return badge;
    }

    /** The badge of a bet whose element the page has made anew: it goes on, and so does its words' box. */
    function moved(key) {
      for (const [element, badge] of badges) {
        if (badge.key === key && !element.isConnected) return badges.delete(element) && badge;
      }
      return null;
    }

    /** The badge of a side, with the key of the bet that it is for; `position` then puts it there. */
    function draw(side, { grade, stale, words }) {
      const badge = badges.get(side.element) ?? moved(side.key) ?? make();
      badges.set(side.element, badge);
      const name = `badge ${grade}${stale ? " stale" : ""}`;
      if (badge.node.className !== name) badge.node.className = name;
      if (badge.key !== side.key) {
        if (tipped === badge) hideTip();
        badge.node.dataset.key = badge.key = side.key;
        badge.node.textContent = grade;
        badge.words = words;
      } else if (badge.node.textContent !== grade) {
        badge.node.textContent = grade;
        badge.words = words;
      }
      badge.side = side;
    }

    function remove(element) {
      const badge = badges.get(element);
      if (!badge) return;
      if (tipped === badge) hideTip();
      badge.node.remove();
      badges.delete(element);
    }

    function clear() {
      for (const element of [...badges.keys()]) remove(element);
    }

    return {
      attach, carry: (node) => shadow.append(node), clear, draw, position, remove, shown: () => [...badges.keys()],
      keyAt: (element) => badges.get(element)?.key, destroy: () => { clear(); host.remove(); },
    };
  }

  globalThis.pikkit = { ...globalThis.pikkit, overlay: { create } };
})();
