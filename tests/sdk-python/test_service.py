# SPDX-License-Identifier: Apache-2.0
"""azure-messaging-webpubsubservice: every method, blocking and for asyncio."""
import asyncio
import datetime
import io
import urllib.parse

import jwt
from azure.core.credentials import AccessToken
from azure.core.exceptions import (
    ClientAuthenticationError, HttpResponseError, ResourceNotFoundError)

from flavours import Client, Service, each, ordered, plain
from harness import KEY, ROLES, Case, Daemon

TEXT = {"content_type": "text/plain"}
BYTES = {"content_type": "application/octet-stream"}


class ServiceCase(Case):
    AIO = False

    async def asyncSetUp(self):
        await super().asyncSetUp()
        self.hub = self.fresh("hub")
        self.s = self.service()

    def service(self, hub=None, **options):
        made = Service(self.daemon, hub or self.hub, aio=self.AIO, **options)
        self.addAsyncCleanup(made.close)
        return made

    async def client(self, reliable=False, **access):
        access = {"user_id": "alice", "roles": ROLES, **access}
        url = (await self.s.get_client_access_token(**access))["url"]
        return await self.open(url, reliable)

    async def open(self, url, reliable=False):
        """The client for asyncio: it gives messages in their order."""
        made = Client(lambda: url, True, reliable, reconnect_retry_total=0)
        self.opened.append(made)
        await made.open()
        made.id = made.connected[0].connection_id
        return made

    async def fails(self, status, made, kind=HttpResponseError):
        with self.assertRaises(kind) as caught:
            await made
        self.assertEqual(caught.exception.status_code, status)
        return caught.exception


@each([False, True])
class Sending(ServiceCase):
    async def test_every_target_and_content(self):
        c = await self.client(True, groups=["g"])
        j = await self.client()
        s = self.s
        for send in (s.send_to_all,
                     lambda *a, **k: s.send_to_user("alice", *a, **k),
                     lambda *a, **k: s.send_to_connection(c.id, *a, **k)):
            await send({"a": [1, None, "ü"]})
            await send("json text")
            # A str would be cut by the SDK for asyncio (azure-core 1.41.0),
            # which counts its characters for Content-Length.
            await send('hällo "x"'.encode(), **TEXT)
            await send("ascii", **TEXT)
            await send(b"\x00\xff", **BYTES)
            await send(io.BytesIO(b"stream"), **BYTES)
        await s.send_to_group("g", {"in": "g"})
        await s.send_to_group("g", "text", **TEXT)
        await s.send_to_group("g", b"\x01", **BYTES)
        want = [{"a": [1, None, "ü"]}, "json text", 'hällo "x"', "ascii",
                b"\x00\xff", b"stream"]
        await c.server.reach(18)
        await c.group.reach(3)
        await j.server.reach(12)
        self.assertEqual([plain(m) for m in c.server.items], want * 3)
        self.assertEqual([plain(m) for m in j.server.items], want * 2)
        self.assertEqual([m.data_type for m in c.server.items[:6]],
                         ["json", "json", "text", "text", "binary", "binary"])
        self.assertEqual(c.seen(), [{"in": "g"}, "text", b"\x01"])

    async def test_numbers_booleans_and_lists_as_json(self):
        c = await self.client()
        values = [1.5, True, [1, "x"], "", {}]
        for value in values:
            await self.s.send_to_all(value, content_type="application/json")
        await c.server.reach(len(values))
        self.assertEqual([m.data for m in ordered(c.server.items)], values)

    async def test_excluded_and_filter(self):
        a = await self.client(user_id="a b", groups=["g"])
        b = await self.client(user_id="it's", groups=["g"])
        s = self.s
        await s.send_to_all("no a", excluded=[a.id, "nobody"], **TEXT)
        await s.send_to_group("g", "no b", excluded=[b.id], **TEXT)
        await s.send_to_all("by user", filter="userId eq 'it''s'", **TEXT)
        await s.send_to_group("g", "by group",
                              filter="'g' in groups and userId ne 'it''s'",
                              **TEXT)
        await s.send_to_user("a b", "by id", **TEXT,
                             filter=f"connectionId eq '{a.id}'")
        await s.send_to_all("long", **TEXT, filter=" or ".join(
            f"userId eq 'user number {n}'" for n in range(40))
            + " or startswith(userId, 'it')")
        await s.send_to_all("end", **TEXT)
        await a.server.reach(2)
        await a.group.reach(2)
        await b.server.reach(4)
        self.assertEqual([m.data for m in a.server.items], ["by id", "end"])
        self.assertEqual([m.data for m in a.group.items],
                         ["no b", "by group"])
        self.assertEqual([m.data for m in b.server.items],
                         ["no a", "by user", "long", "end"])

    async def test_refusals(self):
        e = await self.fails(400, self.s.send_to_all("x", filter="no filter",
                                                     **TEXT))
        self.assertIn("filter", e.message)
        with self.assertRaises(ValueError):
            await self.s.send_to_all("x", content_type="text/html")
        # Nobody there is not a failure.
        await self.s.send_to_connection("nobody", "x", **TEXT)
        await self.s.send_to_user("nobody", "x", **TEXT)
        await self.s.send_to_group("nobody", "x", **TEXT)

    async def test_ttl(self):
        c = await self.client()
        await self.s.send_to_all("x", params={"messageTtlSeconds": 300},
                                 **TEXT)
        await c.server.reach(1)


