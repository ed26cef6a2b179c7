"""One thread a test process: the models are small, and xdist starts a process for each core.

So do the commands that tests start: threads of several processes that spin for the same core take a hundred times as
long.
"""

import gc
import os
import signal
from collections.abc import Iterator
from functools import cache
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import pytest
import torch
from hypothesis import settings
from jsonschema import Draft202012Validator

from gradcheck_cli.records.schemas import DOCUMENTS, schema_of
from gradcheck_cli.reports import jsonfile

torch.set_num_threads(1)
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what runs in its background deaf to it
# A clock would tell a busy machine from an idle one, not good code from bad.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


def pytest_collection_finish() -> None:
    """What thousands of tests and their modules are made of stays: looking for garbage in it each time is slow."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def every_document_validates() -> Iterator[None]:
    """Whatever a test writes as JSON in this process is what `gradcheck schema` says."""
    write = jsonfile._document

    def validated(values: dict[str, Any]) -> str:
        name = values["schema"].removeprefix("gradcheck-").partition("/")[0]
        if name in DOCUMENTS:
            _validator(name).validate(values)
        return write(values)

    jsonfile._document = validated
    yield
    jsonfile._document = write


@cache
def _validator(document: str) -> Draft202012Validator:
    return Draft202012Validator(schema_of(document))
