from cmarr.seeds import derive


def test_seeds_differ_by_every_part_and_never_change() -> None:
    seeds = {derive("iemocap", "cm_arr", fold, seed, "training") for fold in range(5) for seed in range(5)}
    assert len(seeds) == 25
    assert derive("a", "bc") != derive("ab", "c")
    assert derive("a", 1) == 4742018630964328543
    assert all(0 <= seed < 2**63 for seed in seeds)
