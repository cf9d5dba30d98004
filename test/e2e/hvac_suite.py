"""What programs do with hvac, the Vault client for Python from PyPI, against a running server.

    VAULT_ADDR=… VAULT_TOKEN=… python hvac_suite.py open     # a server that is open
    VAULT_ADDR=… python hvac_suite.py cycle                  # one that was never initialized

Each case prints one line of JSON, {"name", "ok", "error"}; the last line is {"ran": n}. hvac_cases.py
has the cases of the system: policies, mounts, wrapping, seal. Exact values come from the protocol.
"""

import json
import os
import sys
import traceback

import hvac
from hvac import exceptions

ADDRESS = os.environ["VAULT_ADDR"]
CASES = {"open": [], "cycle": []}


def case(name, mode="open"):
    def keep(function):
        CASES[mode].append((name, function))
        return function

    return keep


def client(token=None):
    return hvac.Client(url=ADDRESS, token=token if token is not None else os.environ.get("VAULT_TOKEN"))


def equal(got, expected):
    assert got == expected, f"got {got!r}, expected {expected!r}"


def raises(kind, function, *args, says="", **kwargs):
    """The call fails with exactly this kind of error; gives the error."""
    try:
        function(*args, **kwargs)
    except exceptions.VaultError as error:
        assert type(error) is kind, f"{type(error).__name__} instead of {kind.__name__}: {error}"
        assert says in str(error), f"{error} does not say {says!r}"
        return error
    raise AssertionError(f"no {kind.__name__}")


def keys(answer):
    return answer["data"]["keys"]


def kv(root, path):
    """A new KV v2 mount; gives the calls on it."""
    root.sys.enable_secrets_engine("kv", path=path, options={"version": "2"})
    return root.secrets.kv.v2


# AppRole


def role(root, name, **settings):
    """A role on its own mount, with a new policy that reads app/*; gives mount and role id."""
    mount = f"approle-{name}"
    root.sys.enable_auth_method("approle", path=mount)
    root.auth.approle.create_or_update_approle(name, mount_point=mount, **settings)
    return mount, root.auth.approle.read_role_id(name, mount_point=mount)["data"]["role_id"]


@case("approle: a login gives a token that can do what the policy says, and no more")
def approle_login(root):
    kv(root, "shop").create_or_update_secret("app/db", {"password": "swordfish"}, mount_point="shop")
    root.sys.create_or_update_policy("shop", 'path "shop/data/app/*" { capabilities = ["read"] }')
    mount, role_id = role(root, "shop", token_policies=["shop"], token_ttl="10m", token_max_ttl="1h")
    made = root.auth.approle.generate_secret_id("shop", metadata={"host": "a1"}, mount_point=mount)
    app = client("")
    answer = app.auth.approle.login(role_id, made["data"]["secret_id"], mount_point=mount)
    auth = answer["auth"]
    equal(sorted(auth["policies"]), ["default", "shop"])
    equal((auth["lease_duration"], auth["renewable"], auth["token_type"]), (600, True, "service"))
    equal(auth["metadata"], {"role_name": "shop", "host": "a1"})
    equal(app.token, auth["client_token"])
    assert app.is_authenticated()
    read = app.secrets.kv.v2.read_secret_version("app/db", mount_point="shop", raise_on_deleted_version=True)
    equal(read["data"]["data"], {"password": "swordfish"})
    raises(exceptions.Forbidden, app.secrets.kv.v2.list_secrets, "app", mount_point="shop", says="permission denied")
    write = app.secrets.kv.v2.create_or_update_secret
    raises(exceptions.Forbidden, write, "app/db", {"password": "x"}, mount_point="shop", says="permission denied")
    raises(exceptions.Forbidden, app.sys.list_mounted_secrets_engines, says="permission denied")


@case("approle: a wrong, a used up and a destroyed secret id are refused alike")
def approle_refuses(root):
    mount, role_id = role(root, "worker", secret_id_num_uses=1)
    login = client("").auth.approle.login
    wrong = {"mount_point": mount, "says": "invalid role or secret ID"}
    raises(exceptions.InvalidRequest, login, role_id, "no-such-id", **wrong)
    raises(exceptions.InvalidRequest, login, "no-such-role", "no-such-id", **wrong)
    once = root.auth.approle.generate_secret_id("worker", mount_point=mount)["data"]
    equal(once["secret_id_num_uses"], 1)
    login(role_id, once["secret_id"], mount_point=mount)
    raises(exceptions.InvalidRequest, login, role_id, once["secret_id"], **wrong)
    gone = root.auth.approle.generate_secret_id("worker", mount_point=mount)["data"]["secret_id"]
    root.auth.approle.destroy_secret_id("worker", gone, mount_point=mount)
    raises(exceptions.InvalidRequest, login, role_id, gone, **wrong)


