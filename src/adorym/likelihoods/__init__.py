"""Noise models."""

from adorym.likelihoods._likelihoods import LIKELIHOODS as LIKELIHOODS
from adorym.likelihoods._likelihoods import AbstractLikelihood as AbstractLikelihood
from adorym.likelihoods._likelihoods import Amplitude as Amplitude
from adorym.likelihoods._likelihoods import Gaussian as Gaussian
from adorym.likelihoods._likelihoods import Poisson as Poisson
