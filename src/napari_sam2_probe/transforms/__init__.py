"""From a recipe to a transformed clip; one module a kind."""
