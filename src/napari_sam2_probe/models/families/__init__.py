"""What each family of models needs; the only room that imports them."""
