"""A client that openapi-python-client generates from the document works as it comes."""

import importlib
import json
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from openapi_python_client import generate
from openapi_python_client.config import Config, ConfigFile, MetaType

from bounty.db import make_engine
from tests.api.conftest import copy_of, tokens_of
from tests.factories import PROMOTER, bounty
from tests.web.world import DECEMBER, served


def test_a_generated_client_fetches_a_promoters_task(
    filled: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = copy_of(filled, "sqlite", tmp_path)
    engine = make_engine(url)
    token = tokens_of(engine)["promoter"]
    engine.dispose()
    with served(url, tmp_path, DECEMBER) as site:
        (tmp_path / "openapi.json").write_bytes(urlopen(f"{site.url}/api/v1/openapi.json").read())
        errors = generate(
            config=Config.from_sources(
                ConfigFile(post_hooks=[]),
                MetaType.NONE,
                document_source=tmp_path / "openapi.json",
                file_encoding="utf-8",
                overwrite=False,
                output_path=tmp_path / "bounty_client",
            )
        )
        assert errors == []
        monkeypatch.syspath_prepend(tmp_path)
        client: Any = importlib.import_module("bounty_client")
        promoter: Any = importlib.import_module("bounty_client.api.promoter.my_progress")
        orders: Any = importlib.import_module("bounty_client.api.promoter.my_orders")
        with client.AuthenticatedClient(base_url=site.url, token=token) as asking:
            task = promoter.sync("2022-12", client=asking)
            listed = orders.sync("2022-12", client=asking)
    said = bounty(
        url, "progress", "2022-12", str(PROMOTER), "--json", now=f"{DECEMBER.replace(' ', 'T')}+08:00"
    )
    assert task.to_dict() == json.loads(said.stdout)
    assert task.counted.gmv_fen == sum(order.counts_fen for order in listed.orders) > 0
