"""From data to an object: stages, the loop, and the region a measurement reaches."""

from adorym.reconstruct._loop import Progress as Progress
from adorym.reconstruct._loop import Snapshot as Snapshot
from adorym.reconstruct._loop import Task as Task
from adorym.reconstruct._loop import fit as fit
from adorym.reconstruct._loop import iterate as iterate
from adorym.reconstruct._loop import reconstruct as reconstruct
from adorym.reconstruct._loop import snapshot as snapshot
from adorym.reconstruct._region import reached as reached
from adorym.reconstruct._stages import Stage as Stage
from adorym.reconstruct._stages import batch_sizes as batch_sizes
from adorym.reconstruct._stages import with_batches as with_batches
from adorym.reconstruct._stages import with_scales as with_scales
