"""A report is one file that loads nothing, says what was done and found, and leaves out what is not known."""

from __future__ import annotations

import base64
import dataclasses
import io
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from tests.report import samples

from adorym._core import AdorymError
from adorym.report import Frames, ReportContent, RunResult, write_comparison_report, write_report

SIZE = 24
_VOID = {"meta", "img", "br", "link", "hr"}


class Page(HTMLParser):
    """Reads a page as a browser would; notes its text, its pictures, whatever it would load, and unclosed tags."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.sources: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.html = path.read_text(encoding="utf-8")
        self.feed(self.html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _VOID:
            self.open.append(tag)
        given = dict(attrs)
        assert tag not in {"script", "link", "iframe", "object"}
        self.sources += [value or "" for name, value in attrs if name in {"src", "srcset", "poster"}]
        if tag == "img":
            self.images.append(given)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def _check_self_contained(page: Page) -> None:
    from PIL import Image

    assert page.sources
    for source in page.sources:
        assert source.startswith("data:image/png;base64,")
        with Image.open(io.BytesIO(base64.b64decode(source.split(",", 1)[1]))) as image:
            image.load()
            assert image.width > 200
            assert np.asarray(image.convert("L")).std() > 5  # something is drawn
    assert all(image["alt"] and int(image["width"] or 0) <= 1100 for image in page.images)
    assert "url(" not in page.html
    assert "@import" not in page.html
    assert page.html.count("<figure>") == page.html.count("<figcaption>") == len(page.images)
    assert "nan" not in page.text.lower().split()


def _report(tmp_path: Path, run: RunResult) -> Page:
    page = Page(write_report(tmp_path, samples.content(run)))
    _check_self_contained(page)
    return page


def test_a_volume_is_shown_with_all_that_is_known(tmp_path: Path) -> None:
    page = _report(tmp_path, samples.volume_run(SIZE, technique="ptychography"))
    assert len(page.images) == 6  # delta, beta, frames, correlation, history, probe
    for words in (
        "X-rays of 1 keV (wavelength 1.24 nm)",
        "one part of the sample after another, 49 overlapping positions at each of 60 angles",
        "10⁷ photons would have reached each frame",
        "24 × 24 × 24 voxels of 2 nm",
        "16 slabs of 3 nm",
        "total variation of δ (weight 0.003)",
        "δ ≥ 0 and β ≥ 0",
        "76 s",
        "1.4 GB",
        "Thickness over depth of focus",
        "half-bit",
        "The reconstruction and the truth share one colour scale",
        "seed 7",
    ):
        assert words in page.text, words


def test_an_image_in_pixel_units_speaks_of_pixels_only(tmp_path: Path) -> None:
    page = Page(write_report(tmp_path, ReportContent(title="A star", run=samples.image_run(64))))
    _check_self_contained(page)
    assert "on 64 × 64 pixels" in page.text
    assert not re.search(r"\d [nµm]?m\b|keV|voxel|truth (?!is)", page.text.split("What the words mean")[0])
    assert len(page.images) == 5  # phase, amplitude, frames, history, probe


def test_an_image_with_its_truth_is_compared(tmp_path: Path) -> None:
    page = _report(tmp_path, samples.image_run(64, known=True))
    assert "their difference" in page.text


def test_what_is_not_known_is_left_out(tmp_path: Path) -> None:
    run = samples.volume_run(SIZE)
    bare = dataclasses.replace(
        run,
        quantities=tuple(dataclasses.replace(one, truth=None) for one in run.quantities[:1]),
        numbers=dataclasses.replace(run.numbers, error=None, error_whole=None, resolution=None, peak_memory=None),
        history=None,
        correlation=None,
        frames=None,
    )
    page = _report(tmp_path, bare)
    assert len(page.images) == 1
    for words in ("δ error", "resolution", "peak memory", "share one colour scale", "differs from the truth"):
        assert words not in page.text


def _without_pictures(run: RunResult) -> RunResult:
    return dataclasses.replace(run, quantities=(), history=None, correlation=None, frames=None, probe=None)


def test_a_thin_sample_is_not_called_thick(tmp_path: Path) -> None:
    run = _without_pictures(samples.volume_run(SIZE, name="projection"))
    for factor, words in ((10.0, "hardly spreads"), (0.5, "This reconstruction ignores that")):
        settings = dataclasses.replace(run.settings, depth_of_focus=factor * (run.settings.thickness or 0.0))
        page = Page(write_report(tmp_path, samples.content(dataclasses.replace(run, settings=settings))))
        assert words in page.text


@pytest.mark.parametrize("shape", [(1, 20, 30), (3, 40, 24), (30, 8, 20)])
def test_volumes_of_any_shape_are_drawn(tmp_path: Path, shape: tuple[int, int, int]) -> None:
    run = samples.volume_run(SIZE)
    values = np.random.default_rng(0).random(shape)
    quantity = dataclasses.replace(run.quantities[0], values=values, truth=values[::-1])
    _report(tmp_path, dataclasses.replace(run, quantities=(quantity,), frames=None, history=None, correlation=None))


def test_degenerate_numbers_do_not_stop_a_report(tmp_path: Path) -> None:
    run = samples.volume_run(SIZE)
    nothing = np.zeros((8, 8, 8))
    holes = np.where(np.eye(8, dtype=bool), np.nan, nothing)
    quantities = (
        dataclasses.replace(run.quantities[0], values=holes, truth=nothing),
        dataclasses.replace(run.quantities[1], values=np.full((8, 8, 8), np.nan), truth=None),
    )
    dark = Frames(
        measured=np.zeros((5, 8, 8)), predicted=np.zeros((5, 8, 8)), labels=("a", "b", "c", "d", "e"), logarithmic=True
    )
    numbers = dataclasses.replace(run.numbers, error=float("nan"), resolution=float("inf"), misfit=0.0)
    page = _report(tmp_path, dataclasses.replace(run, quantities=quantities, frames=dark, numbers=numbers))
    assert "inf" not in page.text.split()


def test_what_users_wrote_is_escaped(tmp_path: Path) -> None:
    run = _without_pictures(samples.image_run(64))
    settings = dataclasses.replace(run.settings, source="<script>alert(1)</script> & 'co'")
    content = ReportContent(title="<b>bold</b>", run=dataclasses.replace(run, settings=settings), introduction="a < b")
    page = Page(write_report(tmp_path, content))
    assert "<b>bold</b>" in page.text
    assert "<script>alert(1)</script> & 'co'" in page.text


def test_a_comparison_says_what_the_numbers_say(tmp_path: Path) -> None:
    content = samples.comparison_content(SIZE)
    page = Page(write_comparison_report(tmp_path, content))
    _check_self_contained(page)
    assert len(page.images) == 6  # correlations, errors; objects and residuals of both
    first, other = content.comparisons[0].runs
    assert first.numbers.error is not None
    assert other.numbers.error is not None
    ratio = f"{other.numbers.error / first.numbers.error:.2f}"
    assert f"Holography: the δ error of projection is {ratio} times that of multislice" in page.text
    assert f"{ratio} ×" in page.text
    assert "explains the measured frames less well" in page.text
    assert 'href="holography-multislice/report.html"' in page.html
    assert page.html.count('class="best"') >= 8


def test_a_comparison_does_not_boast(tmp_path: Path) -> None:
    """The words follow the numbers where the second run is the better one, or as good."""
    content = samples.comparison_content(SIZE)
    better, worse = content.comparisons[0].runs
    turned = dataclasses.replace(content.comparisons[0], runs=(worse, better))
    equal = dataclasses.replace(content.comparisons[1], runs=(better, dataclasses.replace(better, name="again")))
    text = Page(write_comparison_report(tmp_path, dataclasses.replace(content, comparisons=(turned, equal)))).text
    found = re.search(r"Holography: the δ error of multislice is (\d\.\d+) times that of projection", text)
    assert found is not None
    assert float(found[1]) < 1
    assert "although it fits the measured frames more closely" in text
    assert "the δ error of again is the same as that of multislice" in text
    assert "both fit the measured frames alike" in text


def test_a_comparison_of_images_without_truth_is_possible(tmp_path: Path) -> None:
    run = samples.image_run(64)
    comparison = dataclasses.replace(
        samples.comparison(SIZE, "ptychography"), runs=(run, dataclasses.replace(run, name="b"))
    )
    content = dataclasses.replace(samples.comparison_content(SIZE), comparisons=(comparison,))
    page = Page(write_comparison_report(tmp_path, content))
    _check_self_contained(page)
    assert "over the region that the measurement reached." not in page.text.split("What the words mean")[0]


def test_a_report_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    content = samples.content(_without_pictures(samples.image_run(64)))
    path = write_report(tmp_path, content)
    before = path.read_bytes()
    with pytest.raises(AdorymError):
        write_report(tmp_path / "absent", content)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]


def test_drawing_changes_no_setting_of_matplotlib(tmp_path: Path) -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    write_report(tmp_path, samples.content(samples.image_run(64)))
    assert dict(mpl.rcParams) == before


def test_reports_start_neither_jax_nor_pyplot() -> None:
    script = (
        "import sys, adorym.report; assert 'matplotlib' not in sys.modules and 'rich' not in sys.modules;"
        "from tests.report import samples; import tempfile;"
        "adorym.report.write_report(tempfile.mkdtemp(), samples.content(samples.image_run(64)));"
        "sys.exit('jax' in sys.modules or 'matplotlib.pyplot' in sys.modules)"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
