"""STS: who one is."""

from emulator import ACCOUNT


def test_the_caller_is_of_the_account(aws):
    caller = aws.sts.get_caller_identity()
    assert caller["Account"] == ACCOUNT
    assert caller["Arn"].startswith(f"arn:aws:iam::{ACCOUNT}:") or caller["Arn"].startswith(f"arn:aws:sts::{ACCOUNT}:")
    assert caller["UserId"]
