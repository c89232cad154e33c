"""What a machine tells of itself while it is measured: one file a source, a process that samples, and what follows.

Only reads, and only what needs no rights. Imports the floor alone: numpy and NVML's binding where they are used.
"""