@each([False, True])
class Who(ServiceCase):
    async def test_existence(self):
        s = self.s
        c = await self.client(user_id="u/1 ü", groups=["g/ä b"])
        for name, here, not_here in (
                ("connection_exists", c.id, "nobody"),
                ("user_exists", "u/1 ü", "nobody"),
                ("group_exists", "g/ä b", "nothing")):
            self.assertIs(await getattr(s, name)(here), True)
            self.assertIs(await getattr(s, name)(not_here), False)

    async def test_groups_of_connections_and_users(self):
        s, c = self.s, await self.client()
        for group in ("one", "t/w o", "grüppe%2F"):
            await s.add_connection_to_group(group, c.id)
            self.assertTrue(await s.group_exists(group))
            await s.remove_connection_from_group(group, c.id)
            self.assertFalse(await s.group_exists(group))
            await s.add_user_to_group(group, "alice")
            await s.send_to_group(group, group, **TEXT)
            await s.remove_user_from_group(group, "alice")
            self.assertFalse(await s.group_exists(group))
            await s.add_connection_to_group(group, c.id)
        await c.group.reach(3)
        await s.remove_connection_from_all_groups(c.id)
        self.assertFalse(await s.group_exists("one"))
        await s.add_connection_to_group("one", c.id)
        await s.remove_user_from_all_groups("alice")
        self.assertFalse(await s.group_exists("one"))
        # What is not there can be removed, but not added.
        await s.remove_connection_from_group("one", "nobody")
        await s.remove_user_from_group("one", "nobody")
        await s.remove_connection_from_all_groups("nobody")
        await s.remove_user_from_all_groups("nobody")
        await self.fails(404, s.add_connection_to_group("one", "nobody"),
                         ResourceNotFoundError)

    async def test_list_connections(self):
        s = self.s
        here = [await self.client(user_id=f"u{n}", groups=["all"])
                for n in range(5)]
        here.append(await self.client(user_id=None, groups=["all"]))
        want = {c.id: c.connected[0].user_id for c in here}
        found = await s.members("all")
        self.assertEqual({m.connection_id: m.user_id for m in found}, want)
        self.assertEqual(len(found), 6)
        self.assertEqual(len(await s.members("all", top=4)), 4)
        pages = await s.members("all", by_page=True, maxpagesize=2)
        self.assertEqual([len(p) for p in pages], [2, 2, 2])
        self.assertEqual({member_id(m) for p in pages for m in p},
                         set(want))
        pages = await s.members("all", by_page=True, maxpagesize=2, top=5)
        self.assertEqual([len(p) for p in pages], [2, 2, 1])
        self.assertEqual(await s.members("nothing"), [])

    async def test_permissions(self):
        s, c = self.s, await self.client(roles=None)
        for permission in ("joinLeaveGroup", "sendToGroup"):
            async def has():
                return await s.has_permission(permission, c.id,
                                              target_name="g 1")
            self.assertIs(await has(), False)
            await s.grant_permission(permission, c.id, target_name="g 1")
            self.assertIs(await has(), True)
        await c.join_group("g 1")
        await c.send_to_group("g 1", "in", "text")
        await c.group.reach(1)
        for permission in ("joinLeaveGroup", "sendToGroup"):
            await s.revoke_permission(permission, c.id, target_name="g 1")
            self.assertIs(await s.has_permission(permission, c.id,
                                                 target_name="g 1"), False)
        with self.assertRaises(Exception):
            await c.send_to_group("g 1", "out", "text")


