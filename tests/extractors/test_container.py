from __future__ import annotations

from pathlib import Path

import av
import pytest

from extractors.container import FORMATS, open_media
from tests.extractors.clock import CODECS, write_film


@pytest.mark.parametrize("ending", CODECS)
def test_every_container_is_read(ending: str, tmp_path: Path) -> None:
    write_film(tmp_path / f"a.{ending}", seconds=0.4)
    with open_media(tmp_path / f"a.{ending}") as container:
        assert container.streams.video
        assert container.streams.audio


@pytest.mark.parametrize(
    "name", ["list.m3u8", "list.mp4", "concat.ffconcat", "concat.mp4", "manifest.mpd", "words.sdp"]
)
def test_a_file_that_names_other_files_is_not_followed(name: str, tmp_path: Path) -> None:
    film = tmp_path / "private" / "a.ts"
    film.parent.mkdir()
    write_film(film, seconds=0.4)
    texts = {
        "list": f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:0.4,\n{film}\n#EXT-X-ENDLIST\n",
        "concat": "ffconcat version 1.0\nfile private/a.ts\n",
        "manifest": f'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>{film}</BaseURL></MPD>',
        "words": "v=0\nc=IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\n",
    }
    path = tmp_path / name
    path.write_text(texts[path.stem])
    with pytest.raises((av.FFmpegError, OSError)):
        open_media(path)


def test_no_format_follows_other_files() -> None:
    following = {"hls", "dash", "concat", "concatf", "image2", "sdp", "rtsp", "lavfi", "imf", "webm_dash_manifest"}
    assert not following & set(FORMATS)
