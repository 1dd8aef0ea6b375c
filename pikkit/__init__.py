"""Pikkit ML API: grades sports bets with a win-probability and an ROI model."""
