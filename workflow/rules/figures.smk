rule figures:
    message:
        "Draw UAR per missing condition"
    input:
        scores=f"{R}/scores/table2.csv",
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


rule missing_rate:
    message:
        "Compute WAR and UAR by missing rate"
    input:
        scores=f"{R}/scores/table2.csv",
    output:
        table=f"{R}/missing_rate.csv",
        figure=f"{R}/figures/missing_rate.png",
    params:
        code=plan.code("cmarr.missing_rate"),
    log:
        f"{R}/logs/missing_rate.log",
    benchmark:
        f"{R}/benchmarks/missing_rate.tsv"
    resources:
        mem_mb=1000,
        runtime=10,
    conda:
        "../../envs/cmarr.yaml"
    shell:
        "python -m cmarr missing_rate --scores {input.scores} --out {output.table} --figure {output.figure} > {log} 2>&1"


rule learning:
    message:
        "Draw the learning curves of {wildcards.system} on {wildcards.corpus}"
    input:
        histories=lambda wildcards: plan.files(
            "models", plan.runs(wildcards.corpus, [wildcards.system]), "/history.csv"
        ),
        records=lambda wildcards: plan.files("models", plan.runs(wildcards.corpus, [wildcards.system]), "/record.json"),
    output:
        figure=f"{R}/figures/learning/{{corpus}}/{{system}}.png",
    params:
        code=plan.code("cmarr.learning"),
    log:
        f"{R}/logs/learning/{{corpus}}/{{system}}.log",
    benchmark:
        f"{R}/benchmarks/learning/{{corpus}}/{{system}}.tsv"
    resources:
        mem_mb=1000,
        runtime=10,
    conda:
        "../../envs/cmarr.yaml"
    shell:
        "python -m cmarr learning --models {input.histories} --out {output.figure} > {log} 2>&1"


rule confusion:
    message:
        "Draw the confusions of {wildcards.system} on {wildcards.corpus}"
    input:
        confusions=f"{R}/confusions/table2.csv",
    output:
        figure=f"{R}/figures/confusion/{{corpus}}/{{system}}.png",
    params:
        code=plan.code("cmarr.confusion"),
    log:
        f"{R}/logs/confusion/{{corpus}}/{{system}}.log",
    benchmark:
        f"{R}/benchmarks/confusion/{{corpus}}/{{system}}.tsv"
    resources:
        mem_mb=1000,
        runtime=10,
    conda:
        "../../envs/cmarr.yaml"
    shell:
        "python -m cmarr confusion --confusions {input.confusions} --corpus {wildcards.corpus}"
        " --system {wildcards.system} --out {output.figure} > {log} 2>&1"


rule fig4:
    message:
        "Fig. 4: WAR and UAR by alpha, lambda and beta"
    input:
        scores=f"{R}/scores/fig4.csv",
    output:
        figure=f"{R}/fig4.png",
        table=f"{R}/fig4.csv",
    params:
        system=plan.full_model,
        defaults=lambda wildcards: plan.sweep_defaults,
        code=plan.code("cmarr.fig4"),
    log:
        f"{R}/logs/fig4.log",
    benchmark:
        f"{R}/benchmarks/fig4.tsv"
    resources:
        mem_mb=1000,
        runtime=10,
    conda:
        "../../envs/cmarr.yaml"
    shell:
        "python -m cmarr fig4 --scores {input.scores} --system {params.system} --defaults {params.defaults}"
        " --out-csv {output.table} --out-figure {output.figure} > {log} 2>&1"


rule fig5:
    message:
        "Fig. 5: reconstructed and true representations"
    input:
        representations=lambda wildcards: plan.files("representations", plan.study("fig5"), ".safetensors"),
    output:
        figure=f"{R}/fig5.png",
        table=f"{R}/fig5.csv",
    params:
        code=plan.code("cmarr.fig5"),
    log:
        f"{R}/logs/fig5.log",
    benchmark:
        f"{R}/benchmarks/fig5.tsv"
    resources:
        mem_mb=2000,
        runtime=30,
    conda:
        "../../envs/cmarr.yaml"
    shell:
        "python -m cmarr fig5 --representations {input.representations} --names 'alpha = beta = 0' CM-ARR"
        " --out-figure {output.figure} --out-csv {output.table} > {log} 2>&1"
