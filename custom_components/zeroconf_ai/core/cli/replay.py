"""`zeroconf-ai replay`: answer from a recording of `zeroconf-ai serve --record`."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import click

from ..server.replay import RecordingError, Replay, read_recording
from .errors import CommandError
from .output import json_option, print_json_line

_MAX_SHOWN = 8


@click.command("replay")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--host", metavar="ADDRESS", default="127.0.0.1", show_default=True, help="Listen on this address.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the first upstream; each further one gets the next port.")
@click.option(
    "--speed",
    type=click.FloatRange(0.0, 1000.0),
    default=1.0,
    show_default=True,
    help="How many times faster than recorded; 0: without pauses.",
)
@json_option
def command(folder: Path, host: str, port: int | None, speed: float, as_json: bool) -> None:
    """Answer from the recording in FOLDER until Ctrl-C: the same bytes in the same pieces, one server for each recorded one."""
    try:
        recorded = read_recording(folder)
    except RecordingError as err:
        raise CommandError(str(err), kind="file_error") from None
    try:
        asyncio.run(_serve([Replay(recorded[number], speed=speed) for number in sorted(recorded)], host, port, as_json=as_json))
    except KeyboardInterrupt:
        click.echo(err=True)
    except OSError as err:
        message = f"The recording cannot be served on {host}: {err.strerror}."
        raise CommandError(message, "Set another --port.", kind="port_in_use") from None


async def _serve(replays: list[Replay], host: str, port: int | None, *, as_json: bool) -> None:
    async with AsyncExitStack() as stack:
        for index, replay in enumerate(replays):
            stack.push_async_callback(replay.close)
            url = await replay.start(host, port + index if port else 0)
            if as_json:
                print_json_line({"url": url, "paths": list(replay.paths)})
                continue
            more = ", …" if len(replay.paths) > _MAX_SHOWN else ""
            click.echo(f"{url}  ({', '.join(replay.paths[:_MAX_SHOWN])}{more})")
        await asyncio.Event().wait()
