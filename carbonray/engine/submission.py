"""Submits an entry point to a Ray cluster and follows it: logs as they come, and the driver's own exit code.

Ray's command answers 1 for any failure; operators script on 2, 3 and 4. Authentication is Ray's: RAY_AUTH_MODE=token
and RAY_AUTH_TOKEN_PATH (or RAY_AUTH_TOKEN) on both sides, never a part of the submission.
"""

import asyncio
import logging
import sys
import time

from ray.exceptions import RayError
from ray.job_submission import JobStatus, JobSubmissionClient

from carbonray.errors import TransportError

_log = logging.getLogger(__name__)

POLL_S = 1.0  # a job whose log has ended is asked so often whether it has


def submit_and_follow(entrypoint: str, address: str, working_dir: str) -> int:
    """Runs `entrypoint` on the cluster at a dashboard address; answers its exit code, 1 where Ray knows none.

    Raises:
        TransportError: the cluster cannot be reached or refuses.
    """
    try:
        client = JobSubmissionClient(address)
        environment = {"working_dir": working_dir, "excludes": ["out/", ".venv/", ".git/"]} if working_dir else {}
        job_id = client.submit_job(entrypoint=entrypoint, runtime_env=environment)
    except (ConnectionError, RuntimeError, RayError) as error:  # a wrong token is a RayError
        raise TransportError(
            f"the job was not accepted ({str(error).splitlines()[0]})",
            where=address,
            expected="a Ray dashboard that answers",
            remedy="Check the address, and RAY_AUTH_MODE and RAY_AUTH_TOKEN_PATH on this side.",
        ) from error
    _log.info("submitted as %s; stop it with: ray job stop --address %s %s", job_id, address, job_id)
    try:
        asyncio.run(_follow(client, job_id))
    except (RuntimeError, OSError) as error:
        _log.warning("the log of job %s broke off (%s); the job goes on, and its end is waited for", job_id, error)
    while not (info := client.get_job_info(job_id)).status.is_terminal():
        time.sleep(POLL_S)
    if info.status == JobStatus.SUCCEEDED:
        return 0
    _log.error("job %s: %s: %s", job_id, info.status.value, info.message)
    return info.driver_exit_code or 1


async def _follow(client: JobSubmissionClient, job_id: str) -> None:
    async for text in client.tail_job_logs(job_id):
        sys.stderr.write(text)
        sys.stderr.flush()
