"""Runs generated programs as processes of their own, and reads what they say."""

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from pathlib import Path

from tests.codegen.conftest import PATIENCE_S


@contextlib.asynccontextmanager
async def running(folder: Path, *arguments: str, **environment: str) -> AsyncIterator[Process]:
    """Run Python with arguments in a folder; stop it if the test has not."""
    settings = os.environ | {"PYTHONWARNINGS": "error::ResourceWarning"} | environment
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=folder,
        env=settings,
        stdin=PIPE,
        stdout=PIPE,
        stderr=STDOUT,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def said(process: Process, phrase: str) -> str:
    """Read what a process says up to the line with a phrase, or to its end."""
    lines = []
    assert process.stdout is not None
    async with asyncio.timeout(6 * PATIENCE_S):
        async for line in process.stdout:
            lines.append(line.decode())
            if phrase in lines[-1]:
                break
    return "".join(lines)


async def rest(process: Process) -> str:
    """Read what a process still says, up to its end."""
    return await said(process, "no such line")
