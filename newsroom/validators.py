"""What a text must be to be stored: messages name the field, the limit and the remedy."""

from django.core.exceptions import ValidationError
from django.utils.deconstruct import deconstructible


def too_long(name: str) -> str:
    """The message of a length validator: its parameters are the limit and the length found, in characters (code
    points).
    """
    return f"The {name} has %(show_value)d characters; its limit is %(limit_value)d. Shorten it."


@deconstructible
class Storable:
    """Refuses what PostgreSQL cannot hold in a text: NUL characters and lone surrogates."""

    def __init__(self, name: str):
        self.name = name

    def __call__(self, value: str) -> None:
        if (at := value.find("\0")) >= 0:
            raise ValidationError(
                f"The {self.name} contains a NUL character (character {at + 1:,}). Remove it.", code="nul"
            )
        try:
            value.encode()
        except UnicodeEncodeError as error:
            message = f"The {self.name} contains half of a surrogate pair (character {error.start + 1:,}). Remove it."
            raise ValidationError(message, code="surrogate") from None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Storable) and self.name == other.name
