"""Operations and the phases that they consist of."""
