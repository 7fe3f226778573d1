"""Samples: a thin image or a thick volume, and what of them is optimised."""

from adorym.objects._objects import AbstractObject as AbstractObject
from adorym.objects._objects import Image as Image
from adorym.objects._objects import Slabs as Slabs
from adorym.objects._objects import Slices as Slices
from adorym.objects._objects import Volume as Volume
from adorym.objects._parametrizations import PARAMETRIZATIONS as PARAMETRIZATIONS
from adorym.objects._parametrizations import AbstractParametrization as AbstractParametrization
from adorym.objects._parametrizations import DeltaBeta as DeltaBeta
from adorym.objects._parametrizations import FixedRatio as FixedRatio
from adorym.objects._parametrizations import LogAmplitudePhase as LogAmplitudePhase
