"use strict";

// 400 props, of which the list holds those in view: rows are used again for others while it scrolls. Decimal odds.
const COUNT = 400, HEIGHT = 52;
const list = document.getElementById("list");
const space = make("div", "");
space.style.height = `${COUNT * HEIGHT}px`;
list.append(space);
const rows = Array.from({ length: 12 }, () => {
  const row = make("div", "prop", make("span", "player"), make("span", "stat"), price("O 0.5", ""), price("U 0.5", ""));
  list.append(row);
  return row;
});
const moves = new Map();

function show() {
  const first = Math.max(0, Math.min(COUNT - rows.length, Math.floor(list.scrollTop / HEIGHT) - 1));
  for (let i = first; i < first + rows.length; i++) {
    const row = rows[i % rows.length], step = i * 7 + (moves.get(i) ?? 0), over = 1.8 + (step % 23) / 100;
    row.style.transform = `translateY(${i * HEIGHT}px)`;
    row.dataset.index = i;
    const [oddsOver, oddsUnder] = i === 5 ? ["126.00", "1.01"] : [over.toFixed(2), (1 / (1.06 - 1 / over)).toFixed(2)];
    const texts = [`Player ${i}`, ["Points", "Rebounds", "Assists"][i % 3], `O ${i % 30}.5`, oddsOver, `U ${i % 30}.5`, oddsUnder];
    row.querySelectorAll(".player, .stat, .line, .odds").forEach((part, at) => { if (part.textContent !== texts[at]) part.textContent = texts[at]; });
  }
}
show();
list.addEventListener("scroll", show);
every("scroll", () => { list.scrollTop = (list.scrollTop + 37) % ((COUNT - 12) * HEIGHT); });
every("prices", () => { const i = Number(rows[Math.floor(random() * rows.length)].dataset.index); moves.set(i, (moves.get(i) ?? 0) + 1); show(); });
every("render", () => { for (const row of rows) row.replaceChildren(...[...row.childNodes].map((node) => node.cloneNode(true))); show(); });
