"""Plan files: a user's schema, read strictly and compiled to a dataset with every guarantee."""
