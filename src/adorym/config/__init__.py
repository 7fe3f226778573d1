"""Jobs: TOML files that say what the Python API says, in the same words.

The schema is the signature of each registered constructor. `load_job` reads a file, `resolve` checks it against the
registries and fills in every default, `entries` hands its tables over as arguments, and `dumps` writes it down again.
Nothing here imports JAX but
`registries`, when it is called.
"""

from adorym.config._document import explain as explain
from adorym.config._document import schema_markdown as schema_markdown
from adorym.config._job import MIGRATIONS as MIGRATIONS
from adorym.config._job import VERSION as VERSION
from adorym.config._job import Job as Job
from adorym.config._job import apply_sets as apply_sets
from adorym.config._job import load_job as load_job
from adorym.config._job import parse_job as parse_job
from adorym.config._registries import Output as Output
from adorym.config._registries import data_section as data_section
from adorym.config._registries import registries as registries
from adorym.config._resolve import Entry as Entry
from adorym.config._resolve import Registries as Registries
from adorym.config._resolve import ResolvedJob as ResolvedJob
from adorym.config._resolve import Section as Section
from adorym.config._resolve import dumps as dumps
from adorym.config._resolve import entries as entries
from adorym.config._resolve import resolve as resolve
from adorym.config._schema import build_arguments as build_arguments
from adorym.config._schema import describe as describe
from adorym.config._types import REQUIRED as REQUIRED
from adorym.config._types import Field as Field
