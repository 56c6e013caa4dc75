"""A sample of `tools/faults.py`, the same every time: nothing that is damaged ends badly."""

from __future__ import annotations

import pytest

from helpers.fault_cases import cases
from helpers.fault_subjects import SUBJECTS

BAD = ("silent", "traceback", "hang")


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_whatever_happens_to_a_file_it_is_refused_in_a_sentence_or_makes_no_difference(subject, tmp_path):
    outcomes = list(cases(subject, tmp_path / "cases", share=0.05, seed=1))
    assert not [outcome for outcome in outcomes if outcome.result in BAD]
    assert any(outcome.result == "refused" for outcome in outcomes)
