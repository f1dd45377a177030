"""Charts as SVG, each a pure function of numbers; the style sheet colours them."""
