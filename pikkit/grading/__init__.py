"""From validated bets to answers."""
