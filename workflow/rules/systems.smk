rule folds:
    message:
        "Split {wildcards.corpus} into folds ({wildcards.protocol})"
    input:
        manifest=rules.manifest.output.manifest,
        left_out=lambda wildcards: plan.left_out(wildcards.corpus),
    output:
        folds=f"{R}/folds/{{corpus}}/{{protocol}}.json",
    params:
        classes=lambda wildcards: plan.classes(wildcards.corpus),
        metric=lambda wildcards: plan.choice_metric(wildcards.corpus, wildcards.protocol),
        released=lambda wildcards: plan.released_targets(wildcards.corpus, wildcards.protocol),
        code=plan.code("cmarr.folds"),
    log:
        f"{R}/logs/folds/{{corpus}}/{{protocol}}.log",
    benchmark:
        f"{R}/benchmarks/folds/{{corpus}}/{{protocol}}.tsv"
    resources:
        mem_mb=1000,
        runtime=10,
    conda:
        "../../envs/cmarr.yaml"
    shell:
        "python -m cmarr folds --corpus {wildcards.corpus} --manifest {input.manifest} --classes {params.classes:q}"
        " --leave-out {input.left_out} --protocol {wildcards.protocol} --choice-metric {params.metric}"
        " {params.released} --out {output.folds} > {log} 2>&1"


rule train:
    message:
        "Train {wildcards.system} on {wildcards.corpus}, fold {wildcards.fold}, seed {wildcards.seed}"
    input:
        manifest=rules.manifest.output.manifest,
        folds=lambda wildcards: plan.folds_file(wildcards.corpus, wildcards.system, wildcards.fold),
        stores=lambda wildcards: plan.stores(wildcards.corpus),
    output:
        model=f"{R}/models/{{corpus}}/{{system}}/fold{{fold}}/seed{{seed}}/model.safetensors",
        record=f"{R}/models/{{corpus}}/{{system}}/fold{{fold}}/seed{{seed}}/record.json",
        history=f"{R}/models/{{corpus}}/{{system}}/fold{{fold}}/seed{{seed}}/history.csv",
    params:
        settings=lambda wildcards: plan.system(wildcards.system, wildcards.corpus),
        features=plan.features,
        tuned=lambda wildcards: plan.tuned(wildcards.system, wildcards.corpus),
        stores=f"{R}/features/{{corpus}}",
        folder=subpath(output.model, parent=True),
        code=lambda wildcards: plan.system_code("cmarr.train", wildcards.system),
    log:
        f"{R}/logs/train/{{corpus}}/{{system}}/fold{{fold}}-seed{{seed}}.log",
    benchmark:
        f"{R}/benchmarks/train/{{corpus}}/{{system}}/fold{{fold}}-seed{{seed}}.tsv"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=720,
        gpu=plan.gpus,
    conda:
        "../../envs/cmarr.yaml"
    shell:
        "python -m cmarr train --corpus {wildcards.corpus} --system {wildcards.system} --settings {params.settings:q}"
        " --features {params.features:q} --manifest {input.manifest} --folds {input.folds} --fold {wildcards.fold}"
        " --seed {wildcards.seed} {params.tuned} --stores {params.stores} --threads {threads}"
        " --out-dir {params.folder} {plan.tensorboard} > {log} 2>&1"


rule predict:
    message:
        "Predict with {wildcards.system} on {wildcards.corpus}, fold {wildcards.fold}, seed {wildcards.seed}"
    input:
        model=rules.train.output.model,
        record=rules.train.output.record,
        manifest=rules.manifest.output.manifest,
        folds=lambda wildcards: plan.folds_file(wildcards.corpus, wildcards.system, wildcards.fold),
        stores=lambda wildcards: plan.stores(wildcards.corpus),
    output:
        predictions=expand(
            f"{R}/predictions/{{corpus}}/{{system}}/fold{{fold}}/seed{{seed}}/{{condition}}.csv",
            condition=plan.conditions,
            allow_missing=True,
        ),
    params:
        conditions=plan.conditions,
        stores=f"{R}/features/{{corpus}}",
        folder=f"{R}/predictions/{{corpus}}/{{system}}/fold{{fold}}/seed{{seed}}",
        code=lambda wildcards: plan.system_code("cmarr.predict", wildcards.system),
    log:
        f"{R}/logs/predict/{{corpus}}/{{system}}/fold{{fold}}-seed{{seed}}.log",
    benchmark:
        f"{R}/benchmarks/predict/{{corpus}}/{{system}}/fold{{fold}}-seed{{seed}}.tsv"
    threads: 1
    resources:
        mem_mb=6000,
        runtime=60,
        gpu=plan.gpus,
    conda:
        "../../envs/cmarr.yaml"
    shell:
        "python -m cmarr predict --model {input.model} --manifest {input.manifest} --folds {input.folds}"
        " --stores {params.stores} --conditions {params.conditions} --threads {threads}"
        " --out-dir {params.folder} > {log} 2>&1"


rule represent:
    message:
        "Represent {wildcards.corpus} with {wildcards.system}, fold {wildcards.fold}, seed {wildcards.seed}"
    input:
        model=rules.train.output.model,
        record=rules.train.output.record,
        manifest=rules.manifest.output.manifest,
        folds=lambda wildcards: plan.folds_file(wildcards.corpus, wildcards.system, wildcards.fold),
        stores=lambda wildcards: plan.stores(wildcards.corpus),
    output:
        representations=f"{R}/representations/{{corpus}}/{{system}}/fold{{fold}}/seed{{seed}}.safetensors",
    params:
        stores=f"{R}/features/{{corpus}}",
        code=lambda wildcards: plan.system_code("cmarr.represent", wildcards.system),
    log:
        f"{R}/logs/represent/{{corpus}}/{{system}}/fold{{fold}}-seed{{seed}}.log",
    benchmark:
        f"{R}/benchmarks/represent/{{corpus}}/{{system}}/fold{{fold}}-seed{{seed}}.tsv"
    threads: 1
    resources:
        mem_mb=6000,
        runtime=60,
        gpu=plan.gpus,
    conda:
        "../../envs/cmarr.yaml"
    shell:
        "python -m cmarr represent --model {input.model} --manifest {input.manifest} --folds {input.folds}"
        " --stores {params.stores} --threads {threads} --out {output.representations} > {log} 2>&1"
