"""URL converters: ``<period:period>`` matches a month; any other text gives 404."""

from werkzeug.routing import BaseConverter, ValidationError

from bounty.rules.periods import Period


class PeriodConverter(BaseConverter):
    """Converts ``2022-12`` to a Period."""

    regex = "20[0-9]{2}-[0-9]{2}"

    def to_python(self, value: str) -> Period:
        """Parse a period. Raises ValidationError for an invalid month, which gives 404."""
        try:
            return Period.parse(value)
        except ValueError:
            raise ValidationError from None

    def to_url(self, value: Period | str) -> str:
        """The period's text in a URL."""
        return str(value)
