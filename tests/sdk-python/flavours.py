# SPDX-License-Identifier: Apache-2.0
"""The SDKs come twice, blocking and for asyncio, with the same methods. Here
both look alike, so that a test is written once."""
import asyncio

from azure.core.credentials import AzureKeyCredential
from azure.core.pipeline.policies import RetryMode
from azure.messaging.webpubsubclient import (
    WebPubSubClient, WebPubSubClientCredential)
from azure.messaging.webpubsubclient.aio import (
    WebPubSubClient as WebPubSubClientAio,
    WebPubSubClientCredential as WebPubSubClientCredentialAio)
from azure.messaging.webpubsubclient.models import (
    CallbackType, WebPubSubProtocolType)
from azure.messaging.webpubsubservice import WebPubSubServiceClient
from azure.messaging.webpubsubservice.aio import (
    WebPubSubServiceClient as WebPubSubServiceClientAio)

from harness import KEY, Log

KINDS = {
    "connected": CallbackType.CONNECTED,
    "disconnected": CallbackType.DISCONNECTED,
    "stopped": CallbackType.STOPPED,
    "group": CallbackType.GROUP_MESSAGE,
    "server": CallbackType.SERVER_MESSAGE,
    "rejoin": CallbackType.REJOIN_GROUP_FAILED,
}


class Service:
    """WebPubSubServiceClient; every method is awaited."""

    def __init__(self, daemon, hub, aio=False, port=None, **options):
        kind = WebPubSubServiceClientAio if aio else WebPubSubServiceClient
        if "endpoint" in options:
            self.sdk = kind(options.pop("endpoint"), hub,
                            AzureKeyCredential(KEY), **options)
        else:
            self.sdk = kind.from_connection_string(
                daemon.connection_string(port), hub, **options)
        self.aio = aio

    def __getattr__(self, name):
        method = getattr(self.sdk, name)

        async def call(*args, **kwargs):
            if self.aio:
                return await method(*args, **kwargs)
            return await asyncio.to_thread(method, *args, **kwargs)
        return call

    async def members(self, group, by_page=False, **options):
        """list_connections, which gives an iterator and no awaitable."""
        if self.aio:
            found = self.sdk.list_connections(group=group, **options)
            if by_page:
                return [[x async for x in page]
                        async for page in found.by_page()]
            return [x async for x in found]

        def read():
            found = self.sdk.list_connections(group=group, **options)
            if by_page:
                return [list(page) for page in found.by_page()]
            return list(found)
        return await asyncio.to_thread(read)

    async def close(self):
        if self.aio:
            await self.sdk.close()
        else:
            self.sdk.close()


class Client:
    """WebPubSubClient with its events in Logs. `urls` gives the URL of each
    connection. Every method is awaited."""

    def __init__(self, urls, aio, reliable, **options):
        self.aio = aio
        for kind in KINDS:
            setattr(self, kind, Log())
        protocol = (WebPubSubProtocolType.JSON_RELIABLE if reliable
                    else WebPubSubProtocolType.JSON)
        options = {"message_retry_total": 0, "protocol_type": protocol,
                   "reconnect_retry_mode": RetryMode.Fixed,
                   "reconnect_retry_backoff_factor": 0.1,
                   "reconnect_retry_total": 10000,
                   "start_timeout": 10.0, "ack_timeout": 20.0, **options}
        if aio:
            async def give():
                return urls()
            self.sdk = WebPubSubClientAio(WebPubSubClientCredentialAio(give),
                                          **options)
        else:
            self.sdk = WebPubSubClient(WebPubSubClientCredential(urls),
                                       **options)

    async def _listen(self):
        for kind, event in KINDS.items():
            log = getattr(self, kind)
            if self.aio:
                async def heard(*args, log=log):
                    log.add(args[0] if args else None)
                await self.sdk.subscribe(event, heard)
            else:
                def told(*args, log=log):
                    log.add(args[0] if args else None)
                self.sdk.subscribe(event, told)

    async def open(self):
        await self._listen()
        await self._call("open")
        # open() is through with the handshake already.
        await self.connected.reach(1)
        return self

    async def _call(self, name, *args, **kwargs):
        method = getattr(self.sdk, name)
        if self.aio:
            return await method(*args, **kwargs)
        return await asyncio.to_thread(method, *args, **kwargs)

    def __getattr__(self, name):
        if name == "sdk":
            raise AttributeError(name)

        async def call(*args, **kwargs):
            return await self._call(name, *args, **kwargs)
        return call

    def seen(self):
        """Group and server messages. The blocking client calls each listener
        on a thread of its own, so that their order says nothing."""
        return [plain(m) for m in ordered(self.group.items)]


def ordered(messages):
    if any(m.sequence_id for m in messages):
        return sorted(messages, key=lambda m: m.sequence_id)
    return messages


def plain(message):
    """The data of a message, in a form that compares."""
    data = message.data
    return bytes(data) if isinstance(data, memoryview) else data


FLAVOURS = [(aio, reliable) for aio in (False, True)
            for reliable in (True, False)]


def each(flavours, word=("sync", "aio"), other=("json", "reliable")):
    """Class decorator: a test class per flavour in the module's names."""
    import sys

    def make(cls):
        module = sys.modules[cls.__module__]
        for flavour in flavours:
            aio, *more = flavour if isinstance(flavour, tuple) else (flavour,)
            name = f"{cls.__name__}_{word[aio]}"
            fields = {"AIO": aio, "__module__": cls.__module__,
                      "__qualname__": name}
            if more:
                name += "_" + other[more[0]]
                fields.update(RELIABLE=more[0], __qualname__=name)
            setattr(module, name, type(cls)(name, (cls,), fields))
        return None
    return make
