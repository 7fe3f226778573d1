"""The command line: a job and a data file in, a RUN folder out."""

from adorym.cli._main import main as main
