"""The side of the user: plans, launching, results, statistics, reports. Nothing here runs beside the device."""
