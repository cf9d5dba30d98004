"""A web application that lets people log in through OpenID Connect, made of Authlib and Flask as its
users make it, and the browser of one person.

    ISSUER=… CLIENT_ID=… [CLIENT_SECRET=…] METHOD=client_secret_basic|client_secret_post|none \\
    CALLBACK=… VAULT_TOKEN=… python oidc_relying_party.py

Authlib reads the discovery document and the JWKS, uses PKCE, and checks signature, issuer, audience,
nonce and times of the ID token. The page on which a person consents is played here: it asks the API
with the person's token and sends them back with what it answers. Prints one line of JSON.
"""

import json
import os
from urllib.parse import urlencode, urlsplit

import requests
from authlib.integrations.flask_client import OAuth
from flask import Flask

CALLBACK = os.environ["CALLBACK"]

app = Flask(__name__)
app.secret_key = "the session of one test"
oauth = OAuth(app)
provider = oauth.register(
    "coffer",
    client_id=os.environ["CLIENT_ID"],
    client_secret=os.environ.get("CLIENT_SECRET"),
    server_metadata_url=os.environ["ISSUER"] + "/.well-known/openid-configuration",
    client_kwargs={
        "scope": "openid team",
        "code_challenge_method": "S256",
        "token_endpoint_auth_method": os.environ["METHOD"],
    },
)


@app.route("/login")
def login():
    return provider.authorize_redirect(CALLBACK, max_age=3600)


@app.route(urlsplit(CALLBACK).path)
def callback():
    token = provider.authorize_access_token()
    return {
        "claims": token["userinfo"],
        "userinfo": provider.userinfo(token=token),
        "kind": token["token_type"],
    }


def main():
    browser = app.test_client()
    home = "{0.scheme}://{0.netloc}".format(urlsplit(CALLBACK))
    location = browser.get("/login", base_url=home).headers["Location"]
    asked = location.replace("/ui/vault/", "/v1/", 1)
    person = {"X-Vault-Token": os.environ["VAULT_TOKEN"]}
    answer = requests.get(asked, headers=person, timeout=20)
    answer.raise_for_status()
    back = f"{urlsplit(CALLBACK).path}?{urlencode(answer.json())}"
    result = browser.get(back, base_url=home)
    print(json.dumps({"status": result.status_code, **(result.get_json(silent=True) or {})}))


main()
