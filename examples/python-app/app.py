"""A job that needs a database, a payment provider and a certificate, with the hvac client.

    VAULT_ADDR=… VAULT_ROLE_ID=… VAULT_SECRET_ID_FILE=… APP_ENV=staging python app.py

It logs in by AppRole, fetches its three secrets and says what it has. It never prints a value.
"""

import hashlib
import os
import ssl
import sys
from pathlib import Path
from urllib.parse import urlsplit

import hvac
import requests

ENVIRONMENT = os.environ.get("APP_ENV", "staging")


def mark(value: str) -> str:
    """Enough to see that two people hold the same value, and not the value."""
    digest = hashlib.sha256(value.encode()).hexdigest()[:12]
    return f"{len(value)} characters, sha256 {digest}"


def log_in() -> hvac.Client:
    client = hvac.Client(url=os.environ["VAULT_ADDR"])
    client.auth.approle.login(
        role_id=os.environ["VAULT_ROLE_ID"],
        secret_id=Path(os.environ["VAULT_SECRET_ID_FILE"]).read_text().strip(),
    )
    return client


def fetch(client: hvac.Client, name: str) -> dict:
    answer = client.secrets.kv.v2.read_secret_version(
        mount_point="apps", path=f"{ENVIRONMENT}/{name}", raise_on_deleted_version=True
    )
    return answer["data"]["data"]


def main() -> None:
    client = log_in()
    try:
        url = fetch(client, "database")["url"]
        api_key = fetch(client, "payments")["api_key"]
        tls = fetch(client, "tls")
    finally:
        client.auth.token.revoke_self()
    certificate = ssl.PEM_cert_to_DER_cert(tls["certificate"])
    fingerprint = hashlib.sha256(certificate).hexdigest().upper()
    pairs = ":".join(fingerprint[i : i + 2] for i in range(0, len(fingerprint), 2))
    print(f"job in {ENVIRONMENT}")
    print(f"database: {urlsplit(url).hostname}:{urlsplit(url).port} ({mark(url)})")
    print(f"payments: {mark(api_key)}")
    print(f"certificate: sha256 {pairs}, and its key of {len(tls['private_key'])} characters")


if __name__ == "__main__":
    try:
        main()
    except KeyError as missing:
        sys.exit(f"job cannot start: {missing} is missing, from the environment or from the secret")
    except hvac.exceptions.VaultError as error:
        # Names the request and what the server said, never a value.
        said = " ".join(str(error).split())
        hint = ""
        if said.endswith("/auth/approle/login"):
            hint = "\nthe secret id is revoked, used up or expired: ask the operator for a new one"
        sys.exit(f"job cannot start ({type(error).__name__}): {said}{hint}")
    except requests.exceptions.ConnectionError:
        sys.exit("job cannot start: no server answers at VAULT_ADDR")
