"""Sentences that workers wrote into results, in English, as a report says them: only this module reads them.

A worker knows no language, and so do statistics. What they say of a cell they say with these sentences, and figures and
names stand in their places; a sentence that is not among them (a runtime's own message) is shown as it was recorded.
"""

import functools
import re
from typing import List, Pattern, Tuple

from harness.host.report import language
from harness.host.report.language import N_, _

TEXTS: Tuple[str, ...] = (
    # The first that fits is taken. Deviations.
    N_("%(done)s of %(asked)s warm-ups in a budget of %(budget)s s"),
    N_("%(done)s of %(asked)s iterations in a budget of %(budget)s s"),
    N_("%(done)s of at least %(asked)s s of iterations in a budget of %(budget)s s"),
    N_("%(done)s of at least %(asked)s s of iterations in %(count)s iterations"),
    # Integrity.
    N_("%(count)s samples where %(planned)s were to be taken, and no budget ended them"),
    N_("samples span %(span)s s where %(asked)s s were asked for"),
    N_("measure the cell again; where it happens again, it is a fault of the harness"),
    N_("the clock stepped backwards %(count)s times, by %(worst)s ms at the worst"),
    N_("see the kernel's log for an unstable clock source; a virtual machine may need another one"),
    N_("the clock runs %(percent)s %% against the machine's raw clock"),
    N_("stop whatever sets the clock (NTP, a hypervisor) while measuring"),
    N_("the engine computes rightly only at times: look for a missing synchronisation, or memory that is reused"),
    N_("no sensor was read for %(seconds)s s: %(reason)s"),
    N_("no sensor was read for %(seconds)s s"),
    N_("leave the sampler a processor (fewer THREADS), or set SAMPLING_S=0 to measure without sensors"),
    # What nobody could see.
    N_("no sensor was looked at"),
    N_("leave SAMPLING_S unset"),
    N_("this machine tells neither what the %(processor)s's clock should be nor whether it is throttled"),
    N_("in a virtual machine only its host can tell"),
    N_("only %(count)s readings in %(seconds)s s of iterations"),
    N_("more ITERATIONS, or MIN_SECONDS"),
    N_("%(channel)s was read in %(count)s of %(sweeps)s sweeps only: %(reason)s"),
    N_("%(channel)s was read in %(count)s of %(sweeps)s sweeps only"),
    N_("measure the cell again"),
    # Clocks.
    N_("free to move: %(clocks)s"),
    N_("nothing tells whether %(clocks)s is held"),
    N_("leave nvpmodel, jetson_clocks and governors alone while a run goes on, then measure the cell again"),
    N_("the %(processor)s's clock fell to %(percent)s %% of the %(cap)s MHz that its mode allows"),
    N_("it is locked and yet slower: look for heat, supply and power limit, and at what is named beside this"),
    N_("lock the clocks first (%(command)s): free ones also fall when there is little to do"),
    N_("the GPU's clock moved between %(low)s and %(high)s MHz"),
    N_("the clock had not settled after %(seconds)s s of untimed inferences"),
    N_("make lock (nvpmodel, then jetson_clocks), after every boot"),
    # Throttling.
    N_("NVML says %(reason)s"),
    N_("the kernel slowed %(device)s down by %(steps)s steps for its temperature"),
    N_("%(zone)s reached %(hottest)s degrees Celsius; its %(kind)s trip point is %(at)s"),
    N_("%(part)s was throttled for heat %(count)s times"),
    N_("cool it better, wait until it has cooled down, or choose a lower power mode (make lock)"),
    N_("cool it better"),
    N_("look for heat and supply"),
    N_("look at the supply"),
    N_("lower the clock"),
    N_("the voltage broke down: another power supply or cable"),
    N_("a lower power mode (make lock), or a supply that lasts"),
    # Energy.
    N_("the module's input, rail %(rail)s"),
    N_("the sum of the module's rails (%(rails)s); this board measures no input"),
    N_("the processor packages by RAPL, without memory, disks and power supply"),
    N_("the GPU's board by NVML, without the machine around it"),
    N_("its iterations span %(span)s s; at least %(least)s s are needed (MIN_SECONDS)"),
    N_("below what the sensor resolves: %(energy)s mJ with a standard uncertainty of %(uncertainty)s mJ"),
    N_("not more than at rest (%(idle)s W), within twice the uncertainty"),
    N_("the machine was not watched at rest"),
    N_("the machine was watched at rest for %(seconds)s s only"),
    N_("at rest %(reason)s"),
    N_("%(channel)s was not read: %(reason)s"),
    N_("%(channel)s had %(count)s new values in that time; at least %(least)s are needed"),
    # What has no channel here, and why.
    N_("power of the module"),
    N_("clock of the GPU"),
    N_("over-current events"),
    N_("duty of the fan"),
    N_("speed of the fan"),
    N_("clock of the CPUs"),
    N_("temperature"),
    N_("energy of the processor"),
    N_("energy of %(part)s"),
    N_("power, clock, temperature and more of a discrete GPU"),
    N_("no hwmon device is an ina3221 with a connected rail"),
    N_("no devfreq device is a GPU's"),
    N_("no hwmon device is called soctherm_oc"),
    N_("no hwmon device is a fan"),
    N_("no cpufreq here (a virtual machine?), and /proc/cpuinfo names no clock"),
    N_("no thermal zone here (a virtual machine?)"),
    N_("no RAPL domain here"),
    N_("may not be read by this user (chmod a+r as root, if you accept that it tells others your load)"),
    N_("the package nvidia-ml-py is not installed"),
    N_("NVML does not answer: %(reason)s"),
    # Others on the machine.
    N_("%(count)s other processes computed on the GPU"),
    N_("nvidia-smi names them; end them and measure again"),
    N_("the GPU was loaded to %(percent)s %% before the engine was there"),
    N_("end what else uses the GPU (a desktop session, a camera pipeline) and measure again"),
    N_("other processes took %(percent)s %% of the processors' time, %(worst)s %% at the worst"),
    N_("the hypervisor gave others %(percent)s %% of the processors' time, %(worst)s %% at the worst"),
    N_("end what else runs, or leave it a processor (fewer THREADS)"),
    N_("a machine that is not shared, or a quieter hour"),
    # How an engine was tuned: parts of its variant.
    N_("%(count)s trial in %(minutes)s min"),
    N_("%(count)s trial in %(seconds)s s"),
    N_("%(count)s trials in %(minutes)s min"),
    N_("%(count)s trials in %(seconds)s s"),
    N_("seed %(seed)s"),
    N_("seeds %(first)s"),
    N_("records %(hash)s"),
    # Where its records came from, and which of them could not be read.
    N_("made here, %(folder)s/%(name)s"),
    N_("shipped with the harness, models/%(folder)s/%(name)s"),
    N_("its last line was torn (%(size)s bytes) and is left out"),
    N_("line %(number)s is damaged (%(reason)s) and is left out"),
    N_("its checksum differs"),
    N_("a second header"),
    # Why a part of the model keeps its default schedule.
    N_("measured fewer than %(least)s times, which shows no spread"),
    N_("not faster than the default schedule"),
    N_("gains %(gain)s us, not more than twice the spread of %(spread)s us"),
    N_("no trial of this task has a time"),
    N_("its best schedules had no time when they were measured again"),
    N_("the default schedule had no time"),
    N_("no job has chosen for it"),
)


def said(text: str) -> str:
    """A recorded sentence in the language that is written now."""
    if language.current() == language.ENGLISH:
        return text
    for msgid, known in _patterns():
        found = known.fullmatch(text)
        if found is not None:
            parts = found.groupdict()
            if "reason" in parts:
                parts["reason"] = said(parts["reason"])
            return _(msgid, **parts)
    return text


@functools.lru_cache(maxsize=None)
def _patterns() -> List[Tuple[str, Pattern[str]]]:
    return [(text, re.compile(pattern(text))) for text in TEXTS]


def pattern(text: str) -> str:
    """What a sentence looks like once its places are filled, as a regular expression."""
    found, known = "", set()
    for place, part in enumerate(re.split(r"%\((\w+)\)s", text.replace("%%", "%"))):
        if place % 2:
            found += f"(?P={part})" if part in known else f"(?P<{part}>.+)"
            known.add(part)
        else:
            found += re.escape(part)
    return found