@case("approle: roles and secret ids are listed, read, changed and deleted")
def approle_manages(root):
    mount, role_id = role(root, "batch", token_policies=["default"], bind_secret_id=True)
    approle = root.auth.approle
    equal(keys(approle.list_roles(mount_point=mount)), ["batch"])
    approle.create_or_update_approle("batch", token_ttl="5m", mount_point=mount)
    read = approle.read_role("batch", mount_point=mount)["data"]
    equal((read["token_ttl"], read["token_policies"], read["bind_secret_id"]), (300, ["default"], True))
    approle.update_role_id("batch", "batch-role", mount_point=mount)
    equal(approle.read_role_id("batch", mount_point=mount)["data"]["role_id"], "batch-role")
    approle.create_custom_secret_id("batch", "my-own-secret-id", mount_point=mount)
    assert client("").auth.approle.login("batch-role", "my-own-secret-id", mount_point=mount)["auth"]
    raises(exceptions.InvalidRequest, client("").auth.approle.login, role_id, "my-own-secret-id", mount_point=mount)
    looked = approle.read_secret_id("batch", "my-own-secret-id", mount_point=mount)["data"]
    accessor = looked["secret_id_accessor"]
    equal(keys(approle.list_secret_id_accessors("batch", mount_point=mount)), [accessor])
    found = approle.read_secret_id_accessor("batch", accessor, mount_point=mount)["data"]
    equal(found["creation_time"], looked["creation_time"])
    approle.destroy_secret_id_accessor("batch", accessor, mount_point=mount)
    raises(exceptions.InvalidPath, approle.list_secret_id_accessors, "batch", mount_point=mount)
    approle.delete_role("batch", mount_point=mount)
    raises(exceptions.InvalidPath, approle.read_role, "batch", mount_point=mount)


@case("approle: a wrapped secret id is opened once")
def approle_wrapped(root):
    mount, role_id = role(root, "wrapped")
    wrapped = root.auth.approle.generate_secret_id("wrapped", wrap_ttl="60s", mount_point=mount)
    token = wrapped["wrap_info"]["token"]
    equal(wrapped["wrap_info"]["creation_path"], f"auth/{mount}/role/wrapped/secret-id")
    secret_id = client(token).sys.unwrap()["data"]["secret_id"]
    assert client("").auth.approle.login(role_id, secret_id, mount_point=mount)["auth"]["client_token"]
    raises(exceptions.InvalidRequest, client(token).sys.unwrap, says="wrapping token is not valid or does not exist")


# KV version 2


@case("kv v2: versions are written, read, and read by number")
def kv_versions(root):
    v2 = kv(root, "kv-versions")
    at = {"mount_point": "kv-versions"}
    first = v2.create_or_update_secret("a/b", {"n": 1, "deep": {"list": [1, None, "ü"]}}, **at)
    equal((first["data"]["version"], first["data"]["deletion_time"], first["data"]["destroyed"]), (1, "", False))
    equal(v2.create_or_update_secret("a/b", {"n": 2}, **at)["data"]["version"], 2)
    latest = v2.read_secret_version("a/b", raise_on_deleted_version=True, **at)["data"]
    equal((latest["data"], latest["metadata"]["version"]), ({"n": 2}, 2))
    old = v2.read_secret_version("a/b", version=1, raise_on_deleted_version=True, **at)["data"]
    equal(old["data"], {"n": 1, "deep": {"list": [1, None, "ü"]}})
    raises(exceptions.InvalidPath, v2.read_secret_version, "a/b", version=9, raise_on_deleted_version=True, **at)
    raises(exceptions.InvalidPath, v2.read_secret_version, "a", raise_on_deleted_version=True, **at)


@case("kv v2: check-and-set lets the expected version through, and no other")
def kv_cas(root):
    v2 = kv(root, "kv-cas")
    at = {"mount_point": "kv-cas"}
    write = v2.create_or_update_secret
    v2.configure(cas_required=True, max_versions=3, **at)
    config = v2.read_configuration(**at)["data"]
    equal((config["cas_required"], config["max_versions"]), (True, 3))
    raises(exceptions.InvalidRequest, write, "a", {"n": 1}, says="check-and-set parameter required", **at)
    equal(write("a", {"n": 1}, cas=0, **at)["data"]["version"], 1)
    raises(exceptions.InvalidRequest, write, "a", {"n": 2}, cas=0, says="check-and-set parameter did not match", **at)
    for n in range(1, 5):
        write("a", {"n": n + 1}, cas=n, **at)
    meta = v2.read_secret_metadata("a", **at)["data"]
    equal((meta["current_version"], meta["oldest_version"]), (5, 3))
    equal(sorted(meta["versions"]), ["3", "4", "5"])


