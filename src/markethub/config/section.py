"""What all tables of the settings share."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """One table of the configuration.

    What stands under a wrong name may be a secret: no error quotes it. The text below a setting is its
    meaning in docs/reference/settings.md.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True
    )