def member_id(member):
    return (member["connectionId"] if isinstance(member, dict)
            else member.connection_id)


@each([False, True])
class Closing(ServiceCase):
    async def closed(self, c, reason):
        await c.disconnected.reach(1)
        self.assertIn(f"Reason: {reason}", c.disconnected[0].message)

    async def test_connection(self):
        a, b = await self.client(), await self.client()
        await self.s.close_connection(a.id, reason="ä & b")
        await self.closed(a, "ä & b")
        self.assertTrue(await self.s.connection_exists(b.id))
        self.assertFalse(await self.s.connection_exists(a.id))
        await self.s.close_connection("nobody")

    async def test_group_user_and_all(self):
        s = self.s
        a, b = await self.client(groups=["g"]), await self.client(groups=["g"])
        await s.close_group_connections("g", excluded=[b.id], reason="group")
        await self.closed(a, "group")
        c = await self.client(user_id="bob")
        d = await self.client(user_id="bob")
        await s.close_user_connections("bob", excluded=[d.id], reason="user")
        await self.closed(c, "user")
        await s.close_all_connections(excluded=[b.id], reason="all")
        await self.closed(d, "all")
        self.assertTrue(await s.connection_exists(b.id))
        await s.close_all_connections(reason="last")
        await self.closed(b, "last")


class Told:
    """A credential of an identity provider, as far as the SDK sees: here its
    tokens are signed by the key, for the URL that is asked."""

    def __init__(self, aud):
        self.aud = aud

    def give(self, *_, **__):
        end = int(datetime.datetime.now().timestamp()) + 3600
        return AccessToken(jwt.encode({"aud": self.aud, "exp": end}, KEY,
                                      algorithm="HS256"), end)


class ToldNow(Told):
    def get_token(self, *scopes, **options):
        return self.give()


class ToldAio(Told):
    async def get_token(self, *scopes, **options):
        return self.give()

    async def close(self):
        pass


