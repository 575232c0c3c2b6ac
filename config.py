"""Settings, from the environment (``BOUNTY_...``). Read by entry points only."""

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from bounty.clock import read_instant
from bounty.errors import BountyError

ROOT = Path(__file__).resolve().parent


class Settings(BaseSettings):
    """What may differ from one installation to another."""

    model_config = SettingsConfigDict(env_prefix="BOUNTY_", frozen=True, extra="ignore")

    env: Literal["development", "production"] = "development"
    database_url: str = f"sqlite:///{ROOT / 'instance' / 'bounty.sqlite'}"
    """``sqlite:///PATH`` or ``postgresql+psycopg://USER:PASSWORD@HOST/NAME``."""
    now: int | None = None
    """Epoch seconds, from an instant as text: turns the clock, for trials."""
    require_approval: bool | None = Field(default=None)
    """Whether a draft needs a second account's approval before it is published; by default in production."""

    @field_validator("now", mode="before")
    @classmethod
    def _instant(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            return read_instant(value) if value.strip() else None
        except ValueError:
            raise ValueError(f"write an instant such as 2022-12-15T12:00:00+08:00, not {value!r}") from None

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        if value.startswith("postgresql://"):
            value = value.replace("postgresql://", "postgresql+psycopg://", 1)
        if not value.startswith(("sqlite:///", "postgresql+psycopg://")):
            raise ValueError("use sqlite:///PATH or postgresql+psycopg://USER:PASSWORD@HOST/NAME")
        return value

    @model_validator(mode="after")
    def _safe_in_production(self) -> Self:
        if self.env == "production" and self.now is not None:
            raise ValueError("BOUNTY_NOW turns the clock and is for trials: unset it in production")
        return self

    @property
    def approval_required(self) -> bool:
        """Whether publishing takes a second account."""
        return self.env == "production" if self.require_approval is None else self.require_approval


def read_settings() -> Settings:
    """The settings of this process.

    Raises BountyError, naming each variable that is wrong and what would be right.
    """
    try:
        return Settings()
    except ValidationError as errors:
        raise BountyError("; ".join(_sentence(error) for error in errors.errors())) from None


def _sentence(error: Any) -> str:
    name = "_".join(map(str, error["loc"])).upper() or "ENV"
    return f"BOUNTY_{name}: {error.get('ctx', {}).get('error', error['msg'])}"
