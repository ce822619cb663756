"""People, places and things: their names in a text, whom each name means, and what is known around them."""
