"""How good a set's probabilities, prices and grades turned out to be, on settled bets and as served."""
