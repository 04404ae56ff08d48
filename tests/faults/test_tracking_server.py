"""A real MLflow server behind TLS with names and passwords: what its variables say holds, and nothing is lost."""

import datetime
import ipaddress
import os
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from hpsearch.base.errors import StorageError
from hpsearch.tracking import store
from hpsearch.tracking.mlflow import sync
from hpsearch.tracking.record import Record
from hpsearch.tracking.ui import free_port
from tests.support import fake_study as fake

pytestmark = [pytest.mark.fault, pytest.mark.long]
NAME, PASSWORD = "admin", "a long pass-word: 1!"
AUTH = """
[mlflow]
default_permission = READ
database_uri = sqlite:///{folder}/auth.db
admin_username = {name}
admin_password = {password}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
"""
VARIABLES = ("USERNAME", "PASSWORD", "TOKEN", "INSECURE_TLS", "SERVER_CERT_PATH", "CLIENT_CERT_PATH")


def write_certificate(folder: Path) -> tuple[Path, Path]:
    """Make a key and a certificate for 127.0.0.1 that nobody has signed but itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tracking")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509
        .CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "key.pem", folder / "cert.pem"
    plain = serialization.NoEncryption()
    files[0].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, plain)
    )
    files[1].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return files


@contextmanager
def served(folder: Path, *options: str, scheme: str = "http", **variables: str):
    """Run `mlflow server`, artifacts by way of it; yield its address."""
    port = free_port(5600)
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "far")]
    ours = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    environment = os.environ | ours | variables
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, *options], cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            deadline = time.monotonic() + 120
            while b"startup complete" not in (folder / "server.log").read_bytes():
                assert process.poll() is None and time.monotonic() < deadline, (folder / "server.log").read_text()
                time.sleep(0.1)
            yield f"{scheme}://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, 15)
            process.wait()


@pytest.fixture(scope="module")
def secured(tmp_path_factory):
    """A server that asks for a password, behind TLS with a certificate that nobody knows."""
    pytest.importorskip("flask_wtf", reason="needs mlflow[auth]")
    folder = tmp_path_factory.mktemp("server")
    key, certificate = write_certificate(folder)
    auth = folder / "auth.ini"
    auth.write_text(AUTH.format(folder=folder, name=NAME, password=PASSWORD))
    options = ["--app-name", "basic-auth", "--uvicorn-opts", f"--ssl-keyfile {key} --ssl-certfile {certificate}"]
    variables = {"MLFLOW_AUTH_CONFIG_PATH": str(auth), "MLFLOW_FLASK_SERVER_SECRET_KEY": "of this test"}
    with served(folder, *options, scheme="https", **variables) as address:
        yield address, certificate, folder


@pytest.fixture
def study(tmp_path, monkeypatch):
    for variable in VARIABLES:
        monkeypatch.delenv(f"MLFLOW_TRACKING_{variable}", raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    folder = tmp_path / "studies" / tmp_path.name
    with closing(Record(folder)) as record:
        fake.open_study(record)
        fake.train(record, fake.spec(folder, 0))
    return folder


def variables(monkeypatch, **given):
    for name, value in given.items():
        monkeypatch.setenv(f"MLFLOW_TRACKING_{name}", str(value))


def runs(address, folder):
    """Return the runs of a study on a server, and how many files it keeps of them."""
    client = store.connect(address, folder)
    found = store.search(client, client.get_experiment_by_name(folder.name).experiment_id)
    return found, sum(len(client.list_artifacts(run.info.run_id)) for run in found)


REFUSED = {
    "no password": ({}, "asks for a name and password: set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"),
    "another password": (
        {"USERNAME": NAME, "PASSWORD": "secret-that-is-wrong"},
        "refuses the name or password of MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_without_the_right_password_a_line_says_so_and_nothing_is_lost(name, secured, study, monkeypatch):
    address, certificate, _ = secured
    given, line = REFUSED[name]
    variables(monkeypatch, SERVER_CERT_PATH=certificate, **given)
    with pytest.raises(StorageError) as refused:
        sync(study, address)
    said = str(refused.value)
    assert line in said and "\n" not in said and "secret" not in said and len(said) < 400
    variables(monkeypatch, USERNAME=NAME, PASSWORD=PASSWORD)
    assert sync(study, address) > 0
    found, files = runs(address, study)
    assert len(found) == 2 and files > 0


def test_a_certificate_that_nobody_knows_is_named_and_nothing_is_lost(secured, study, monkeypatch):
    address, certificate, _ = secured
    variables(monkeypatch, USERNAME=NAME, PASSWORD=PASSWORD)
    with pytest.raises(StorageError, match=r"not trusted \(self.signed certificate\): MLFLOW_TRACKING_SERVER_CERT_P"):
        sync(study, address)
    variables(monkeypatch, INSECURE_TLS="true")
    assert sync(study, address) > 0
    monkeypatch.delenv("MLFLOW_TRACKING_INSECURE_TLS")
    variables(monkeypatch, SERVER_CERT_PATH=certificate)
    assert sync(study, address) == 0
    assert len(runs(address, study)[0]) == 2


def test_artifacts_go_by_way_of_the_server(study, tmp_path, monkeypatch):
    with served(tmp_path) as address:
        assert sync(study, address) > 0
        found, files = runs(address, study)
        assert {run.info.artifact_uri.partition(":")[0] for run in found} == {"mlflow-artifacts"}
        kept = [path for path in (tmp_path / "far").rglob("*") if path.is_file()]
        assert files > 0 and len(kept) >= files
    assert not (tmp_path / "mlartifacts").exists() and not (study.parents[1] / "mlruns").exists()


def test_artifacts_go_straight_to_a_folder_of_the_server_s_where_it_says_so(study, tmp_path):
    with served(tmp_path, "--no-serve-artifacts", "--default-artifact-root", str(tmp_path / "shared")) as address:
        assert sync(study, address) > 0
        found, files = runs(address, study)
        assert files > 0 and all(str(tmp_path / "shared") in run.info.artifact_uri for run in found)
        assert len([path for path in (tmp_path / "shared").rglob("*") if path.is_file()]) >= files


def test_a_server_that_asks_who_the_client_is_is_shown_its_certificate(study, tmp_path, monkeypatch):
    key, certificate = write_certificate(tmp_path)
    both = tmp_path / "client.pem"
    both.write_bytes(certificate.read_bytes() + key.read_bytes())
    asks = f"--ssl-keyfile {key} --ssl-certfile {certificate} --ssl-ca-certs {certificate} --ssl-cert-reqs 2"
    with served(tmp_path, "--uvicorn-opts", asks, scheme="https") as address:
        variables(monkeypatch, SERVER_CERT_PATH=certificate)
        with pytest.raises(StorageError, match=r"MLflow at https://127\.0\.0\.1:\d+: the server does not answer"):
            sync(study, address)
        variables(monkeypatch, CLIENT_CERT_PATH=both)
        assert sync(study, address) > 0
        assert len(runs(address, study)[0]) == 2
