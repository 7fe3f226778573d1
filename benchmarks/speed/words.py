"""What the page says beside its numbers."""

from __future__ import annotations

INTRODUCTION = """\
# Speed and memory

`make bench` measures on the machine it runs on, in under 15 minutes on 2 cores, and writes this page. What is compared
runs in turn in one process or in processes side by side, A B A B, so that a machine that slows down slows all of it;
a ratio is one of the least times of all rounds, and the median of the rounds' own ratios stands beside it. Compiling
is not counted. Comparisons with other packages are made by `make bench-peers`, quality is judged by
[`make quality`](quality.md).
"""

FLOOR = """\
## Against the floor

Value and gradient of a multislice chain with respect to all slabs, in 32 bits, against 4 FFTs a slab and wave: two on
the way through and two on the way back, which no method that takes exact gradients avoids. The FFTs are those of the
fastest library on the machine, in place and out of loops of any kind, with one thread or all. The chain may use one
device or one host device per core, and any backward pass: the fastest counts. The last column is what the same FFTs
take by JAX in a loop, on one core, in the same unit: what is above it is all the rest.
"""

TRIED = """\
What the rest is, and what was tried:

- **Sine and cosine.** XLA computes them on a CPU by a call for each number: for a wave of 1024² a slab's transmission
  took as long as an FFT, and was computed twice. They are polynomials now that compile to vector instructions (5 to 10
  times faster, right to 1e-7), and the derivative of the exponential is the exponential. A chain of 2 x 512² x 32 went
  from 2.2 to 1.5 times JAX's own FFTs, others from 1.4 to 1.2.
- **Nothing twice.** XLA fuses what is cheap into what uses it: the phase ramps of a probe that is moved by part of a
  pixel, one for each axis, were computed again for every pixel. They come out of a loop now, into which it does not
  reach. With first-order steps dealt out over the devices as well, a step on 10 frames of 128² through 2 slices takes
  6.9 ms in place of 8.9 on two host devices (medians, the versions in turn).
- **A backward pass by hand** that writes each slab's gradient where it belongs, in place of the scan's: of a full field
  as fast within a tenth. For a scan it is what counts: what frames see of a slab is a window, and autodiff makes its
  gradient a slab of zeros with a window in it, or else all windows of all slabs had to be cut out beforehand. Now they
  are read from the slabs and added to the gradient in place, and waves of 768 kB go through the slabs at a time, not of
  192: a view of 81 frames of 48² through 22 slabs takes 70 to 81 ms in place of 132 to 146 (script, two host devices,
  the versions in turn), 8 slices of 128² 3.0 ms a frame in place of 3.8, 2 slices and 4 slices of 4 modes as before.
- **While it is in the cache.** Frames of a scan go through the slabs in groups that a processor's cache has room for.
  Autodiff carried all groups forward before the first went back: their waves went to memory and came from it again, and
  that memory was filled with zeros beforehand. A misfit is a sum over frames, so each group goes forward and back by
  itself now; and XLA's own sum over modes took ten times as long as adding them. A step on 10 frames of 128² with 4
  modes through 4 slices takes 25.3 ms in place of 33.8 (Xeon, MKL, 2026-11-28, one version after the other); with one
  mode all frames of a device are one group, and nothing changed.
- **More than one core.** Inside a loop XLA's FFT runs on one. With a host device per core waves and views are dealt
  out, which is what `devices = 0` does in a job. Cutting the waves of one device into independent FFTs did not help:
  XLA runs them one after the other. A single wave's FFT stays on one core, while what is done to each pixel, and an FFT
  of the walk back beside one of the cotangent, keep the other busy; to spread it, its FFT would have to be cut by rows
  and exchanged, and a transposition alone takes longer than half an FFT. Outside a loop XLA spreads it, but a chain
  written out slab by slab is no faster: 1024² through 32 slabs 1.22 s in place of 1.30 walked back, 0.97 in place of
  0.99 with the waves stored (Xeon, 2026-11-28), and it takes two to ten times the memory.
- **Whole kernels.** XLA cuts the kernels of every device up for all cores, inside loops too, and hands the parts to
  threads that all devices share. Where each device has a core to itself, waves leave the cache they lie in, threads
  that wait for parts take time from those that work, and a device that they leave alone is waited for at the end of the
  pass. A job leaves the pass out that cuts (`XLA_FLAGS=--xla_disable_hlo_passes=cpu-parallel-task-assigner`; set it
  yourself in scripts with as many devices as cores): a step on 10 frames of 128² with 4 modes takes 6.4 to 7.2 ms in
  place of 8.3 to 9.8 through 2 slices, 11.8 to 12.0 for 16.5 through 4, 22.7 to 23.5 for 30.5 to 31.2 through 8 (AMD
  EPYC, FFTW, 2026-11-30, in turn). In the table above it is left out for two host devices, not for one.
- **A filter is one operation**: transform, product and transform back, a wave at a time, where a library makes the
  transforms. By itself it gained nothing, as XLA had joined the products to what is done anyway, but it lets the next
  be done.
- **Columns in one piece.** FFTW takes twice as long for the columns of a wave, where they lie, as for its rows. Above
  32 kB a wave's rows are transformed, and then some columns at a time copied out into the first cache, transformed,
  multiplied and transformed back before they are put where they were. One core of that EPYC filters 128² in 40 µs in
  place of 46, 256² in 171 for 240, 512² in 0.78 ms for 1.19, 1024² in 3.9 for 5.8 and 2048² in 23 for 37; lengths with
  factors of 3 and 5 gain less, some nothing. Waves of 2ⁿ bytes a row share few places of a cache: 32 or 64 columns at a
  time, an odd number of cache lines from one to the next, decide whether it is a gain (16 columns of 1024²: 5.0 ms).
- **Along the waves kept.** A derivative along a vector computed the plain chain a second time. Where the waves are
  stored it goes along them, which takes 4 FFTs a slab in place of 6: a curvature of a view of 81 frames of 48² through
  22 slabs 20.7 ms in place of 26.2, of a hologram of 64² 1.57 for 1.86.
- **Nothing padded inside the loop.** Slabs are as large as the frame, waves wider by what light walks. A transmission
  that was padded with ones was computed where the padding was put together, number by number: of a slab of 64² in a
  wave of 96² that took 83 µs on the way through and 61 on the way back, where both FFTs took 26. The wave's middle is
  multiplied now, by the library's filter just before it transforms the wave: the transmission is computed by itself, in
  vectors, 4 to 9 µs. A view of 64³ through chosen slabs takes 2.8 ms in place of 5.0 (Xeon, MKL, one device,
  2026-11-30, the versions in turn), of the 128³ cone 34 for 57, of 256³ 353 for 450. What each frame of a scan sees of
  a slab is still cut out and multiplied in one kernel of XLA's: cut out beforehand it took 10 to 25 % longer.
- **Turned slab after slab.** Where every plane is a slab, XLA joined the turning to the transposition behind it, and
  read four rows number by number: 64³ turned and transposed 1.1 ms, now 0.33; 256³ 98 ms, now 50. A view of 64³
  through every plane takes 4.3 ms in place of 7.0.
- **A sum over modes** that was made of its parts put them together again on its way back, element by element where
  there were two: 64 frames of 64² with two modes took 2.5 ms, with one 1.1, with four 2.8. It repeats now: 1.6.
- **Large pages.** A fresh array of 64 MB costs 16,000 page faults, 25 to 35 ms of the system's time, more than most
  kernels take to fill it. The command `adorym` asks the C library for pages of 2 MB before it starts
  (`GLIBC_TUNABLES=glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=8388608:glibc.malloc.trim_threshold=16777216`; set
  it yourself in scripts): a chain of 2 x 512² x 32 spends 50 to 80 ms in the system in place of 130 to 290, a rotation
  of 256³ 6 to 9 in place of 30. The second setting gives arrays of 8 MB and more back to the system as soon as they are
  freed, where the library would begin to keep those up to 32 MB: a default job of 128³ voxels takes 1.22 GB in place of
  1.60, as fast (88 s and 89 s). Once it is made the library also gives back the end of its heap whenever 128 kB of it
  are free, unless the third says otherwise: with the first two alone an epoch of 100 frames of 128² through two slices,
  in batches of 10, took 0.103 s, with all three 0.066, as without any (AMD EPYC, 2026-11-29). These benchmarks, FFT
  libraries included, run as the command does.
- **Which processor.** MKL is made for Intel's: on a Xeon JAX's own FFTs on one core take 1.9 to 3.4 times as long as
  the fastest on two. With them (2026-11-28) the four chains took 3.28, 2.57, 4.06 and 5.01 times that floor; with MKL,
  and FFTW among the libraries, 2.48, 0.845, 2.27 and 2.57. On an AMD EPYC (2026-11-29) MKL takes no less than XLA below
  256², and the chains with it 4.11, 1.05, 2.51 and 4.55 times the floor, where FFTW sets it; with FFTW 1.62, 1.63, 2.26
  and 3.86 (medians of the rounds 1.89, 1.65, 2.46 and 3.03), and a view of 64³ through 64 slabs 3.0 in place of 3.8
  times its FFTs; since then with whole kernels and columns in one piece as in the tables.
- **What else the memory does.** Where memory is slower ratios are not the same either, most of all that of the wave of
  1024², which no cache holds. Later on the day of the tables, on such an EPYC with little else to do but where a copy
  of 256³ by JAX took 4.3 ms in place of 3.0, three runs gave 1.6 to 1.75, 1.26 to 1.35, 1.99 to 2.13 and 4.7 to 5.3 for
  the four chains, 2.8 to 3.2 for the view of 64³ through 64 slabs and 2.9 copies for a rotation.
- **MKL's FFT through XLA's foreign-function interface.** The transform is a primitive of its own, so that for
  derivatives, vmap and compilation it is one operation, and on a processor with MKL (`adorym[mkl]`) a call of that
  library. 200 lines of C stand between the two, compiled against the installed JAX's own headers when they are first
  used, as wheels for each platform and version would be more to keep than to gain. In a loop as the slabs are, one core
  of a Xeon takes 0.16 ms in place of 0.28 for 8 waves of 128², 1.9 for 4.6 (16 of 256²), 1.3 for 2.7 (2 of 512²), 3.3
  for 6.7 (1024²) and 0.010 for 0.036 (96²). FFTW, planned for half a second, is between the two: 2.7, 2.3 and 4.4 ms
  for the second to the fourth. MKL is kept to one thread: two made 1024² no faster there, and views and waves are dealt
  out over host devices anyway.
- **FFTW in MKL's place.** The same handlers, with FFTW's functions behind them; it plans by trying, and its plans are
  kept in the user's cache, since another one rounds differently. In a loop on one core of that EPYC, where the time of
  all of them varies by a fifth: 8 waves of 128² 0.27 to 0.36 ms in place of 0.40 (MKL) and 0.33 to 0.37 (XLA), 8 of 64²
  0.06 for 0.13 and 0.06 to 0.10, 90 of 96² 2.2 to 2.7 for 2.7 and 3.8 to 4.8, 1024² the same as MKL. A gradient over 90
  frames of 128² through two slices takes 35 to 40 ms in place of 49 to 59 (MKL) and 40 to 52 (XLA); of a hologram's 64³
  cone, of which chosen slabs leave few FFTs, all three take as long.
"""

