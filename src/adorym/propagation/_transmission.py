"""What a slab does to a wave that crosses it."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float


def transmission(log_amplitude: Float[Array, "*shape"], phase: Float[Array, "*shape"]) -> Complex[Array, "*shape"]:
    """t = exp(log_amplitude + i phase), where for a slab of matter the exponent is k Δz (-β - iδ).

    Example:
        >>> complex(transmission(jnp.array(0.0), jnp.array(jnp.pi))).real
        -1.0
    """
    amplitude = jnp.exp(log_amplitude)
    return jax.lax.complex(amplitude * jnp.cos(phase), amplitude * jnp.sin(phase))
