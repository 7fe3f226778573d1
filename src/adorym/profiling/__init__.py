"""Where the time goes, in the field's words: traces of JAX's own profiler, read and added up; and the loop's clock."""

from adorym._core.words import WORDS as WORDS
from adorym._core.words import scope as scope
from adorym._core.words import span as span
from adorym.profiling._account import Account as Account
from adorym.profiling._profile import OVERHEAD as OVERHEAD
from adorym.profiling._profile import STEPS as STEPS
from adorym.profiling._profile import Piece as Piece
from adorym.profiling._profile import Profile as Profile
from adorym.profiling._profile import Spent as Spent
from adorym.profiling._profile import profile_of as profile_of
from adorym.profiling._trace import Trace as Trace
from adorym.profiling._trace import read_trace as read_trace
from adorym.profiling._window import LONGEST as LONGEST
from adorym.profiling._window import Window as Window
