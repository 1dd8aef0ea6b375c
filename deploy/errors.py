"""What can go wrong in a deployment. Each error knows the exit code of the command.

DeployError              1  anything else that this module raises on purpose
├── UsageError           2  the command can't be carried out as it was given; nothing was changed
├── GateFailed           3  a candidate did not pass a gate; production is untouched
├── Inconclusive         4  the judge can't decide yet; the canary stays at its weight
├── CanaryFailed         5  the judge found the canary worse; `canary --auto` has stopped it
├── Locked               6  another command is at work
├── RouterError          7  the proxy does not run, or did not take what it was given; the old routing is back
└── VerifyFailed         8  `verify` found a fault in what is served
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "CanaryFailed",
    "DeployError",
    "GateFailed",
    "Inconclusive",
    "Locked",
    "RouterError",
    "UsageError",
    "VerifyFailed",
]


class DeployError(Exception):
    """Base of all errors here. The message names what was found, the rule, and what to do."""

    exit_code: ClassVar[int] = 1


class UsageError(DeployError):
    """The command makes no sense in the state that was found."""

    exit_code = 2


class GateFailed(DeployError):
    """A candidate is not fit to take traffic; `log` holds its last lines."""

    exit_code = 3

    def __init__(self, message: str, log: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.log = log


class Inconclusive(DeployError):
    """Too little was seen to judge the canary: no traffic is not a pass."""

    exit_code = 4


class CanaryFailed(DeployError):
    """The canary is worse than production."""

    exit_code = 5


class Locked(DeployError):
    """Another command holds the lock."""

    exit_code = 6


class RouterError(DeployError):
    """The proxy does not do what it was told."""

    exit_code = 7


class VerifyFailed(DeployError):
    """The live address does not keep the contract."""

    exit_code = 8
