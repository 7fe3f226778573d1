"""How near a result is to the truth, to the data, or to its other half. numpy only (ssim: scikit-image, where used)."""

from adorym.metrics._correlation import FourierCorrelation as FourierCorrelation
from adorym.metrics._correlation import Threshold as Threshold
from adorym.metrics._correlation import fourier_correlation as fourier_correlation
from adorym.metrics._correlation import soft_mask as soft_mask
from adorym.metrics._differences import misfit as misfit
from adorym.metrics._differences import nrmse as nrmse
from adorym.metrics._differences import reduced_chi2 as reduced_chi2
from adorym.metrics._differences import ssim as ssim
from adorym.metrics._gauge import Gauge as Gauge
from adorym.metrics._gauge import align_image as align_image
from adorym.metrics._gauge import find_gauge as find_gauge
from adorym.metrics._gauge import gauge_error as gauge_error
