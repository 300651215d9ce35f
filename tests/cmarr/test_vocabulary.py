from cmarr.vocabulary import CONDITIONS, availability, present


def test_conditions_name_what_is_available() -> None:
    assert CONDITIONS == ("t", "s", "v", "vt", "sv", "st", "svt")
    assert present("vt") == ("text", "video")
    assert availability("vt") == (True, False, True)
    assert availability("svt") == (True, True, True)
    assert len({availability(condition) for condition in CONDITIONS}) == 7
