"""Findings of several batches are told once, with the numbers of the batches."""

from dataclasses import replace

from gradcheck_cli.records.batchwise import apportioned, is_ill
from gradcheck_cli.records.choices import About, Family, Severity
from gradcheck_cli.records.report import Finding, Opinion

DEAD = Finding(
    code="GC403",
    rule="dead-activation",
    family=Family.NO_GRADIENT,
    severity=Severity.ERROR,
    layers=("0", "1"),
    cause="dead-relu",
    message="it is dead",
    evidence={"dead": 0.9},
)
NOTE = replace(DEAD, code="GC414", severity=Severity.NOTE, cause="frozen", message="it is frozen")
SUSPECTED = replace(NOTE, code="GC201", opinion=Opinion(about=About.WHOLE, severity=Severity.ERROR), message="slow")


def messages(*found):
    return [[f and f.message for f in findings] for findings in apportioned(found)]


def test_with_one_batch_nothing_changes():
    assert apportioned([(DEAD, NOTE)]) == [[DEAD, NOTE]]


def test_a_finding_says_in_which_batch():
    assert messages((), (), (DEAD,)) == [[], [], ["in batch 3 of 3: it is dead"]]
    ((), (told,)) = apportioned([(), (DEAD,)])
    assert told.evidence == {"dead": 0.9, "batch": 2, "batches_ill": 1, "batches": 2}


def test_the_same_in_several_batches_is_told_once():
    assert messages((DEAD,), (), (DEAD,), (DEAD,)) == [["in batches 1, 3 and 4 of 4: it is dead"], [], [None], [None]]
    assert messages((DEAD,), (DEAD,)) == [["in all 2 batches: it is dead"], [None]]
    assert messages((DEAD,), (replace(DEAD, layers=("1", "2")),)) == [["in all 2 batches: it is dead"], [None]]


def test_another_layer_cause_or_op_is_another_finding():
    others = (replace(DEAD, layers=("2",)), replace(DEAD, cause="unknown"), replace(DEAD, op="Relu"))
    for other in others:
        assert messages((DEAD,), (other,)) == [["in batch 1 of 2: it is dead"], ["in batch 2 of 2: it is dead"]]


def test_notes_are_those_of_the_first_batch_and_suspicions_are_told_of_any():
    assert messages((NOTE,), (NOTE,)) == [["it is frozen"], [None]]
    assert messages((), (NOTE, SUSPECTED)) == [[], [None, "in batch 2 of 2: slow"]]
    assert [is_ill(f) for f in (DEAD, NOTE, SUSPECTED)] == [True, False, True]
