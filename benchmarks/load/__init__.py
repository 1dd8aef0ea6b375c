"""What is sent, and how: a mix of bets as the field has it; closed and open loops."""
