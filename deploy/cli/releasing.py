"""Commands that change what is served."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from deploy.canary.ramp import Ramp, Step
from deploy.cli.shell import (
    AsBuilt,
    AsJson,
    Models,
    OlderModels,
    OptionalVersion,
    SlotName,
    Version,
    Workers,
    app,
    locked,
    opened,
    output,
    told,
)
from deploy.errors import CanaryFailed, Inconclusive, UsageError
from deploy.flow import operations, ramping
from deploy.flow.recovery import bring_up, stop_all
from deploy.flow.run import run
from deploy.flow.stack import Stack
from deploy.slot import Slot
from deploy.watch.supervisor import Supervisor, start_supervisor, stop_supervisor

_HIGHEST = 100
_FOLLOW_S = 0.5


@app.command(epilog="Example: python -m deploy up --models models")
def up(
    context: typer.Context,
    version: OptionalVersion = None,
    models: Models = None,
    workers: Workers = None,
    foreground: Annotated[bool, typer.Option("--foreground", help="Stay and supervise")] = False,
) -> None:
    """Start what was in production (or --version), Nginx, and the supervisor."""
    with locked(context) as stack:
        bring_up(stack, version=version, models=models, workers=workers)
        if not foreground:
            _supervised(context, stack)
    output.print(stack.settings.url)
    if foreground:
        with opened(context) as stack:
            Supervisor(stack).run()


@app.command(epilog="Example: python -m deploy deploy --version 1.2.0 --models models")
def deploy(
    context: typer.Context,
    version: Version,
    models: Models = None,
    workers: Workers = None,
    as_built: AsBuilt = False,
    older_models: OlderModels = False,
) -> None:
    """Build or reuse a release and make it production, blue/green."""
    with locked(context) as stack:
        asked = operations.deploy(
            stack, version, models=models, workers=workers, as_built=as_built, older_models=older_models
        )
        run(stack, asked)


@app.command(epilog="Example: python -m deploy canary --version 1.3.0 --steps 10,25,50,100 --interval 5m --auto")
def canary(
    context: typer.Context,
    version: OptionalVersion = None,
    models: Models = None,
    weight: Annotated[int, typer.Option(help="Percent of the clients", min=0, max=100)] = 10,
    steps: Annotated[
        str | None,
        typer.Option(help="Weights of a ramp: 10,25,50,100, or 10:5m,25:1h,50; with --auto or --manual"),
    ] = None,
    interval: Annotated[str, typer.Option(help="Time at each step that names none, e.g. 30s, 5m, 1h")] = "5m",
    auto: Annotated[bool, typer.Option("--auto", help="Judge all the while; promote, pause or end it")] = False,
    manual: Annotated[bool, typer.Option("--manual", help="The same, but each next step waits for `resume`")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Don't wait for the end of the ramp")] = False,
    as_built: AsBuilt = False,
    older_models: OlderModels = False,
) -> None:
    """Give a share of the clients to a release; without --version, change the share of the one that runs.

    A ramp is the supervisor's: it goes on when this command is interrupted. `pause`, `resume` and `abort` work from
    anywhere.
    """
    with locked(context) as stack:
        if steps and not (auto or manual):
            raise UsageError("--steps needs --auto or --manual: without, set each --weight yourself")
        ramp = _ramp(steps or "10,25,50,100", interval, manual=manual) if auto or manual else None
        asked = operations.canary(
            stack, version, models=models, weight=weight, ramp=ramp, as_built=as_built, older_models=older_models
        )
        run(stack, asked)
        if ramp:
            _supervised(context, stack)
    if ramp and not detach:
        with opened(context) as stack:
            _follow(stack)


@app.command(epilog="Example: python -m deploy promote")
def promote(
    context: typer.Context,
    force: Annotated[bool, typer.Option("--force", help="Even if the judge finds it worse")] = False,
) -> None:
    """Make the canary's release, with the models it serves now, production."""
    with locked(context) as stack:
        run(stack, operations.promote(stack, force=force))


@app.command(epilog="Example: python -m deploy rollback 1.1.0")
def rollback(
    context: typer.Context,
    version: Annotated[str | None, typer.Argument(help="Any release that is kept; default: the one before")] = None,
) -> None:
    """Take production back to the release before the live one. A canary is left alone: `abort` ends it."""
    with locked(context) as stack:
        run(stack, operations.rollback(stack, version))


@app.command(epilog="Example: python -m deploy abort")
def abort(context: typer.Context) -> None:
    """End the canary and its ramp. Production is not touched."""
    with locked(context) as stack:
        run(stack, operations.abort(stack))


@app.command(epilog="Example: python -m deploy pause")
def pause(context: typer.Context) -> None:
    """Hold the ramp where it is; a canary that turns out worse is still ended."""
    with locked(context) as stack:
        said = ramping.pause(stack)
    output.print(said)


