"""Operations: the month from import to notice."""
