"""What a promotion answers."""

from typing import Annotated, Literal

from pydantic import Field

from markethub.wire.model import AnswerModel


class Promotion(AnswerModel):
    """The reign that has begun."""

    success: Literal[True] = True
    role: Annotated[Literal["master"], Field(description="what the node is from now on")] = "master"
    epoch: Annotated[int, Field(description="the reign's number; every promotion counts it up", examples=[2])]
