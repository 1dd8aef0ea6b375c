"""Settled bets to train on and to judge by: simulated, from Supabase, and what their times tell."""
