"""Operations' pages: the month from import to notice."""
