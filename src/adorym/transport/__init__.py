"""From the exit plane to the detector: in focus, near field, far field."""

from adorym.transport._transport import AbstractTransport as AbstractTransport
from adorym.transport._transport import FarField as FarField
from adorym.transport._transport import InFocus as InFocus
from adorym.transport._transport import NearField as NearField
from adorym.transport._transport import crop as crop
from adorym.transport._transport import crop_frequencies as crop_frequencies
