"""Stage 2: training, prediction per missing condition, tables and figures, from feature stores alone."""
