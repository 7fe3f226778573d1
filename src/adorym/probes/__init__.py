"""Illuminations and first guesses of them."""

from adorym.probes._guess import add_modes as add_modes
from adorym.probes._guess import from_far_field as from_far_field
from adorym.probes._guess import from_near_field as from_near_field
from adorym.probes._probes import AbstractProbe as AbstractProbe
from adorym.probes._probes import Modes as Modes
from adorym.probes._probes import PlaneWave as PlaneWave
