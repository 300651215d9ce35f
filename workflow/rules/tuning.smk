from cmarr.tuning_plan import TuningPlan

tuning = TuningPlan(plan, config)


rule tune:
    message:
        "Tune {wildcards.system} on {wildcards.corpus}"
    input:
        manifest=rules.manifest.output.manifest,
        folds=lambda wildcards: tuning.folds(wildcards.corpus, wildcards.system),
        stores=lambda wildcards: plan.stores(wildcards.corpus),
    output:
        trials=f"{R}/tuning/{{corpus}}/{{system}}/trials.csv",
        chosen=f"{R}/tuning/{{corpus}}/{{system}}/chosen.json",
    params:
        settings=lambda wildcards: tuning.system(wildcards.system, wildcards.corpus),
        features=plan.features,
        budget=tuning.budget,
        stores=f"{R}/features/{{corpus}}",
        folder=subpath(output.chosen, parent=True),
        code=lambda wildcards: plan.system_code("cmarr.tune", wildcards.system),
    log:
        f"{R}/logs/tune/{{corpus}}/{{system}}.log",
    benchmark:
        f"{R}/benchmarks/tune/{{corpus}}/{{system}}.tsv"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=2880,
        gpu=plan.gpus,
    conda:
        "../../envs/cmarr.yaml"
    shell:
        "python -m cmarr tune --corpus {wildcards.corpus} --system {wildcards.system} --settings {params.settings:q}"
        " --features {params.features:q} --manifest {input.manifest} --folds {input.folds} --stores {params.stores}"
        " {params.budget} --threads {threads} --out-dir {params.folder} > {log} 2>&1"


rule tuned:
    message:
        "Collect what tuning chose"
    input:
        chosen=lambda wildcards: tuning.files("chosen.json"),
        trials=lambda wildcards: tuning.files("trials.csv"),
    output:
        configuration=f"{R}/tuned.yaml",
        figure=f"{R}/figures/tuning.png",
    params:
        configuration=tuning.configuration,
        left_out=tuning.left_out,
        code=plan.code("cmarr.tuned"),
    log:
        f"{R}/logs/tuned.log",
    benchmark:
        f"{R}/benchmarks/tuned.tsv"
    resources:
        mem_mb=1000,
        runtime=10,
    conda:
        "../../envs/cmarr.yaml"
    shell:
        "python -m cmarr tuned --configuration {params.configuration:q} --chosen {input.chosen}"
        " --untuned {params.left_out} --out {output.configuration} --figure {output.figure} > {log} 2>&1"
