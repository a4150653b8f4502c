"""This node's place in its group, as the settings have it."""

import asyncio

from markethub.config import Settings
from markethub.config.nodes import MasterSettings, check_cluster_token
from markethub.control.database import Database
from markethub.domain.errors import InputError
from markethub.ports.clock import Clock
from markethub.ports.data_store import DataStore
from markethub.private_files import read_private_file
from markethub.replication.follow_loop import FollowLoop, Pace
from markethub.replication.follower import Follower
from markethub.replication.following import Following
from markethub.replication.http_source import HttpSource
from markethub.replication.journal import SyncJournal
from markethub.replication.link import Link
from markethub.replication.node import Node, SlaveNode
from markethub.replication.pushing import Pusher
from markethub.replication.reign import Reign
from markethub.replication.source import StoreSource
from markethub.tls import trust_of


async def open_node(
    settings: Settings, store: DataStore, database: Database, clock: Clock, *, port: int
) -> Node:
    """Build the node around an open store, which is bound to ``port``; nothing runs yet.

    ``database`` keeps the sync history. InputError where the token's file or the certificates to trust cannot
    be used.
    """
    token = await asyncio.to_thread(read_cluster_token, settings)
    tls = await asyncio.to_thread(trust_of, settings)
    master = settings.master
    role = settings.node.role
    reign = await asyncio.to_thread(Reign, store, role, None if master is None else master.address.url)
    await reign.settle()
    link = None if token is None else Link(settings.node.name, token, reign.tell, reign.hear_text, tls)
    following: Following | None = None
    if link is not None and master is not None:
        journal = SyncJournal(database, settings.node.name, clock)
        following = _follow(link, master, store, reign, journal)
    slaves = {slave.name: SlaveNode(slave.address, slave.enabled) for slave in settings.slaves}
    timeout_s = settings.node.status_timeout_s
    return Node(
        name=settings.node.name,
        host=settings.node.advertised_host,
        port=settings.node.advertised_port or port,
        reign=reign,
        store=store,
        source=StoreSource(store, lambda: reign.epoch),
        started_ms=clock(),
        cluster_token=token,
        link=link,
        master=None if master is None else master.address,
        slaves=slaves,
        following=following,
        pusher=Pusher(link, store, slaves, timeout_s=timeout_s) if link is not None and slaves else None,
        status_timeout_s=timeout_s,
    )


def _follow(
    link: Link, master: MasterSettings, store: DataStore, reign: Reign, journal: SyncJournal
) -> Following:
    source = HttpSource(
        link,
        master.address,
        compression=master.compression,
        timeout_s=master.timeout_s,
        bandwidth=None if master.bandwidth_mb_s is None else master.bandwidth_mb_s * 1_000_000,
    )
    follower = Follower(source, store, master.select.to_selection(), least_epoch=lambda: reign.epoch)
    pace = Pace(master.pull_every_s, master.verify_every_s)
    return FollowLoop(follower, journal, link, master.address, pace)


def read_cluster_token(settings: Settings) -> str | None:
    """The group's token; None where the settings name none, and so no other node either.

    InputError, which never quotes it, where its file is open to others or holds something else.
    """
    node = settings.node
    if node.cluster_token is not None:
        return node.cluster_token.get_secret_value()
    if node.cluster_token_file is None:
        return None
    name = "setting node.cluster_token_file:"
    content = read_private_file(name, node.cluster_token_file)
    try:
        return check_cluster_token(content.decode("ascii").strip())
    except UnicodeDecodeError:
        # Not even the decoder's words: they quote what stands in the file.
        raise InputError(f"{name} {node.cluster_token_file} is not ASCII text") from None
    except ValueError as error:
        raise InputError(f"{name} {node.cluster_token_file}: {error}") from error
