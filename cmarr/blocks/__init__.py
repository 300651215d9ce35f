"""Building blocks of the systems: modules and losses that know nothing of corpora or files."""
