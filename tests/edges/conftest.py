"""Edges that run for a whole module: certificates once per run, one process per edge."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.edges.pki import Certificates
from tests.edges.running import Edge, edge

EDGES = ("nginx", "haproxy", "envoy")


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder: Path = tmp_path_factory.mktemp("certificates")
    return Certificates(folder)


@pytest.fixture(scope="module", params=EDGES)
def any_edge(request: pytest.FixtureRequest, certificates: Certificates) -> Iterator[Edge]:
    with edge(request.param, certificates) as running:
        yield running


@pytest.fixture(scope="module")
def nginx(certificates: Certificates) -> Iterator[Edge]:
    with edge("nginx", certificates) as running:
        yield running
