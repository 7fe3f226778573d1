"""The exceptions a user may see: one sentence that says what is wrong, where, and what to do."""

from __future__ import annotations


class AdorymError(Exception):
    r"""Base of all errors that are the user's to mend; the command line prints its sentence and exits with 2.

    Example:
        >>> raise AdorymError("data.energy is missing from scan.h5: add energy = \"5 keV\" to [data].")
        Traceback (most recent call last):
        ...
        adorym._core.errors.AdorymError: data.energy is missing from scan.h5: add energy = "5 keV" to [data].
    """


class DataError(AdorymError):
    """A measurement, file or array that cannot be used: truncated, contradictory, of the wrong shape, not finite.

    Example:
        >>> issubclass(DataError, AdorymError)
        True
    """


class JobError(AdorymError):
    """A job (TOML) or command-line setting that cannot be used; the message carries the key's path.

    Example:
        >>> issubclass(JobError, AdorymError)
        True
    """


class SamplingError(AdorymError):
    """A wave, a distance or an angle that the chosen grid cannot represent.

    Example:
        >>> issubclass(SamplingError, AdorymError)
        True
    """