MEMORY = """\
## Memory

Temporaries of a gradient beside its arguments and results (the volume and its gradient), in waves of 1024² pixels, one
wave, as the compiler states them. "stored" keeps the wave in front of each slab, "segments" the waves at the start of
√S segments, "reversible" only the exit wave, which is walked back.
"""

ROTATION = """\
## Rotation

A turn of the volume about one axis, and its exact adjoint, in plain copies of the volume into new memory. The adjoint
reads six rows for each that it writes, where nine neighbours come into question (the module proves that three of them
cannot have a share); it is no loop, so that the compiler runs it on all cores.
"""

TOMOGRAPHY = """\
## Full-field multislice tomography

The gradient of one view as a reconstruction computes it: turned, propagated through slabs, on to the detector, compared
with counts, and all of it back. The earlier Adorym needed 73 to 194 ms for such a view of 64³ through 64 slabs where
its 256 FFTs took 4 ms: 18 to 48 times.

A plane wave crosses the sample on a grid that is wider than the field by what light walks within the sample and four
pixels on each side; the wider grid that the way to the detector needs begins behind the last slab. Before, all slabs
were on that one, and a view with vacuum around it took 4.75 ms. On 256³ voxels two other things took more time than the
waves. Penalties were counted with every batch in place of once in a pass: by `adorym plan` a pass over 500 views went
from 2.9 minutes to 51 s. L-BFGS masked by a selection, whose branches a processor mispredicts, in place of a product,
and did all of it on each device in place of its part: 13.9 s for a direction became 1.8.
"""

