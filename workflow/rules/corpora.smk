rule manifest:
    message:
        "List the utterances of {wildcards.corpus}"
    input:
        labels=lambda wildcards: plan.label_files(wildcards.corpus),
    output:
        manifest=f"{R}/corpora/{{corpus}}/manifest.csv",
        ratings=f"{R}/corpora/{{corpus}}/ratings.csv",
        check=f"{R}/corpora/{{corpus}}/check.json",
    params:
        settings=lambda wildcards: plan.corpus(wildcards.corpus),
        code=lambda wildcards: plan.manifest_code(wildcards.corpus),
        folder=subpath(output.manifest, parent=True),
    log:
        f"{R}/logs/manifest/{{corpus}}.log",
    benchmark:
        f"{R}/benchmarks/manifest/{{corpus}}.tsv"
    resources:
        mem_mb=1000,
        runtime=60,
    conda:
        "../../envs/cmarr.yaml"
    shell:
        "python -m extractors manifest --name {wildcards.corpus} --corpus {params.settings:q}"
        " --out-dir {params.folder} > {log} 2>&1"
