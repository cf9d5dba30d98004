"""What hvac, the Vault client for Python, does with the database engine of a running server.

    VAULT_ADDR=… VAULT_TOKEN=… DATABASES='[{"family": …}]' python hvac_database.py

Prints one line of JSON for each database, {"family", "first", "second", "dynamic", "revoked"}: the
logins it was given, for the caller to try.
"""

import json
import os

import hvac
from hvac import exceptions

root = hvac.Client(url=os.environ["VAULT_ADDR"], token=os.environ["VAULT_TOKEN"])


def login(answer):
    return {name: answer["data"][name] for name in ("username", "password")}


def refused(function, *args, **kwargs):
    try:
        function(*args, **kwargs)
    except exceptions.VaultError as error:
        return str(error)
    raise AssertionError("not refused")


for database in json.loads(os.environ["DATABASES"]):
    mount = database["family"]
    root.sys.enable_secrets_engine("database", path=mount)
    api = root.secrets.database
    api.configure(
        name="db",
        plugin_name=database["plugin"],
        allowed_roles=["reader", "app"],
        mount_point=mount,
        **database["config"],
    )
    shown = api.read_connection("db", mount_point=mount)["data"]
    assert shown["plugin_name"] == database["plugin"], shown
    assert "password" not in shown["connection_details"], shown
    assert api.list_connections(mount_point=mount)["data"]["keys"] == ["db"]
    api.rotate_root_credentials("db", mount_point=mount)
    api.reset_connection("db", mount_point=mount)

    api.create_role(
        name="reader",
        db_name="db",
        creation_statements=database["creation"],
        default_ttl="1h",
        max_ttl="24h",
        mount_point=mount,
    )
    role = api.read_role("reader", mount_point=mount)["data"]
    assert role["creation_statements"] == database["creation"], role
    assert (role["default_ttl"], role["max_ttl"]) == (3600, 86400), role
    assert api.list_roles(mount_point=mount)["data"]["keys"] == ["reader"]
    dynamic = api.generate_credentials("reader", mount_point=mount)
    assert dynamic["lease_duration"] == 3600 and dynamic["renewable"], dynamic
    root.sys.renew_lease(dynamic["lease_id"], increment=1800)
    revoked = api.generate_credentials("reader", mount_point=mount)
    root.sys.revoke_lease(revoked["lease_id"])
    assert "unknown role" in refused(api.generate_credentials, "none", mount_point=mount)

    api.create_static_role(
        name="app",
        db_name="db",
        username="app",
        rotation_statements=database["rotation"],
        rotation_period=86400,
        mount_point=mount,
    )
    static = api.read_static_role("app", mount_point=mount)["data"]
    assert (static["username"], static["rotation_period"]) == ("app", 86400), static
    assert api.list_static_roles(mount_point=mount)["data"]["keys"] == ["app"]
    first = api.get_static_credentials("app", mount_point=mount)
    assert 86000 < first["data"]["ttl"] <= 86400, first
    assert first["lease_id"] == "", first
    api.rotate_static_role_credentials("app", mount_point=mount)
    second = api.get_static_credentials("app", mount_point=mount)
    assert login(first) != login(second)
    told = {
        "family": mount,
        "first": login(first),
        "second": login(second),
        "dynamic": login(dynamic),
        "revoked": login(revoked),
    }
    print(json.dumps(told), flush=True)
    api.delete_static_role("app", mount_point=mount)
    api.delete_role("reader", mount_point=mount)
    root.sys.disable_secrets_engine(mount)
