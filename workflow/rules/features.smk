rule extract:
    message:
        "Extract {wildcards.modality} features of {wildcards.corpus}, session {wildcards.session}"
    input:
        manifest=lambda wildcards: plan.manifest(wildcards.corpus, wildcards.session),
        encoder=lambda wildcards: plan.encoder_files(wildcards.modality),
    output:
        shard=temp(f"{R}/features/{{corpus}}/shards/{{modality}}/session{{session}}.h5"),
    params:
        settings=lambda wildcards: plan.encoder(wildcards.modality, wildcards.corpus),
        encoders=plan.config.encoders.folder,
        root=lambda wildcards: plan.config.corpora[wildcards.corpus].root,
        origin=lambda wildcards: plan.config.corpora[wildcards.corpus].origin,
        code=lambda wildcards: plan.code(f"extractors.{wildcards.modality}"),
    log:
        f"{R}/logs/extract/{{corpus}}/{{modality}}/session{{session}}.log",
    benchmark:
        f"{R}/benchmarks/extract/{{corpus}}/{{modality}}/session{{session}}.tsv"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=240,
        gpu=plan.gpus,
    conda:
        "../../envs/cmarr.yaml"
    shell:
        "python -m extractors {wildcards.modality} --manifest {input.manifest} --root {params.root:q}"
        " --session {wildcards.session} --settings {params.settings:q} --encoders {params.encoders:q}"
        " --origin {params.origin} --threads {threads} --out {output.shard} > {log} 2>&1"


rule pack:
    message:
        "Pack the {wildcards.modality} features of {wildcards.corpus}"
    input:
        manifest=rules.manifest.output.manifest,
        shards=lambda wildcards: expand(rules.extract.output.shard, session=plan.sessions(wildcards.corpus), **wildcards),
    output:
        store=f"{R}/features/{{corpus}}/{{modality}}.h5",
        rejected=f"{R}/features/{{corpus}}/{{modality}}.rejected.csv",
    params:
        origin=lambda wildcards: plan.config.corpora[wildcards.corpus].origin,
        code=plan.code("extractors.pack"),
    log:
        f"{R}/logs/pack/{{corpus}}/{{modality}}.log",
    benchmark:
        f"{R}/benchmarks/pack/{{corpus}}/{{modality}}.tsv"
    resources:
        mem_mb=1000,
        runtime=60,
    conda:
        "../../envs/cmarr.yaml"
    shell:
        "python -m extractors pack --manifest {input.manifest} --origin {params.origin}"
        " --out {output.store} --rejected {output.rejected} {input.shards} > {log} 2>&1"
