"""Measurements in memory or on disk: lazy frames, the geometry they were taken in, masks and weights.

A `Dataset` is what every reader returns and what every experiment is built from. It follows CONVENTIONS (SI units,
`(view, frame, y, x)`, far-field frames with the zero frequency at index N//2) and imports neither JAX nor a file
library, so that reading, inspecting and converting data never waits for a compiler.
"""

from adorym.data._dataset import Dataset as Dataset
from adorym.data._dataset import Regime as Regime
from adorym.data._dataset import Technique as Technique
from adorym.data._dataset import held_out_frames as held_out_frames
from adorym.data._dataset import not_finite as not_finite
from adorym.data._feed import Feed as Feed
from adorym.data._frames import ArrayFrames as ArrayFrames
from adorym.data._frames import CoarserFrames as CoarserFrames
from adorym.data._frames import FrameSource as FrameSource