@app.command(epilog="Example: python -m deploy resume")
def resume(context: typer.Context) -> None:
    """Go on with a ramp that was paused or waits."""
    with locked(context) as stack:
        said = ramping.resume(stack)
    output.print(said)


@app.command(epilog="Example: python -m deploy stop canary")
def stop(
    context: typer.Context,
    slot: SlotName = None,
    force: Annotated[bool, typer.Option("--force", help="Even the slot in production")] = False,
) -> None:
    """Stop one slot, or everything."""
    with locked(context) as stack:
        if slot:
            run(stack, operations.stop(stack, slot, force=force))
        else:
            stop_supervisor(stack.settings.run_dir)
            stop_all(stack)


@app.command(epilog="Example: python -m deploy scale blue 2")
def scale(
    context: typer.Context,
    slot: Annotated[Slot, typer.Argument(help="The slot")],
    workers: Annotated[int, typer.Argument(help="Worker processes", min=1, max=64)],
) -> None:
    """Give production another number of workers, by way of the other slot, so that nothing is dropped."""
    with locked(context) as stack:
        run(stack, operations.scale(stack, slot, workers))


@app.command(epilog="Example: python -m deploy build --version 1.2.0 --image")
def build(
    context: typer.Context,
    version: Version,
    models: Models = None,
    image: Annotated[bool, typer.Option("--image", help="Also as a container image, with its SBOM")] = False,
    out: Annotated[Path, typer.Option(help="Folder for image.json and sbom.json", file_okay=False)] = Path("dist"),
    as_json: AsJson = False,
) -> None:
    """Build a release and start nothing."""
    with locked(context) as stack:
        release = stack.releases.build(version, models)
        made = context.obj.images(stack.settings).build(release, out) if image else None
    if as_json:
        about = {"tag": release.tag, "commit": release.commit, "models_version": release.models_version}
        told(about | {"image": {"tag": made.tag, "bytes": made.bytes, "id": made.id} if made else None})
        return
    output.print(f"{release.tag}  commit {release.commit}  models {release.models_version}")
    if made:
        output.print(f"image {made.tag}  {made.bytes / 1e6:.0f} MB  {made.id}")


def _supervised(context: typer.Context, stack: Stack) -> None:
    if start_supervisor(stack.settings.run_dir, [*context.obj.entry, "supervise"]):
        stack.progress.say("the supervisor was left running")


def _follow(stack: Stack) -> None:
    """Show how the ramp goes on, until it ends or waits for somebody.

    Raises:
        CanaryFailed, Inconclusive: as it ended.
    """
    shown = ""
    stack.progress.say("following the ramp; Ctrl-C ends the following, not the ramp")
    while (ramp := stack.ramp) is not None:
        state = f"{ramp.weight}% {ramp.state}"
        if state != shown:
            shown = state
            stack.progress.say(ramp.words())
        if ramp.state == "paused":
            raise Inconclusive(f"{ramp.words()}: `resume`, `promote --force` or `abort`")
        if ramp.state == "waiting":
            return
        stack.clock.sleep(_FOLLOW_S)
    while (owner := stack.lock("follow").holder()) and owner.command == "supervise":
        stack.clock.sleep(_FOLLOW_S)  # how it ended is noted last
    ends = [entry for entry in stack.journal.entries() if entry.get("command") == "ramp"]
    ended = ends[-1] if ends else {}
    if ended.get("outcome") == "failed":
        raise CanaryFailed(
            f"canary {ended.get('version')} was worse than production at {ended.get('weight')}%: it was stopped"
        )
    promoted = ended.get("outcome") == "promoted"
    stack.progress.say(f"{ended.get('version')} is production" if promoted else "another command ended the ramp")


def _ramp(text: str, interval: str, *, manual: bool) -> Ramp:
    steps = []
    for part in text.split(","):
        weight, _, hold = part.strip().partition(":")
        if not weight.isdecimal():
            raise UsageError(f"--steps {text!r} are not whole percents: write 10,25,50,100, or 10:5m,25:1h,50")
        steps.append(Step(int(weight), _seconds(hold or interval)))
    weights = [step.weight for step in steps]
    if weights != sorted(set(weights)) or weights[0] < 1 or weights[-1] > _HIGHEST:
        raise UsageError(f"--steps {text!r} must grow, from 1 to at most 100: write 10,25,50,100")
    if weights == [_HIGHEST]:
        raise UsageError("--steps 100 alone leaves nothing to be compared with: use `deploy`")
    return Ramp("", tuple(steps), manual=manual)


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|h)?", text)
    if not found:
        raise UsageError(f"{text!r} is not a time: write 30s, 5m or 1h")
    return float(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2] or "s"]
