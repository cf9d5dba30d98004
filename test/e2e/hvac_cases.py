"""The cases of hvac_suite.py about the system: tokens, policies, mounts, wrapping, audit, seal."""

from hvac import exceptions

from hvac_suite import case, client, equal, keys, kv, raises

POLICY = 'path "app/data/*" { capabilities = ["read"] }'


# Tokens


@case("token: created with policies, limits and metadata, and looked up")
def token_create(root):
    made = root.auth.token.create(
        policies=["default"], ttl="1h", explicit_max_ttl="2h", num_uses=3, display_name="ci", meta={"job": "7"}
    )["auth"]
    equal((made["lease_duration"], made["renewable"], made["policies"]), (3600, True, ["default"]))
    data = root.auth.token.lookup(made["client_token"])["data"]
    equal((data["display_name"], data["meta"], data["num_uses"]), ("token-ci", {"job": "7"}, 3))
    equal((data["explicit_max_ttl"], data["orphan"], data["path"]), (7200, False, "auth/token/create"))
    assert 0 < data["ttl"] <= 3600 and data["creation_ttl"] == 3600
    by_accessor = root.auth.token.lookup_accessor(made["accessor"])["data"]
    equal((by_accessor["id"], by_accessor["accessor"]), ("", made["accessor"]))
    assert made["accessor"] in keys(root.auth.token.list_accessors())
    user = client(made["client_token"])
    for _ in range(3):
        equal(user.auth.token.lookup_self()["data"]["type"], "service")
    raises(exceptions.Forbidden, user.auth.token.lookup_self)
    assert not user.is_authenticated()


@case("token: renewed by itself, by another and by accessor")
def token_renew(root):
    made = root.auth.token.create(policies=["default"], ttl="60s")["auth"]
    equal(client(made["client_token"]).auth.token.renew_self(increment="2m")["auth"]["lease_duration"], 120)
    equal(root.auth.token.renew(made["client_token"], increment=180)["auth"]["lease_duration"], 180)
    equal(root.auth.token.renew_accessor(made["accessor"], increment="4m")["auth"]["lease_duration"], 240)
    fixed = root.auth.token.create(policies=["default"], ttl="60s", renewable=False)["auth"]
    raises(exceptions.InvalidRequest, root.auth.token.renew, fixed["client_token"], says="not renewable")
    periodic = root.auth.token.create(policies=["default"], period="90s")["auth"]
    equal(client(periodic["client_token"]).auth.token.renew_self(increment="4h")["auth"]["lease_duration"], 90)


@case("token: revoking one revokes its children, unless they are orphans")
def token_revoke(root):
    parent = root.auth.token.create(policies=["root"], ttl="1h")["auth"]
    child = client(parent["client_token"]).auth.token.create(policies=["default"])["auth"]
    orphan = client(parent["client_token"]).auth.token.create_orphan(policies=["default"])["auth"]
    root.auth.token.revoke(parent["client_token"])
    for dead in [parent, child]:
        raises(exceptions.Forbidden, client(dead["client_token"]).auth.token.lookup_self)
        raises(exceptions.Forbidden, root.auth.token.lookup, dead["client_token"], says="bad token")
    equal(client(orphan["client_token"]).auth.token.lookup_self()["data"]["orphan"], True)
    root.auth.token.revoke_accessor(orphan["accessor"])
    raises(exceptions.Forbidden, client(orphan["client_token"]).auth.token.lookup_self)
    own = client(root.auth.token.create(policies=["default"])["auth"]["client_token"])
    own.auth.token.revoke_self()
    raises(exceptions.Forbidden, own.auth.token.lookup_self)


@case("token: a child gets no policy its parent lacks, and roles bound what is created")
def token_roles(root):
    root.sys.create_or_update_policy(
        "maker", 'path "auth/token/create" { capabilities = ["update"] }'
    )
    maker = client(root.auth.token.create(policies=["maker"])["auth"]["client_token"])
    raises(exceptions.InvalidRequest, maker.auth.token.create, policies=["root"], says="must be subset of parent")
    root.auth.token.create_or_update_role("ci", allowed_policies=["maker"], orphan=True)
    equal(keys(root.auth.token.list_roles()), ["ci"])
    equal(root.auth.token.read_role("ci")["data"]["orphan"], True)
    made = root.auth.token.create(role_name="ci", policies=["maker"])["auth"]
    equal((sorted(made["policies"]), made["orphan"]), (["default", "maker"], True))
    root.auth.token.delete_role("ci")
    raises(exceptions.InvalidPath, root.auth.token.read_role, "ci")


# Policies and capabilities


