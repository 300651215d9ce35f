# From raw corpora to the tables of the paper: `snakemake --cores 8 results/table2.csv`; README.md has the details.
import sys
from pathlib import Path

from snakemake.utils import min_version

min_version("9.0")
sys.path.insert(0, workflow.basedir)

from cmarr.workflow import planned

if not workflow.config_settings.configfiles:  # a file given with --configfile is a whole experiment of its own

    configfile: f"{workflow.basedir}/config.yaml"


plan = planned(config, Path(workflow.basedir), workflow.config_settings.configfiles)
R = plan.results


wildcard_constraints:
    **plan.constraints,


rule all:
    input:
        plan.targets,


include: "workflow/rules/corpora.smk"
include: "workflow/rules/denseface.smk"
include: "workflow/rules/features.smk"
include: "workflow/rules/systems.smk"
include: "workflow/rules/tuning.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/figures.smk"

plan.check_targets(workflow.rules)