SCALING = """\
## Scaling

Each curve with the law that it should follow, a part that does not grow added where the fit finds one, fitted to
relative errors; "off by" is the point furthest from its law. Memory is what the compiler states for temporaries and
results.
"""

FORECASTS = """\
## Forecasts

What `adorym plan` foretells beside what the default job then takes, each in a process of its own that finds nothing
compiled: `python -m benchmarks.plan JOB` does it for any job. Where the data decide when to end, time is foretold for
as many steps as the run then had, at each binning and on each part of the views: how many there will be nobody knows.
"""

PAPER = """\
## The problem of the paper

The cone of 256³ voxels of 1 nm at 5 keV, 500 views, as the published supercomputer run had it: `make bench-paper`. The
hologram is simulated on a grid twice as fine, with shot noise, and reconstructed by the default job; of the 529 x 500
diffraction patterns `adorym plan` says what they take, and a part of a pass over them is run.

On a Xeon of two cores (2026-11-28) the default job took 78.9 minutes and 5.53 GB to an error of 0.109 as long as all of
its steps were at full resolution. From coarse to fine ([when](strength.md#when-from-coarse-to-fine)) 64³ voxels take 47
seconds, 128³ take 57, and twelve steps at 256³ lead to 0.109, 10.2 minutes after the start. L-BFGS remembers in half
the bits, sums over a pass are made in place, and what is freed goes back to the system, every few seconds: it lies in
holes between what is still in use, 0.4 GB of them after a minute. A line search holds what it tries once, whole on each
device during a pass and dealt out otherwise. The gradient where the way up begins is found when the state before is
gone, and what the solver remembers is given back before results are made. By that the Xeon took 36.7 minutes and
3.82 GB for 114 steps, those at full resolution 40 to 52 s long, and a pass over the diffraction patterns, extrapolated,
18.2 minutes. With whole kernels, columns in one piece and derivatives along the waves kept a step takes 22 s on the
machine of the tables.
"""

