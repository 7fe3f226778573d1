"""Waves through vacuum and matter."""

from adorym.propagation._backward import Backward as Backward
from adorym.propagation._choice import backward_error as backward_error
from adorym.propagation._choice import choose_backward as choose_backward
from adorym.propagation._free_space import far_field as far_field
from adorym.propagation._free_space import fresnel_one_step as fresnel_one_step
from adorym.propagation._free_space import propagate as propagate
from adorym.propagation._free_space import shift as shift
from adorym.propagation._free_space import shifted as shifted
from adorym.propagation._multislice import multislice as multislice
from adorym.propagation._sampling import Sampling as Sampling
from adorym.propagation._sampling import choose_propagator as choose_propagator
from adorym.propagation._sampling import padded_size as padded_size
from adorym.propagation._sampling import spread as spread
from adorym.propagation._transfer import phase_per_length as phase_per_length
from adorym.propagation._transfer import transfer_function as transfer_function
from adorym.propagation._transmission import phasor as phasor
from adorym.propagation._transmission import transmission as transmission
from adorym.propagation._windows import Windows as Windows
