"""From the API's JSON to lines of text. Pure: no terminal, no clock, no network."""
