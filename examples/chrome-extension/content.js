"use strict";

(() => {
  const DEBOUNCE_MS = 150;
  const BADGE = "pikkit-badge";
  let timer = 0;
  let refresh = 0;

  const keyOf = (bet) => JSON.stringify(
    [bet.sport, bet.league, bet.market, bet.institution_name, bet.odds, Boolean(bet.is_live)]);

  /** Ask the service worker; when it can't answer, the page stays as it is. */
  async function ask(message) {
    try {
      return await chrome.runtime.sendMessage(message);
    } catch {
      return null; // the extension was updated or is starting
    }
  }

  function words(prediction) {
    const percent = (fraction) => `${(100 * fraction).toFixed(1)} %`;
    const roi = `${prediction.expected_roi > 0 ? "+" : ""}${prediction.expected_roi.toFixed(1)} %`;
    return `Grade ${prediction.bet_grade}: win ${percent(prediction.win_probability)}, ROI ${roi}, `
      + `stake ${prediction.recommended_stake_pct.toFixed(2)} % of bankroll`;
  }

  function badgeFor(bet, prediction) {
    const badge = document.createElement("span");
    badge.className = `${BADGE} ${BADGE}-${prediction.bet_grade}`;
    badge.dataset.key = keyOf(bet);
    badge.dataset.grade = prediction.bet_grade;
    badge.dataset.shown = JSON.stringify([prediction.bet_grade, prediction.win_probability, prediction.model_version]);
    badge.tabIndex = 0;
    badge.setAttribute("role", "note");
    badge.setAttribute("aria-label", words(prediction));
    const letter = document.createElement("b");
    letter.textContent = prediction.bet_grade;
    const figures = document.createElement("span");
    figures.textContent = ` ${(100 * prediction.win_probability).toFixed(0)} % · `
      + `${prediction.expected_roi > 0 ? "+" : ""}${prediction.expected_roi.toFixed(1)} %`;
    const tip = document.createElement("span");
    tip.className = `${BADGE}-tip`;
    tip.setAttribute("role", "tooltip");
    tip.textContent = words(prediction);
    badge.append(letter, figures, tip);
    const explain = async () => {
      const answer = await ask({ type: "explain", bet });
      const reasons = [...(answer?.reasons ?? []), ...(prediction.warnings ?? [])];
      tip.textContent = [words(prediction), ...reasons].join("\n");
    };
    const place = () => tip.classList.toggle(`${BADGE}-tip-end`, badge.getBoundingClientRect().left > innerWidth / 2);
    badge.addEventListener("pointerenter", place);
    badge.addEventListener("focus", place);
    badge.addEventListener("pointerenter", explain, { once: true });
    badge.addEventListener("focus", explain, { once: true });
    return badge;
  }

  function show({ element, bet }, prediction) {
    const old = element.querySelector(`.${BADGE}`);
    const made = badgeFor(bet, prediction);
    if (old?.dataset.key === made.dataset.key && old.dataset.shown === made.dataset.shown) return;
    old?.remove();
    element.append(made);
  }

  async function grade() {
    const cards = pikkitAdapter.cards(document);
    for (const { element, bet } of cards) {
      const badge = element.querySelector(`.${BADGE}`);
      if (badge && badge.dataset.key !== keyOf(bet)) badge.remove(); // the card shows another bet by now
    }
    if (!cards.length) return;
    const bets = [...new Map(cards.map(({ bet }) => [keyOf(bet), bet])).values()];
    const answer = await ask({ type: "grade", bets });
    for (const card of cards) {
      const prediction = answer?.predictions?.[keyOf(card.bet)];
      if (prediction && card.element.isConnected) show(card, prediction);
    }
    clearTimeout(refresh);
    if (answer?.again_ms) refresh = setTimeout(grade, answer.again_ms);
  }

  function schedule(changes) {
    const own = changes.every((change) => [...change.addedNodes, ...change.removedNodes].every(
      (node) => node instanceof Element && node.classList.contains(BADGE))
      || (change.target instanceof Element && change.target.closest(`.${BADGE}`)));
    if (own) return;
    clearTimeout(timer);
    timer = setTimeout(grade, DEBOUNCE_MS);
  }

  new MutationObserver(schedule).observe(document.body, { childList: true, subtree: true, characterData: true });
  grade();
})();
