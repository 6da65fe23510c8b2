"""`python -m jobs.annual`: the job annual, for `ray job submit`; the flags are those of `carbonray run`."""

from carbonray.cli import run_as_script

if __name__ == "__main__":
    run_as_script("annual")
