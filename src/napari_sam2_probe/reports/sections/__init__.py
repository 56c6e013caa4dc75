"""The parts of a report, one module each: ``make(subjects, folder)`` gives a `Part`."""
