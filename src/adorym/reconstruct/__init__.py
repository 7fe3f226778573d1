"""From data to an object: stages, the loop, the region a measurement reaches, and how far to trust what it gives."""

from adorym.reconstruct._confidence import Deviation as Deviation
from adorym.reconstruct._confidence import DeviationMap as DeviationMap
from adorym.reconstruct._confidence import PredictedError as PredictedError
from adorym.reconstruct._confidence import Region as Region
from adorym.reconstruct._confidence import deviation as deviation
from adorym.reconstruct._confidence import deviation_map as deviation_map
from adorym.reconstruct._confidence import predicted_error as predicted_error
from adorym.reconstruct._half_sets import half_set_correlation as half_set_correlation
from adorym.reconstruct._half_sets import half_sets as half_sets
from adorym.reconstruct._hessian import Effort as Effort
from adorym.reconstruct._loop import Progress as Progress
from adorym.reconstruct._loop import Snapshot as Snapshot
from adorym.reconstruct._loop import Task as Task
from adorym.reconstruct._loop import fit as fit
from adorym.reconstruct._loop import iterate as iterate
from adorym.reconstruct._loop import reconstruct as reconstruct
from adorym.reconstruct._loop import snapshot as snapshot
from adorym.reconstruct._region import reached as reached
from adorym.reconstruct._residuals import Residuals as Residuals
from adorym.reconstruct._residuals import ViewMisfit as ViewMisfit
from adorym.reconstruct._residuals import residuals as residuals
from adorym.reconstruct._stages import Stage as Stage
from adorym.reconstruct._stages import batch_sizes as batch_sizes
from adorym.reconstruct._stages import with_batches as with_batches
from adorym.reconstruct._stages import with_end as with_end
from adorym.reconstruct._stages import with_scales as with_scales
