rule scores:
    message:
        "Compute WAR and UAR of every prediction file"
    input:
        predictions=lambda wildcards: plan.predictions,
        records=lambda wildcards: plan.records,
    output:
        scores=f"{R}/scores.csv",
    params:
        runs=lambda wildcards: plan.runs,
        code=plan.code("cmarr.scores"),
    log:
        f"{R}/logs/scores.log",
    benchmark:
        f"{R}/benchmarks/scores.tsv"
    resources:
        mem_mb=1000,
        runtime=30,
    conda:
        "../../envs/cmarr.yaml"
    shell:
        "python -m cmarr scores --models {R}/models --predictions {R}/predictions --out {output.scores}"
        " --runs {params.runs} > {log} 2>&1"


rule table1:
    message:
        "Table 1: utterances per class"
    input:
        expand(rules.manifest.output, corpus=plan.corpora),
    output:
        table=f"{R}/table1.csv",
    params:
        names=plan.corpora,
        code=plan.code("cmarr.table1"),
    log:
        f"{R}/logs/table1.log",
    benchmark:
        f"{R}/benchmarks/table1.tsv"
    resources:
        mem_mb=1000,
        runtime=10,
    conda:
        "../../envs/cmarr.yaml"
    shell:
        "python -m cmarr table1 --corpora {R}/corpora --names {params.names} --out {output.table} > {log} 2>&1"


rule table2:
    message:
        "Table 2: WAR and UAR per missing condition"
    input:
        scores=rules.scores.output.scores,
    output:
        table=f"{R}/table2.csv",
        markdown=f"{R}/table2.md",
    params:
        code=plan.code("cmarr.table2"),
    log:
        f"{R}/logs/table2.log",
    benchmark:
        f"{R}/benchmarks/table2.tsv"
    resources:
        mem_mb=1000,
        runtime=10,
    conda:
        "../../envs/cmarr.yaml"
    shell:
        "python -m cmarr table2 --scores {input.scores} --out {output.table} --markdown {output.markdown} > {log} 2>&1"


rule figures:
    message:
        "Draw UAR per missing condition"
    input:
        scores=rules.scores.output.scores,
    output:
        conditions=f"{R}/figures/conditions.png",
    params:
        code=plan.code("cmarr.figures"),
    log:
        f"{R}/logs/figures.log",
    benchmark:
        f"{R}/benchmarks/figures.tsv"
    resources:
        mem_mb=1000,
        runtime=10,
    conda:
        "../../envs/cmarr.yaml"
    shell:
        "python -m cmarr figures --scores {input.scores} --out {output.conditions} > {log} 2>&1"
