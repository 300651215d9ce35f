rule scores:
    message:
        "Compute WAR and UAR of every prediction file of {wildcards.study}"
    input:
        predictions=lambda wildcards: plan.files(
            "predictions", plan.study(wildcards.study), *(f"/{condition}.csv" for condition in plan.conditions)
        ),
        records=lambda wildcards: plan.files("models", plan.study(wildcards.study), "/record.json"),
    output:
        scores=f"{R}/scores/{{study}}.csv",
        confusions=f"{R}/confusions/{{study}}.csv",
    params:
        runs=lambda wildcards: plan.study(wildcards.study),
        code=plan.code("cmarr.scores"),
    log:
        f"{R}/logs/scores/{{study}}.log",
    benchmark:
        f"{R}/benchmarks/scores/{{study}}.tsv"
    resources:
        mem_mb=1000,
        runtime=30,
    conda:
        "../../envs/cmarr.yaml"
    shell:
        "python -m cmarr scores --models {R}/models --predictions {R}/predictions --runs {params.runs}"
        " --out {output.scores} --confusions {output.confusions} > {log} 2>&1"


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


rule significance:
    message:
        "Compare the full model with every other system of Table 2"
    input:
        predictions=lambda wildcards: plan.files(
            "predictions", plan.study("table2"), *(f"/{condition}.csv" for condition in plan.conditions)
        ),
        records=lambda wildcards: plan.files("models", plan.study("table2"), "/record.json"),
    output:
        table=f"{R}/significance.csv",
        figure=f"{R}/figures/significance.png",
    params:
        runs=lambda wildcards: plan.study("table2"),
        full=plan.full_model,
        code=plan.code("cmarr.significance"),
    log:
        f"{R}/logs/significance.log",
    benchmark:
        f"{R}/benchmarks/significance.tsv"
    resources:
        mem_mb=2000,
        runtime=30,
    conda:
        "../../envs/cmarr.yaml"
    shell:
        "python -m cmarr significance --models {R}/models --predictions {R}/predictions --runs {params.runs}"
        " --full {params.full} --draws 10000 --seed 1 --out {output.table} --figure {output.figure} > {log} 2>&1"


rule table2:
    message:
        "Table 2: WAR and UAR per missing condition"
    input:
        scores=f"{R}/scores/table2.csv",
        confusions=f"{R}/confusions/table2.csv",
        significance=rules.significance.output.table if plan.compared else [],
        published=f"{workflow.basedir}/cmarr/published.csv",
    output:
        table=f"{R}/table2.csv",
        markdown=f"{R}/table2.md",
        latex=f"{R}/table2.tex",
        text=f"{R}/table2.txt",
        published=f"{R}/table2_paper.csv",
        difference=f"{R}/table2_difference.csv",
    params:
        types=expand("{corpus}={type}", zip, corpus=plan.types.keys(), type=plan.types.values()),
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
        "python -m cmarr table2 --scores {input.scores} --confusions {input.confusions} --types {params.types}"
        " --significance {input.significance} --out {output.table} --markdown {output.markdown}"
        " --latex {output.latex} --text {output.text} --published {output.published} --difference {output.difference} > {log} 2>&1"


rule protocols:
    message:
        "Compare the protocol of the experiment with other ones"
    input:
        scores=f"{R}/scores/protocols.csv",
        confusions=f"{R}/confusions/protocols.csv",
    output:
        table=f"{R}/protocols.csv",
        markdown=f"{R}/protocols.md",
    params:
        code=plan.code("cmarr.protocols"),
    log:
        f"{R}/logs/protocols.log",
    benchmark:
        f"{R}/benchmarks/protocols.tsv"
    resources:
        mem_mb=1000,
        runtime=10,
    conda:
        "../../envs/cmarr.yaml"
    shell:
        "python -m cmarr protocols --scores {input.scores} --confusions {input.confusions} --out {output.table}"
        " --markdown {output.markdown} > {log} 2>&1"


rule table3:
    message:
        "Table 3: ablations of CM-ARR"
    input:
        scores=f"{R}/scores/table3.csv",
        confusions=f"{R}/confusions/table3.csv",
    output:
        table=f"{R}/table3.csv",
        markdown=f"{R}/table3.md",
    params:
        full=plan.full_model,
        code=plan.code("cmarr.table3"),
    log:
        f"{R}/logs/table3.log",
    benchmark:
        f"{R}/benchmarks/table3.tsv"
    resources:
        mem_mb=1000,
        runtime=10,
    conda:
        "../../envs/cmarr.yaml"
    shell:
        "python -m cmarr table3 --scores {input.scores} --confusions {input.confusions} --full {params.full}"
        " --out {output.table} --markdown {output.markdown} > {log} 2>&1"


rule recall:
    message:
        "Recall per class and condition"
    input:
        confusions=f"{R}/confusions/table2.csv",
    output:
        table=f"{R}/recall.csv",
    params:
        code=plan.code("cmarr.recall"),
    log:
        f"{R}/logs/recall.log",
    benchmark:
        f"{R}/benchmarks/recall.tsv"
    resources:
        mem_mb=1000,
        runtime=10,
    conda:
        "../../envs/cmarr.yaml"
    shell:
        "python -m cmarr recall --confusions {input.confusions} --out {output.table} > {log} 2>&1"
