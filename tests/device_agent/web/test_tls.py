from __future__ import annotations

import shutil
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from device_agent.web.tls import server_context
from quant.errors import InputError
from tests.device_agent.conftest import KEY
from tests.device_agent.server import UVICORN, Server, refused, running


@dataclass(frozen=True)
class Files:
    """PEM files of a certificate for 127.0.0.1, its key, and the authority that signed it."""

    authority: Path
    certificate: Path
    key: Path


def make_files(folder: Path) -> Files:
    folder.mkdir(exist_ok=True)
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    files = Files(folder / "ca.pem", folder / "cert.pem", folder / "key.pem")
    authority.cert_pem.write_to_path(files.authority)
    for blob in issued.cert_chain_pems:
        blob.write_to_path(files.certificate, append=True)
    issued.private_key_pem.write_to_path(files.key)
    return files


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return make_files(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def server(files: Files, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    paths = {"TLS_CERT": str(files.certificate), "TLS_KEY": str(files.key)}
    with running(tmp_path_factory.mktemp("agent"), **paths) as found:
        yield found


def client(server: Server, verify: ssl.SSLContext | bool, key: str = KEY) -> httpx2.Client:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx2.Client(base_url=server.url, headers=headers, verify=verify, trust_env=False)


def trusting(files: Files) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(files.authority))


def test_who_knows_the_authority_gets_through_with_the_key(server: Server, files: Files) -> None:
    assert server.url.startswith("https://")
    with client(server, trusting(files)) as board:
        assert board.get("/v1/files/" + "0" * 64).status_code == 404
    with client(server, trusting(files), "wrong") as board:
        assert board.get("/v1/files/" + "0" * 64).status_code == 401


def test_who_does_not_know_the_authority_sends_nothing(server: Server, tmp_path: Path) -> None:
    other = make_files(tmp_path / "other")
    for verify in (True, trusting(other)):
        with (
            client(server, verify) as board,
            pytest.raises(httpx2.ConnectError, match="CERTIFICATE_VERIFY_FAILED"),
        ):
            board.get("/v1/device")


def test_plain_http_gets_no_answer(server: Server) -> None:
    url = server.url.replace("https://", "http://")
    with httpx2.Client(trust_env=False) as board, pytest.raises(httpx2.TransportError):
        board.get(f"{url}/healthz", timeout=20)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_versions_are_refused(server: Server, files: Files) -> None:
    context = trusting(files)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection(("127.0.0.1", server.port), 20) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
    ):
        assert secure.version() == "TLSv1.2"
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(("127.0.0.1", server.port), 20) as plain,
        pytest.raises(ssl.SSLError, match=r"ALERT_PROTOCOL_VERSION|UNEXPECTED_EOF"),
    ):
        context.wrap_socket(plain, server_hostname="127.0.0.1")


def test_the_agent_lives_after_all_that(server: Server, files: Files) -> None:
    with client(server, trusting(files)) as board:
        assert board.get("/healthz").status_code == 200
    assert "Traceback" not in server.log.read_text()


def encrypted(key: Path) -> bytes:
    found = load_pem_private_key(key.read_bytes(), None)
    return found.private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(b"x")
    )


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda files: files.key.unlink(), "key.pem cannot be read: No such file"),
        (lambda files: files.certificate.unlink(), "cert.pem cannot be read: No such file"),
        (lambda files: files.key.write_text("no key"), "cannot be used"),
        (lambda files: files.certificate.write_text("none"), "cannot be used"),
        (lambda files: make_files(files.key.parent / "x").key.replace(files.key), "mismatch"),
        (lambda files: files.key.write_bytes(encrypted(files.key)), "the TLS key has a password"),
    ],
)
def test_files_that_cannot_be_used_are_told_in_one_line(
    files: Files, tmp_path: Path, spoil: Callable[[Files], object], message: str
) -> None:
    spoilt = Files(*(Path(shutil.copy(path, tmp_path)) for path in vars(files).values()))
    spoil(spoilt)
    with pytest.raises(InputError, match=message) as caught:
        server_context(spoilt.certificate, spoilt.key)
    assert "\n" not in str(caught.value)


def test_the_program_refuses_them_with_exit_2(files: Files, tmp_path: Path) -> None:
    other = make_files(tmp_path / "other")
    paths = {"TLS_CERT": str(files.certificate), "TLS_KEY": str(other.key)}
    code, text = refused(tmp_path, KEY=KEY, **paths)
    assert (code, text.count("\n")) == (2, 1)
    assert "mismatch" in text


def test_uvicorn_may_serve_tls_itself(files: Files, tmp_path: Path) -> None:
    paths = {"TLS_CERT": str(files.certificate), "TLS_KEY": str(files.key)}
    options = ("--ssl-certfile", str(files.certificate), "--ssl-keyfile", str(files.key))
    with (
        running(tmp_path, (*UVICORN, *options), **paths) as server,
        client(server, trusting(files)) as board,
    ):
        assert board.get("/healthz").status_code == 200
