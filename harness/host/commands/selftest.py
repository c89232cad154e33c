"""`selftest`: does all of it work on this board?"""

from typing import Any, List

import click

from harness.host import options
from harness.host.progress import Progress

CHOICE: List[options.Decorator] = [
    options.option("--model", type=options.Words(), help="The real model instead of yolov5n, like yolov5s."),
    options.option("--backends", type=options.Words(), help="These backends instead of all."),
    options.option("--precisions", type=options.Words(), help="These precisions instead of all."),
    options.option("--calibration", help="Folder of images for INT8 instead of made-up ones.", metavar="FOLDER"),
    options.option("--plan", help="Another plan by name or path.", metavar="NAME"),
]


@click.command("selftest")
@options.all_of(CHOICE, options.WHERE, options.TALK, options.FOLDERS)
def command(**given: Any) -> int:
    """Does once, and checks, everything that can be done on a board; prints a table to paste into an issue.

    A tiny and a real engine of every backend in every precision, their outputs, device timers, I/O memory, issue modes
    and CUDA graph, trtexec's times where there is a trtexec, and what the doctor finds. What cannot be done here is
    skipped with the reason. Ends with 1 where anything failed. INT8 is calibrated with made-up images: that it builds
    and runs is proved, its accuracy means nothing.

    \b
    python -m harness selftest
    python -m harness selftest --model yolov5s
    make selftest BOARD=orin-lab JETPACK=6.2
    """
    from harness.host.selftest.story import selftest

    ended = selftest(given, Progress(given["quiet"], given["verbose"]))
    click.echo(ended.markdown)
    if ended.path is not None:
        click.echo(f'\nkept as {ended.path}; paste it from "{ended.markdown.splitlines()[0]}" on', err=True)
    return 1 if ended.failed else 0
