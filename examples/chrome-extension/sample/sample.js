"use strict";

// What the sample pages share: prices that move, pages that are rendered anew. ?render=MS renders all again, ?prices=MS
// changes a price in place.
const query = new URLSearchParams(location.search);
let seed = 7;
const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
const GAMES = ["MTL @ BOS", "TOR @ NYR", "EDM @ VAN", "SEA @ COL", "DAL @ CHI", "VGK @ LAK", "PIT @ WSH", "FLA @ TBL", "NJD @ CAR", "STL @ NSH"];

/** Prices of two sides that make a market: the second follows from the first. */
function pair(step) {
  const favourite = 105 + 5 * (step % 18);
  const prices = [`\u2212${favourite}`, favourite > 115 ? `+${favourite - 15}` : `\u2212${230 - favourite}`];
  return step % 2 ? prices : prices.reverse();
}

function make(name, className, ...children) {
  const element = document.createElement(name);
  element.className = className;
  element.append(...children);
  return element;
}

function price(line, odds) {
  const button = make("button", "price", ...(line ? [make("span", "line", line), " "] : []), make("span", "odds", odds));
  button.addEventListener("click", () => {
    const slip = document.getElementById("slip");
    if (slip) slip.textContent = `Slip: ${Number(slip.textContent.match(/\d+/)) + 1}`;
  });
  return button;
}

const steps = {};
const stepOf = (name) => (steps[name] ??= Math.floor(random() * 36));

function market(name, event, sides) {
  const prices = pair(stepOf(`${event}/${name}`));
  return make("div", "market", make("h3", "", name), ...sides.map(([team, line], i) =>
    make("div", "side", make("span", "name", team), price(line, prices[i]))));
}

function game(event) {
  const [away, home] = event.split(" @ ");
  const section = make("section", "game", make("h2", "", event),
    market("Puck Line", event, [[away, "+1.5"], [home, "\u22121.5"]]),
    market("Total", event, [["Over", "O 6.5"], ["Under", "U 6.5"]]),
    market("Moneyline", event, [[away, ""], [home, ""]]));
  section.dataset.start = "2030-01-05T00:00:00Z";
  return section;
}

/** Change a price as a feed does: in place, both sides of one market. */
function move(root) {
  const markets = [...root.querySelectorAll(".market")];
  const chosen = markets[Math.floor(random() * Math.min(markets.length, 12))];
  if (!chosen) return;
  const name = `${chosen.parentElement.querySelector("h2").textContent}/${chosen.querySelector("h3").textContent}`;
  const prices = pair((steps[name] = stepOf(name) + 1));
  chosen.querySelectorAll(".odds").forEach((odds, i) => { odds.firstChild.data = prices[i]; });
}

function every(name, action) {
  if (query.has(name)) setInterval(action, Number(query.get(name)));
}