GPU = """\
## On a GPU

`make bench-gpu` times on a GPU: many 256² waves through the same slabs, 364² frames of a scan through 4 slices, views
of a 256³ full field, each with its gradient, and the 256³ cone by the default job. Beside the times stands the part of
the memory's bandwidth that they use: the bytes that the algorithm must move (a 2D FFT reads and writes its wave twice,
once along each axis, and all else is done on the way; waves kept are written and read once, slabs read twice and their
gradient written) over what a plain copy moves a second in the same run.
"""

NO_GPU = """\
No GPU was there when this page was made. `make bench-gpu` is all that a machine with one needs.
"""

_CACHED = "small waves stay in the processor's caches, those of 1024² do not, and go through memory at each step."
_PLANES = """\
the planes of the smaller volumes and their waves stay in the caches; for the smallest, starting each operation takes as
long as doing it."""
_ONCE = """\
what is done once for a view takes as long as 30 to 70 frames do, by the run; 16 and 36 frames are one group on each
device, more go in groups of 16 to 24; and times of a few milliseconds vary."""
_GROUP = """\
it is that of the largest group of frames that the processor's cache has room for, of 8, 18, 16, 24 and 22 frames here.
Autodiff alone took 15.5 MB for 256 frames, where it is 2.7 MB now."""

EXPLAINED = {
    ("pixels along a wave's edge", "time"): _CACHED,
    ("voxels along a volume's edge, as many slabs", "time"): _PLANES,
    ("frames of a scan", "time"): _ONCE,
    ("frames of a scan", "memory"): _GROUP,
    ("modes of a probe, 64 frames", "time"): "times of a few milliseconds vary: off by 3 to 36 % in five runs.",
}