@case("policies: written as text or as an object, read, listed and deleted")
def policies(root):
    root.sys.create_or_update_policy("text", POLICY)
    equal(root.sys.read_policy("text")["data"]["rules"], POLICY)
    assert "text" in root.sys.list_policies()["data"]["policies"]
    root.sys.create_or_update_acl_policy("object", {"path": {"app/data/*": {"capabilities": ["read"]}}})
    assert "app/data/*" in root.sys.read_acl_policy("object")["data"]["policy"]
    assert {"text", "object", "default", "root"} <= set(keys(root.sys.list_acl_policies()))
    equal(root.get_policy("text"), POLICY)
    root.sys.delete_policy("text")
    root.sys.delete_acl_policy("object")
    raises(exceptions.InvalidPath, root.sys.read_policy, "text")
    raises(exceptions.InvalidRequest, root.sys.create_or_update_policy, "bad", "path {")
    raises(exceptions.InvalidRequest, root.sys.delete_policy, "root")


@case("capabilities: told for oneself, another token and an accessor")
def capabilities(root):
    root.sys.create_or_update_policy("looks", POLICY)
    made = root.auth.token.create(policies=["looks"])["auth"]
    expected = {"app/data/a": ["read"], "other": ["deny"]}
    paths = list(expected)
    for answer in [
        client(made["client_token"]).sys.get_capabilities(paths),
        root.sys.get_capabilities(paths, token=made["client_token"]),
        root.sys.get_capabilities(paths, accessor=made["accessor"]),
    ]:
        equal({path: answer["data"][path] for path in paths}, expected)


# Mounts


@case("mounts: enabled, tuned, moved and disabled with what was in them")
def mounts(root):
    raises(exceptions.InvalidRequest, root.sys.enable_secrets_engine, "no-such-engine")
    kv(root, "m-one").create_or_update_secret("a", {"n": 1}, mount_point="m-one")
    raises(exceptions.InvalidRequest, root.sys.enable_secrets_engine, "kv", path="m-one", says="path is already in use")
    listed = root.sys.list_mounted_secrets_engines()["data"]["m-one/"]
    equal((listed["type"], listed["options"]), ("kv", {"version": "2"}))
    root.sys.tune_mount_configuration("m-one", default_lease_ttl="1h", max_lease_ttl="2h", description="one")
    tuned = root.sys.read_mount_configuration("m-one")["data"]
    equal((tuned["default_lease_ttl"], tuned["max_lease_ttl"], tuned["description"]), (3600, 7200, "one"))
    equal(root.sys.retrieve_mount_option("m-one", "version"), "2")
    root.sys.move_backend("m-one", "m-two")
    read = root.secrets.kv.v2.read_secret_version("a", mount_point="m-two", raise_on_deleted_version=True)
    equal(read["data"]["data"], {"n": 1})
    root.sys.disable_secrets_engine("m-two")
    assert "m-two/" not in root.sys.list_mounted_secrets_engines()["data"]


@case("auth methods: enabled, tuned, listed and disabled")
def auth_methods(root):
    root.sys.enable_auth_method("approle", path="a-one", description="machines")
    listed = root.sys.list_auth_methods()["data"]
    equal((listed["a-one/"]["type"], listed["a-one/"]["description"]), ("approle", "machines"))
    equal(listed["token/"]["type"], "token")
    root.sys.tune_auth_method("a-one", default_lease_ttl="30m")
    equal(root.sys.read_auth_method_tuning("a-one")["data"]["default_lease_ttl"], 1800)
    root.sys.disable_auth_method("a-one")
    assert "a-one/" not in root.sys.list_auth_methods()["data"]


# Wrapping, cubbyhole


@case("wrapping: any data, opened once, by its own token or by another")
def wrapping(root):
    wrapped = root.sys.wrap({"pin": "1234"}, ttl=60)["wrap_info"]
    equal((wrapped["ttl"], wrapped["creation_path"]), (60, "sys/wrapping/wrap"))
    equal(root.sys.unwrap(wrapped["token"])["data"], {"pin": "1234"})
    raises(exceptions.InvalidRequest, root.sys.unwrap, wrapped["token"])
    again = root.sys.wrap({"pin": "5678"}, ttl=60)["wrap_info"]
    looked = root.write_data("sys/wrapping/lookup", data={"token": again["token"]})["data"]
    equal((looked["creation_path"], looked["creation_ttl"]), ("sys/wrapping/wrap", 60))
    fresh = root.write_data("sys/wrapping/rewrap", data={"token": again["token"]})["wrap_info"]["token"]
    raises(exceptions.InvalidRequest, root.sys.unwrap, again["token"])
    equal(client(fresh).sys.unwrap()["data"], {"pin": "5678"})


@case("wrapping: a read is wrapped when it asks for it")
def wrapped_read(root):
    kv(root, "wrap-kv").create_or_update_secret("a", {"n": 1}, mount_point="wrap-kv")
    info = root.read("wrap-kv/data/a", wrap_ttl="2m")["wrap_info"]
    equal((info["ttl"], info["creation_path"]), (120, "wrap-kv/data/a"))
    equal(root.sys.unwrap(info["token"])["data"]["data"], {"n": 1})


