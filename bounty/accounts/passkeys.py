"""Passkeys: the challenge that one has to sign, and whether a signature holds. WebAuthn itself is the library's."""

import secrets
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, delete, select, update
from webauthn import generate_authentication_options, verify_authentication_response
from webauthn.helpers import options_to_json_dict, parse_authentication_credential_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import PublicKeyCredentialDescriptor, UserVerificationRequirement

from bounty.db import insert_into
from bounty.json_types import JsonObject
from bounty.models import Passkey, PasskeyChallenge

CHALLENGE_SECONDS: Final = 300
"""How long a challenge waits for its answer."""
UNREADABLE: Final = (WebAuthnException, ValueError, KeyError, TypeError, AttributeError)
"""What the library raises for an answer that is forged or none at all."""


@dataclass(frozen=True, slots=True)
class PasskeyAnswer:
    """What a browser sends when a passkey has signed."""

    credential: str
    """The library's JSON; from outside, so it may be anything."""
    rp_id: str
    """The host of the site, for which alone a passkey signs."""
    origin: str
    """Scheme, host and port of the page that requested it."""


def set_challenge(connection: Connection, user_id: int, challenge: str, now: int) -> None:
    """Keep what an account's passkey has to sign next, in place of an earlier one."""
    values = {"challenge": challenge, "expires_at": now + CHALLENGE_SECONDS}
    added = insert_into(connection.dialect.name, PasskeyChallenge).values(user_id=user_id, **values)
    connection.execute(added.on_conflict_do_update(index_elements=["user_id"], set_=values))


def take_challenge(connection: Connection, user_id: int, now: int) -> str | None:
    """What an account's passkey had to sign; null if nothing, or too long ago. It is gone then, for one answer."""
    gone = delete(PasskeyChallenge).where(PasskeyChallenge.user_id == user_id)
    row = connection.execute(gone.returning(PasskeyChallenge.challenge, PasskeyChallenge.expires_at)).first()
    return None if row is None or row.expires_at <= now else row.challenge


def new_options(connection: Connection, user_id: int, rp_id: str, now: int) -> JsonObject:
    """A new challenge for an account's passkeys, as the browser takes it."""
    challenge = secrets.token_urlsafe(32)
    set_challenge(connection, user_id, challenge, now)
    mine = connection.execute(select(Passkey.credential_id).where(Passkey.user_id == user_id)).scalars()
    options = generate_authentication_options(
        rp_id=rp_id,
        challenge=challenge.encode(),
        allow_credentials=[PublicKeyCredentialDescriptor(id=each) for each in mine],
        user_verification=UserVerificationRequirement.DISCOURAGED,
    )
    return dict(options_to_json_dict(options))


def answer_holds(connection: Connection, user_id: int, answer: PasskeyAnswer, now: int) -> bool:
    """Whether a passkey of this account has signed its challenge, which is used up either way.

    connection  of a writer, which holds its turn until the answer is counted
    """
    challenge = take_challenge(connection, user_id, now)
    if challenge is None:
        return False
    try:
        credential = parse_authentication_credential_json(answer.credential)
        row = connection.execute(
            select(Passkey.id.label("passkey_id"), Passkey.public_key, Passkey.sign_count).where(
                Passkey.user_id == user_id, Passkey.credential_id == credential.raw_id
            )
        ).first()
        if row is None:
            return False
        verified = verify_authentication_response(
            credential=credential,
            expected_challenge=challenge.encode(),
            expected_rp_id=answer.rp_id,
            expected_origin=answer.origin,
            credential_public_key=row.public_key,
            credential_current_sign_count=row.sign_count,
        )
    except UNREADABLE:
        return False
    used = {"sign_count": verified.new_sign_count, "last_used_at": now}
    connection.execute(update(Passkey).where(Passkey.id == row.passkey_id).values(used))
    return True
