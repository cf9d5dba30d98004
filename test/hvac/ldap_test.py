"""Stands in for the package of this name, a directory in Java: the same two calls, over slapd.

The suite's entries are not what a strict schema allows, so they are added without one.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time

SCHEMAS = "/etc/ldap/schema"
SLAPD = next((path for path in ("/usr/sbin/slapd", "/usr/libexec/slapd") if os.path.exists(path)), "slapd")


def lines(entry):
    classes = entry["objectclass"]
    attributes = {"objectClass": classes if isinstance(classes, list) else [classes], **entry["attributes"]}
    yield f"dn: {entry['dn']}"
    for name, values in attributes.items():
        for value in values if isinstance(values, list) else [values]:
            yield f"{name}: {value}"
    yield ""


class LdapServer:
    def __init__(self, config):
        self.config = config
        self.process = None

    def start(self):
        self.folder = tempfile.mkdtemp(prefix="coffer-hvac-ldap-")
        os.mkdir(os.path.join(self.folder, "data"))
        file = os.path.join(self.folder, "slapd.conf")
        schemas = [f"include {SCHEMAS}/{name}.schema" for name in ("core", "cosine", "nis", "inetorgperson")]
        database = [
            "modulepath /usr/lib/ldap",
            "moduleload back_mdb",
            "database mdb",
            "maxsize 16777216",
            f'suffix "{self.config["base"]["dn"]}"',
            f"directory {self.folder}/data",
            f'rootdn "{self.config["bind_dn"]}"',
            f"rootpw {self.config['password']}",
        ]
        with open(file, "w") as out:
            out.write("\n".join([*schemas, *database, ""]))
        entries = [self.config["base"], *self.config["entries"]]
        ldif = "\n".join(line for entry in entries for line in lines(entry))
        subprocess.run([SLAPD, "-T", "add", "-s", "-f", file], input=ldif, text=True, check=True)
        port = self.config["port"]
        command = [SLAPD, "-d", "0", "-f", file, "-h", f"ldap://localhost:{port}/"]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("localhost", port)) == 0:
                    return
            time.sleep(0.05)
        raise RuntimeError("slapd does not answer")

    def stop(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
