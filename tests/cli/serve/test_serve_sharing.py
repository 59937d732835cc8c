"""Several `guarita serve` on one machine: who may use a data folder together, and what they count
together.
"""

import http.client
import os
from pathlib import Path

import pytest

from guarita.cli.folder_lock import LOCK, FolderLock
from guarita.cli.output import RefusedError
from tests.cli.serve.gateways import Merchant, Upstream, free_port, get, refused, serving

BALANCE = "/api/external/balance"
KEYS = "/api/external/pix/keys"


def configuration(
    folder: Path, name: str, upstream: Upstream, port: int, *, counters: str, site: str = ""
) -> Path:
    file = folder / name
    file.write_text(
        f'[data]\nfolder = "data"\ncounters = "{counters}"\n'
        f'[[site]]\nname = "pay"\nlisten = ["127.0.0.1:{port}"]\nprofile = "minhakonta"\n{site}\n'
        f'[site.upstream]\nurl = "{upstream.url}"\n[profile.minhakonta.rate_limit]\nlimit = 5\n'
    )
    return file


@pytest.mark.slow
def test_a_second_process_that_counts_alone_is_refused(tmp_path: Path, upstream: Upstream) -> None:
    alone = configuration(tmp_path, "a.toml", upstream, 0, counters="process")
    shared = configuration(tmp_path, "b.toml", upstream, 0, counters="shared")
    merchant = Merchant(alone, "minhakonta", "--all-permissions")
    with serving(alone) as first:
        said = refused(alone)
        assert f"another process (process {first.process.pid}) serves from the data folder" in said
        assert 'this one has counters = "process" in [data]' in said
        assert 'that one has counters = "process" in [data]' in refused(shared)
        assert get(first.connect(), BALANCE, merchant.headers)[0] == 200
    with serving(shared):
        assert 'this one has counters = "process"' in refused(alone)
        text = alone.read_text().replace(
            '"process"', '"process"\nunsafe_memory_reservations = true'
        )
        alone.write_text(text)
        assert "this one has unsafe_memory_reservations = true" in refused(alone)
    with serving(alone):
        assert "that one has unsafe_memory_reservations = true in [data]" in refused(shared)


@pytest.mark.slow
def test_processes_share_a_port_and_their_counters(tmp_path: Path, upstream: Upstream) -> None:
    port = free_port()
    config = configuration(
        tmp_path, "a.toml", upstream, port, counters="shared", site="share_port = true"
    )
    merchant = Merchant(config, "minhakonta", "--all-permissions")
    with serving(config), serving(config):
        found = []
        for _ in range(10):
            # Each connection goes to one of the two, of the kernel's choice.
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            found.append(get(connection, KEYS, merchant.headers)[0])
            connection.close()
        assert found == [200] * 5 + [429] * 5


def test_the_lock_ends_with_its_holder(tmp_path: Path) -> None:
    with FolderLock(tmp_path, alone=True, setting="x"):
        for alone in (True, False):
            with pytest.raises(RefusedError, match="another process"):
                FolderLock(tmp_path, alone=alone, setting="x")
    with FolderLock(tmp_path, alone=True, setting="a demo's counters"):
        with pytest.raises(RefusedError) as caught:
            FolderLock(tmp_path, alone=False, setting="x")
        assert f"(process {os.getpid()})" in str(caught.value)
        assert "that one has a demo's counters: " in str(caught.value)
    with (
        FolderLock(tmp_path, alone=False, setting="x"),
        FolderLock(tmp_path, alone=False, setting="x"),
    ):
        with pytest.raises(RefusedError) as caught:
            FolderLock(tmp_path, alone=True, setting='counters = "process"')
        assert "(process" not in str(caught.value), "the number of one that has ended is not told"
        assert 'Set counters = "shared" for both' in str(caught.value)
    FolderLock(tmp_path, alone=True, setting="x").release()
    assert (tmp_path / LOCK).stat().st_mode & 0o777 == 0o600