@case("kv v2: a patch changes the fields it names")
def kv_patch(root):
    v2 = kv(root, "kv-patch")
    at = {"mount_point": "kv-patch"}
    raises(exceptions.InvalidPath, v2.patch, "none", {"a": "1"}, **at)
    v2.create_or_update_secret("a", {"user": "app", "password": "old"}, **at)
    equal(v2.patch("a", {"password": "new"}, **at)["data"]["version"], 2)
    read = v2.read_secret_version("a", raise_on_deleted_version=True, **at)["data"]["data"]
    equal(read, {"user": "app", "password": "new"})


@case("kv v2: deleted comes back, destroyed does not")
def kv_delete(root):
    v2 = kv(root, "kv-delete")
    at = {"mount_point": "kv-delete"}
    for n in range(3):
        v2.create_or_update_secret("a", {"n": n}, **at)
    v2.delete_latest_version_of_secret("a", **at)
    error = raises(exceptions.InvalidPath, v2.read_secret_version, "a", raise_on_deleted_version=True, **at)
    equal((error.json["data"]["data"], error.json["data"]["metadata"]["version"]), (None, 3))
    soft = v2.read_secret_version("a", raise_on_deleted_version=False, **at)["data"]
    assert soft["data"] is None and soft["metadata"]["deletion_time"]
    v2.undelete_secret_versions("a", [3], **at)
    equal(v2.read_secret_version("a", raise_on_deleted_version=True, **at)["data"]["data"], {"n": 2})
    v2.delete_secret_versions("a", [1, 2], **at)
    v2.destroy_secret_versions("a", [2], **at)
    v2.undelete_secret_versions("a", [1, 2], **at)
    equal(v2.read_secret_version("a", version=1, raise_on_deleted_version=True, **at)["data"]["data"], {"n": 0})
    raises(exceptions.InvalidPath, v2.read_secret_version, "a", version=2, raise_on_deleted_version=True, **at)
    equal(v2.read_secret_metadata("a", **at)["data"]["versions"]["2"]["destroyed"], True)
    v2.delete_metadata_and_all_versions("a", **at)
    raises(exceptions.InvalidPath, v2.read_secret_metadata, "a", **at)


@case("kv v2: names are listed, and metadata is kept")
def kv_metadata(root):
    v2 = kv(root, "kv-metadata")
    at = {"mount_point": "kv-metadata"}
    for path in ["b", "a/x", "a/y/z"]:
        v2.create_or_update_secret(path, {"n": 1}, **at)
    equal(keys(v2.list_secrets("", **at)), ["a/", "b"])
    equal(keys(v2.list_secrets("a", **at)), ["x", "y/"])
    raises(exceptions.InvalidPath, v2.list_secrets, "none", **at)
    v2.update_metadata("b", max_versions=2, cas_required=True, custom_metadata={"owner": "team-a"}, **at)
    meta = v2.read_secret_metadata("b", **at)["data"]
    equal((meta["max_versions"], meta["cas_required"], meta["custom_metadata"]), (2, True, {"owner": "team-a"}))
    read = v2.read_secret_version("b", raise_on_deleted_version=True, **at)["data"]["metadata"]
    equal(read["custom_metadata"], {"owner": "team-a"})


@case("kv v1: written, read, listed and deleted")
def kv_v1(root):
    root.sys.enable_secrets_engine("kv", path="kv-one", options={"version": "1"})
    v1 = root.secrets.kv.v1
    v1.create_or_update_secret("a/b", {"n": "1"}, mount_point="kv-one")
    equal(v1.read_secret("a/b", mount_point="kv-one")["data"], {"n": "1"})
    equal(keys(v1.list_secrets("a", mount_point="kv-one")), ["b"])
    v1.delete_secret("a/b", mount_point="kv-one")
    raises(exceptions.InvalidPath, v1.read_secret, "a/b", mount_point="kv-one")


@case("the plain calls read, write, list and delete any path")
def plain_calls(root):
    kv(root, "plain")
    root.write_data("plain/data/a", data={"data": {"n": "1"}})
    equal(root.read("plain/data/a")["data"]["data"], {"n": "1"})
    equal(root.list("plain/metadata")["data"]["keys"], ["a"])
    root.delete("plain/metadata/a")
    equal(root.read("plain/data/a"), None)
    equal(root.list("plain/metadata"), None)


def main():
    # The cases beside these register themselves.
    import hvac_cases  # noqa: F401

    mode = sys.argv[1]
    for name, function in CASES[mode]:
        result = {"name": name, "ok": True}
        try:
            function(client())
        except Exception as error:  # every failure is a result
            at = traceback.extract_tb(error.__traceback__)[1:2]
            where = f" (line {at[0].lineno}: {at[0].line})" if at else ""
            result.update(ok=False, error=f"{type(error).__name__}: {error}{where}")
        print(json.dumps(result), flush=True)
    print(json.dumps({"ran": len(CASES[mode])}), flush=True)


if __name__ == "__main__":
    # So that hvac_cases adds to these cases and not to those of a second copy of this module.
    sys.modules["hvac_suite"] = sys.modules["__main__"]
    main()
