"""What may stand in an address: ``<period:period>`` is a month, and anything else there is no page."""

from werkzeug.routing import BaseConverter, ValidationError

from bounty.rules.periods import Period


class PeriodConverter(BaseConverter):
    """``2022-12``, or ``sprint:2022-12a``, as a Period."""

    regex = "(?:[a-z][a-z0-9-]{0,31}:)?20[0-9]{2}-[0-9]{2}[ab]?"

    def to_python(self, value: str) -> Period:
        """The period, or no such page."""
        try:
            return Period.parse(value)
        except ValueError:
            raise ValidationError from None

    def to_url(self, value: Period | str) -> str:
        """As it stands in the address."""
        return str(value)
