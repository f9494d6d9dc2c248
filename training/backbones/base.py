"""What every backbone has in common: what the reading of weight files asks of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor, nn


class Backbone(nn.Module):
    """A network of others that was trained to tell pictures apart, less its classifier.

    Its parameters have the names that they have in the files of its weights.
    """

    stem: ClassVar[str]
    """Name of the first convolution's weight."""
    classifier: ClassVar[tuple[str, ...]]
    """How names begin of what a file may hold and a backbone need not have."""
    advice: ClassVar[str] = ""
    """What a wrong shape may come from."""

    def whole(self) -> Mapping[str, Tensor]:
        """The parameters by name, and those that a file must have although they are not used."""
        return self.state_dict()
