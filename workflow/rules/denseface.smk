rule denseface:
    message:
        "Train Denseface on FER+"
    input:
        images=plan.config.denseface.images,
        votes=plan.config.denseface.votes,
    output:
        weights=f"{R}/denseface/weights.safetensors",
        record=f"{R}/denseface/record.json",
        curve=f"{R}/denseface/curve.csv",
        picture=f"{R}/denseface/curve.png",
    params:
        recipe=plan.recipe,
        code=plan.code("extractors.denseface.train"),
        folder=subpath(output.weights, parent=True),
    log:
        f"{R}/logs/denseface/train.log",
    benchmark:
        f"{R}/benchmarks/denseface/train.tsv"
    threads: 8
    resources:
        mem_mb=3000,
        runtime=1440,
        gpu=plan.gpus,
    conda:
        "../../envs/cmarr.yaml"
    shell:
        "python -m extractors denseface train --images {input.images:q} --votes {input.votes:q}"
        " --recipe {params.recipe:q} --threads {threads} --out-dir {params.folder} > {log} 2>&1"


rule denseface_evaluate:
    message:
        "Evaluate Denseface on FER+, split {wildcards.split}"
    input:
        images=plan.config.denseface.images,
        votes=plan.config.denseface.votes,
        weights=rules.denseface.output.weights,
    output:
        scores=f"{R}/denseface/{{split}}/scores.json",
        predictions=f"{R}/denseface/{{split}}/predictions.csv",
        picture=f"{R}/denseface/{{split}}/confusion.png",
    params:
        code=plan.code("extractors.denseface.evaluate"),
        folder=subpath(output.scores, parent=True),
    log:
        f"{R}/logs/denseface/{{split}}.log",
    benchmark:
        f"{R}/benchmarks/denseface/{{split}}.tsv"
    threads: 2
    resources:
        mem_mb=2000,
        runtime=60,
        gpu=plan.gpus,
    conda:
        "../../envs/cmarr.yaml"
    shell:
        "python -m extractors denseface evaluate --images {input.images:q} --votes {input.votes:q}"
        " --weights {input.weights} --split {wildcards.split} --threads {threads}"
        " --out-dir {params.folder} > {log} 2>&1"
