"""`python -m jobs.energy`: the job energy, for `ray job submit`; the flags are those of `carbonray run`."""

from carbonray.cli import run_as_script

if __name__ == "__main__":
    run_as_script("energy")
