"""Stage 1: raw corpora to a manifest and one feature store per modality; encoders are frozen and run once."""