@each([False, True])
class Tokens(ServiceCase):
    async def test_client_access_token(self):
        made = await self.s.get_client_access_token(
            user_id="ü", roles=ROLES, groups=["g"], minutes_to_expire=5,
            jwt_headers={"kid": "x"})
        base = f"ws://127.0.0.1:{self.daemon.port}/client/hubs/{self.hub}"
        self.assertEqual((made["baseUrl"], made["url"]),
                         (base, f"{base}?access_token={made['token']}"))
        c = await self.open(made["url"])
        self.assertEqual(c.connected[0].user_id, "ü")
        self.assertTrue(await self.s.group_exists("g"))

    async def test_client_access_token_made_by_the_server(self):
        path = f"/api/hubs/{self.hub}/:generateToken"
        aud = f"http://127.0.0.1:{self.daemon.port}{path}"
        # Else the SDK refuses to send a bearer token without TLS.
        made = await self.made_by(aud, user_id="it's me", roles=ROLES,
                                  groups=["a b", "c"], minutes_to_expire=7)
        claims = jwt.decode(made["token"], options={"verify_signature": False})
        self.assertEqual(claims["sub"], "it's me")
        self.assertEqual(claims["role"], ROLES)
        self.assertEqual(claims["webpubsub.group"], ["a b", "c"])
        self.assertEqual(claims["exp"] - claims["iat"], 420)
        c = await self.open(made["url"])
        await c.send_to_group("c", "x", "text")
        await c.group.reach(1)
        for protocol, place in (("MQTT", "/clients/mqtt/hubs/"),
                                ("default", "/client/hubs/")):
            made = await self.made_by(aud, client_protocol=protocol)
            claims = jwt.decode(made["token"],
                                options={"verify_signature": False})
            self.assertIn(place, claims["aud"])
            self.assertEqual(urllib.parse.urlsplit(made["url"]).path,
                             place + self.hub)

    async def made_by(self, aud, **access):
        from azure.messaging.webpubsubservice import WebPubSubServiceClient
        from azure.messaging.webpubsubservice.aio import (
            WebPubSubServiceClient as WebPubSubServiceClientAio)
        endpoint = f"http://127.0.0.1:{self.daemon.port}"
        if self.AIO:
            async with WebPubSubServiceClientAio(
                    endpoint, self.hub, ToldAio(aud)) as s:
                return await s.get_client_access_token(
                    **access, enforce_https=False)
        with WebPubSubServiceClient(endpoint, self.hub, ToldNow(aud)) as s:
            return s.get_client_access_token(**access, enforce_https=False)

    async def test_by_key_with_a_user(self):
        s = self.service(
            endpoint=f"http://127.0.0.1:{self.daemon.port}", user="operator")
        c = await self.client()
        await s.send_to_all("x", **TEXT)
        await c.server.reach(1)

    async def test_connection_string_with_a_port(self):
        kind = type(self.s.sdk)
        sdk = kind.from_connection_string(
            f"Endpoint=http://127.0.0.1;AccessKey={KEY};"
            f"Port={self.daemon.port};Version=1.0;", self.hub)
        self.s.sdk = sdk
        c = await self.client()
        await self.s.send_to_all("x", **TEXT)
        await c.server.reach(1)

    async def test_behind_a_proxy_of_another_name(self):
        public = "http://pubsub.example.com"
        daemon = Daemon(endpoints=[public])
        self.addAsyncCleanup(asyncio.to_thread, daemon.stop)
        here = f"http://127.0.0.1:{daemon.port}"
        s = self.service(endpoint=public, reverse_proxy_endpoint=here)
        made = await s.get_client_access_token(user_id="alice")
        self.assertEqual(made["baseUrl"],
                         f"ws://pubsub.example.com/client/hubs/{self.hub}")
        c = await self.open(made["url"].replace("pubsub.example.com",
                                                f"127.0.0.1:{daemon.port}"))
        await s.send_to_all("x", **TEXT)
        await c.server.reach(1)
        self.assertIs(await s.user_exists("alice"), True)
        await c.close()

    async def test_wrong_key(self):
        string = self.daemon.connection_string().replace(KEY, "x" * 40)
        self.s.sdk = type(self.s.sdk).from_connection_string(string, self.hub)
        await self.fails(401, self.s.send_to_all("x", **TEXT),
                         ClientAuthenticationError)
        # A HEAD that is refused is not a no.
        await self.fails(401, self.s.user_exists("x"),
                         ClientAuthenticationError)

    async def test_older_versions_of_the_api(self):
        c = await self.client()
        for n, version in enumerate(("2021-10-01", "2022-11-01", "2023-07-01",
                                     "2024-01-01", "2024-12-01")):
            s = self.service(api_version=version)
            await s.send_to_all(version, **TEXT)
            await c.server.reach(n + 1)
