"""What others read: a run's masks, maps, tables and pictures in the formats of the field.

Every exporter is a generator: it yields `Progress` and writes in between, so that whoever drives it can stop it.
What it writes is complete or not there.
"""
