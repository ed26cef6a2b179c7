import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck_cli.records.masking import masked


@pytest.mark.parametrize(
    ("given_", "told"),
    [
        (["train.py", "--api-key", "abc", "--lr", "0.1"], ["train.py", "--api-key", "***", "--lr", "0.1"]),
        (["train.py", "--wandb_token=abc"], ["train.py", "--wandb_token=***"]),
        (["train.py", "logger.api_key=abc", "HF_TOKEN=x"], ["train.py", "logger.api_key=***", "HF_TOKEN=***"]),
        (["train.py", "--password", "--lr", "1"], ["train.py", "--password", "--lr", "1"]),
        (["train.py", "hf_abcdefghijklmnopqrst"], ["train.py", "***"]),
        (["train.py", "--data", "s3://me:hunter2@host/x"], ["train.py", "--data", "s3://***@host/x"]),
        (["train.py", "--key=" + "a1" * 20], ["train.py", "--key=***"]),
        (["bash", "-c", "WANDB_API_KEY=1234 python a.py"], ["bash", "-c", "WANDB_API_KEY=***"]),
    ],
)
def test_keys_are_masked(given_: list[str], told: list[str]) -> None:
    assert masked(given_) == tuple(told)


@pytest.mark.parametrize(
    "argument",
    ["--max-tokens=512", "--tokenizer", "tokenizer=bert", "--author=me", "--lr=1e-3", "hf_hub", "--key-dim=64", "a=b"],
)
def test_what_is_none_is_left(argument: str) -> None:
    assert masked(["train.py", argument, "64"]) == ("train.py", argument, "64")


@given(st.lists(st.text(max_size=30)))
def test_as_many_arguments_as_there_were(arguments: list[str]) -> None:
    once = masked(arguments)
    assert len(once) == len(arguments) and masked(once) == once
