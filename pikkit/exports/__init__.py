"""Files of bets as trackers, sportsbooks and databases export them: one reader, for the commands of every room.

It needs no more than the service does; Parquet alone needs polars (of the training extra).
"""
