"""The arms of the study: plugins, each of which gives the suite `customer` and `customers` in its own way."""
