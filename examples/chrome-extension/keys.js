// The key of a bet: two cards with the same key are the same bet.
export const keyOf = (bet) => JSON.stringify(
  [bet.sport, bet.league, bet.market, bet.institution_name, bet.odds, Boolean(bet.is_live)]);