@case("cubbyhole: each token has its own")
def cubbyhole(root):
    one = client(root.auth.token.create(policies=["default"])["auth"]["client_token"])
    two = client(root.auth.token.create(policies=["default"])["auth"]["client_token"])
    one.write_data("cubbyhole/a", data={"n": "1"})
    equal(one.read("cubbyhole/a")["data"], {"n": "1"})
    equal(two.read("cubbyhole/a"), None)


# Audit, leases, keys, state


@case("audit: devices are enabled, listed, hashed with and disabled")
def audit(root):
    root.sys.enable_audit_device("file", path="second", options={"file_path": "discard"})
    assert root.sys.list_enabled_audit_devices()["data"]["second/"]["type"] == "file"
    first, again = (root.sys.calculate_hash("second", "value")["data"]["hash"] for _ in range(2))
    assert first == again and first.startswith("hmac-sha256:")
    root.sys.disable_audit_device("second")
    assert "second/" not in root.sys.list_enabled_audit_devices()["data"]


@case("leases: revoking the prefix of a login ends its tokens")
def leases(root):
    root.sys.enable_auth_method("approle", path="l-one")
    root.auth.approle.create_or_update_approle("a", token_ttl="10m", mount_point="l-one")
    role_id = root.auth.approle.read_role_id("a", mount_point="l-one")["data"]["role_id"]
    secret_id = root.auth.approle.generate_secret_id("a", mount_point="l-one")["data"]["secret_id"]
    app = client("")
    app.auth.approle.login(role_id, secret_id, mount_point="l-one")
    raises(exceptions.InvalidRequest, root.sys.read_lease, "auth/l-one/login/none", says="invalid lease")
    app.auth.token.lookup_self()
    root.sys.revoke_prefix("auth/l-one/login")
    raises(exceptions.Forbidden, app.auth.token.lookup_self)


@case("state: health, seal status, leader and init of an open server")
def state(root):
    anyone = client("")
    equal(anyone.sys.read_health_status(method="HEAD").status_code, 200)
    health = anyone.sys.read_health_status(method="GET")
    equal((health["initialized"], health["sealed"], health["standby"]), (True, False, False))
    status = anyone.sys.read_seal_status()
    equal((status["sealed"], status["type"], status["t"], status["n"]), (False, "shamir", 1, 1))
    assert anyone.sys.is_initialized() and not anyone.sys.is_sealed()
    equal(anyone.sys.read_leader_status()["ha_enabled"], False)
    equal(anyone.seal_status["sealed"], False)


@case("keys: the encryption key is told and rotated")
def rotate(root):
    before = root.sys.get_encryption_key_status()["data"]["term"]
    root.sys.rotate_encryption_key()
    equal(root.sys.get_encryption_key_status()["data"]["term"], before + 1)


@case("no token and a wrong token are refused")
def refused(root):
    raises(exceptions.Forbidden, client("").sys.list_auth_methods)
    raises(exceptions.Forbidden, client("hvs.wrong").sys.list_auth_methods, says="permission denied")
    assert not client("hvs.wrong").is_authenticated()
    raises(exceptions.InvalidPath, root.secrets.kv.v1.read_secret, "a", mount_point="nothing-here")


# A server from its first moment


@case("cycle: born without a key, initialized once, opened by a quorum, sealed and opened again", "cycle")
def cycle(anyone):
    assert not anyone.sys.is_initialized()
    equal(anyone.sys.read_health_status(method="HEAD").status_code, 501)
    raises(exceptions.InvalidRequest, anyone.sys.initialize, 1, 3)
    made = anyone.sys.initialize(secret_shares=5, secret_threshold=3)
    equal((len(made["keys"]), len(made["keys_base64"])), (5, 5))
    raises(exceptions.InvalidRequest, anyone.sys.initialize, 1, 1, says="already initialized")
    assert anyone.sys.is_initialized() and anyone.sys.is_sealed()
    equal(anyone.sys.read_health_status(method="HEAD").status_code, 503)
    root = client(made["root_token"])
    raises(exceptions.VaultDown, root.sys.list_mounted_secrets_engines, says="sealed")
    raises(exceptions.InvalidRequest, anyone.sys.submit_unseal_key, "no key")
    equal(anyone.sys.submit_unseal_key(made["keys"][0])["progress"], 1)
    equal(anyone.sys.submit_unseal_key(made["keys"][0])["progress"], 1)
    equal(anyone.sys.submit_unseal_key(reset=True)["progress"], 0)
    opened = anyone.sys.submit_unseal_keys(made["keys"][1:4])
    equal((opened["sealed"], opened["t"], opened["n"]), (False, 3, 5))
    kv(root, "kv").create_or_update_secret("a", {"n": 1}, mount_point="kv")
    raises(exceptions.Forbidden, client("hvs.wrong").sys.seal)
    root.sys.seal()
    assert anyone.sys.is_sealed()
    raises(exceptions.VaultDown, root.read, "kv/data/a", says="sealed")
    anyone.sys.submit_unseal_keys(made["keys_base64"][2:])
    equal(root.read("kv/data/a")["data"]["data"], {"n": 1})
