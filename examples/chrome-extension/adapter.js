"use strict";

// What is special about one sportsbook's page: where its bets are, and how they are read. Write one per site; this one
// fits sample/odds.html. `cards` gives each bet card with its bet; a card that can't be read is left out.
globalThis.pikkitAdapter = {
  cards(root) {
    const text = (card, name) => card.querySelector(`.${name}`)?.textContent.trim() ?? "";
    return [...root.querySelectorAll(".bet-card")].map((card) => ({
      element: card,
      bet: {
        sport: text(card, "sport"),
        league: text(card, "league"),
        market: text(card, "market"),
        institution_name: card.closest("[data-book]")?.dataset.book ?? "",
        odds: text(card, "odds"),
        is_live: card.classList.contains("live"),
      },
    })).filter(({ bet }) => bet.sport && bet.league && bet.market && bet.institution_name && bet.odds);
  },
};
