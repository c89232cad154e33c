"""The process beside the device: a job is a verb, one record in and one record out."""
