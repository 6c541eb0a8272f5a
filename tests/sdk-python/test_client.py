# SPDX-License-Identifier: Apache-2.0
"""azure-messaging-webpubsubclient: each test with the blocking client and with
the one for asyncio, over reliable and over plain JSON."""
import asyncio
import base64
import json
import time

import jwt
from azure.messaging.webpubsubclient.models import (
    OpenClientError, SendMessageError, WebPubSubDataType)

from flavours import FLAVOURS, Client, Service, each, ordered, plain
from harness import KEY, PATIENCE, ROLES, Case, Daemon, Log

TEXT = WebPubSubDataType.TEXT
JSON = WebPubSubDataType.JSON
BINARY = WebPubSubDataType.BINARY
PROTOBUF = WebPubSubDataType.PROTOBUF
# google.protobuf.Any of an empty message: what dataType protobuf has to be.
ANY = b"\x0a\x12type.example/Empty"


class ClientCase(Case):
    AIO = False
    RELIABLE = False

    async def asyncSetUp(self):
        await super().asyncSetUp()
        self.hub = self.fresh("hub")
        self.service = self.make_service()

    def make_service(self, **options):
        made = Service(self.daemon, self.hub, aio=self.AIO, **options)
        self.addAsyncCleanup(made.close)
        return made

    def urls(self, port=None, **access):
        """What gives the client its URL. The SDK for servers that makes it is
        the blocking one: a credential is asked without await."""
        access = {"user_id": "alice", "roles": ROLES, **access}
        maker = Service(self.daemon, self.hub, port=port).sdk
        return lambda: maker.get_client_access_token(**access)["url"]

    async def client(self, port=None, urls=None, options=None, **access):
        made = Client(urls or self.urls(port, **access), self.AIO,
                      self.RELIABLE, **(options or {}))
        self.opened.append(made)
        return await made.open()

    def same(self, have, want):
        """As they came, or in any order where the SDK promises none."""
        if self.RELIABLE or self.AIO:
            self.assertEqual(have, want)
        else:
            self.assertCountEqual(have, want)

    async def refused(self, name, made):
        with self.assertRaises(SendMessageError) as caught:
            await made
        self.assertEqual(caught.exception.error_detail.name, name)
        return caught.exception


@each(FLAVOURS)
class Basics(ClientCase):
    async def test_connected_tells_id_and_user(self):
        c = await self.client()
        self.assertEqual(c.connected[0].user_id, "alice")
        self.assertTrue(
            await self.service.connection_exists(c.connected[0].connection_id))
        nobody = await self.client(user_id=None)
        self.assertIsNone(nobody.connected[0].user_id)

    async def test_groups_and_all_kinds_of_data(self):
        a, b = await self.client(), await self.client(user_id="bob")
        group = self.fresh()
        await a.join_group(group)
        await b.join_group(group)
        await a.send_to_group(group, 'hällo "x"', TEXT)
        await a.send_to_group(group, {"a": [1, None, "ü"]}, JSON)
        await a.send_to_group(group, "quoted", JSON)
        await a.send_to_group(group, memoryview(b"\x00\x01\xff"), BINARY)
        await a.send_to_group(group, memoryview(ANY), PROTOBUF)
        await a.send_to_group(group, "", TEXT)
        await a.send_to_group(group, memoryview(b""), BINARY)
        for c in (a, b):
            await c.group.reach(7)
            self.same(c.seen(), ['hällo "x"', {"a": [1, None, "ü"]}, "quoted",
                                 b"\x00\x01\xff", ANY, "", b""])
            self.assertCountEqual(
                [m.data_type for m in c.group.items],
                ["text", "json", "json", "binary", "protobuf", "text",
                 "binary"])
            self.assertEqual({(m.group, m.from_user_id)
                              for m in c.group.items}, {(group, "alice")})
        await b.leave_group(group)
        await a.send_to_group(group, "last", TEXT)
        await a.group.reach(8)
        fence = self.fresh()
        await b.join_group(fence)
        await b.send_to_group(fence, "fence", TEXT)
        await b.group.reach(8)
        self.assertNotIn("last", b.seen())

    async def test_names_with_other_characters(self):
        c = await self.client()
        for group in ("a/b c", "grüppe+%2F", '"quoted\\"', "x" * 1024):
            await c.join_group(group)
            await c.send_to_group(group, group, TEXT)
        await c.group.reach(4)
        self.assertEqual({m.group for m in c.group.items},
                         {m.data for m in c.group.items})

    async def test_no_echo_and_no_ack(self):
        a, b = await self.client(), await self.client()
        group = self.fresh()
        await a.join_group(group)
        await b.join_group(group)
        await a.send_to_group(group, "quiet", TEXT, no_echo=True)
        await a.send_to_group(group, "fire", TEXT, ack=False)
        await a.send_to_group(group, "both", TEXT, no_echo=True, ack=False)
        await b.group.reach(3)
        self.same(b.seen(), ["quiet", "fire", "both"])
        await a.group.reach(1)
        self.assertEqual(a.seen(), ["fire"])

    async def test_ack_id_of_ones_own_twice_is_sent_once(self):
        c = await self.client()
        group = self.fresh()
        await c.join_group(group, ack_id=700)
        await c.send_to_group(group, "one", TEXT, ack_id=701)
        await c.send_to_group(group, "again", TEXT, ack_id=701)
        await c.send_to_group(group, "two", TEXT, ack_id=702)
        await c.leave_group(group, ack_id=703)
        await c.group.reach(2)
        self.same(c.seen(), ["one", "two"])

    async def test_refused_requests_say_why(self):
        c = await self.client(roles=None)
        await self.refused("Forbidden", c.join_group("x"))
        await self.refused("Forbidden", c.leave_group("x"))
        e = await self.refused("Forbidden", c.send_to_group("x", "y", TEXT))
        self.assertTrue(e.error_detail.message)
        self.assertTrue(e.ack_id)
        # No handler takes it, and the connection lives.
        await self.refused("InternalServerError",
                           c.send_event("order", "1", TEXT))
        await c.send_event("order", "1", TEXT, ack=False)
        self.assertTrue(await asyncio.to_thread(
            lambda: bool(c.sdk.is_connected())))

    async def test_refused_request_is_retried_by_the_client(self):
        c = await self.client(roles=None, options={
            "message_retry_total": 20, "message_retry_backoff_factor": 0.1,
            "message_retry_backoff_max": 1.0})
        group = self.fresh()
        joining = asyncio.ensure_future(c.join_group(group))
        await self.service.grant_permission(
            "joinLeaveGroup", c.connected[0].connection_id, target_name=group)
        await joining
        self.assertTrue(await self.service.group_exists(group))

    async def test_roles_for_one_group_and_groups_of_the_token(self):
        mine, other = self.fresh(), self.fresh()
        c = await self.client(roles=[f"webpubsub.sendToGroup.{mine}"],
                              groups=[mine])
        await c.send_to_group(mine, "in", TEXT)
        await c.group.reach(1)
        await self.refused("Forbidden", c.send_to_group(other, "no", TEXT))
        await self.refused("Forbidden", c.join_group(mine))

    async def test_many_in_a_row_and_at_once(self):
        c = await self.client()
        group = self.fresh()
        await c.join_group(group)
        for n in range(100):
            await c.send_to_group(group, {"n": n}, JSON, ack=n % 2 == 0)
        await asyncio.gather(*(c.send_to_group(group, {"n": 100 + n}, JSON)
                               for n in range(50)))
        await c.group.reach(150)
        self.assertEqual(sorted(m.data["n"] for m in c.group.items),
                         list(range(150)))
        if self.RELIABLE:
            self.assertEqual(sorted(m.sequence_id for m in c.group.items),
                             list(range(1, 151)))

    async def test_large_messages(self):
        c = await self.client()
        group = self.fresh()
        await c.join_group(group)
        await c.send_to_group(group, "x" * 1_000_000, TEXT)
        await c.group.reach(1)
        self.assertEqual(len(c.group[0].data), 1_000_000)

    async def test_messages_of_a_server(self):
        c = await self.client()
        s, group = self.service, self.fresh()
        one = c.connected[0].connection_id
        await c.join_group(group)
        await s.send_to_all({"to": "all"})
        await s.send_to_user("alice", "user", content_type="text/plain")
        await s.send_to_connection(one, b"\x00\xff",
                                   content_type="application/octet-stream")
        await s.send_to_group(group, [1, "group"])
        await c.server.reach(3)
        await c.group.reach(1)
        self.same([plain(m) for m in ordered(c.server.items)],
                  [{"to": "all"}, "user", b"\x00\xff"])
        self.assertEqual((c.group[0].data, c.group[0].from_user_id,
                          c.group[0].data_type), ([1, "group"], None, "json"))
        if self.RELIABLE:
            self.assertCountEqual(
                [m.sequence_id for m in c.server.items + c.group.items],
                [1, 2, 3, 4])

    async def test_close_ends_it_for_good(self):
        c = await self.client()
        one = c.connected[0].connection_id
        await c.close()
        await c.stopped.reach(1)
        await c.disconnected.reach(1)
        self.assertEqual(c.disconnected[0].connection_id, one)
        # A close of 1000 is final also for a reliable session.
        await gone(self.service, one)
        # The same client, opened again.
        await c._call("open")
        await c.connected.reach(2)
        self.assertNotEqual(c.connected[1].connection_id, one)
        await c.join_group(self.fresh())

    async def test_wrong_token_fails_open(self):
        urls = self.urls()
        wrong = Client(lambda: urls()[:-4] + "AAAA", self.AIO, self.RELIABLE)
        with self.assertRaises(OpenClientError):
            await wrong._call("open")


async def gone(service, connection_id):
    async def watch():
        while await service.connection_exists(connection_id):
            pass
    await asyncio.wait_for(watch(), PATIENCE)


@each(FLAVOURS)
class Closing(ClientCase):
    async def test_closed_by_the_application(self):
        c = await self.client(options={"reconnect_retry_total": 0})
        await self.service.close_connection(c.connected[0].connection_id,
                                            reason="enough")
        await c.disconnected.reach(1)
        await c.stopped.reach(1)
        self.assertIn("Reason: enough", c.disconnected[0].message)

    async def test_closed_by_the_application_and_back_with_groups(self):
        c = await self.client()
        mine, left = self.fresh(), self.fresh()
        await c.join_group(mine)
        await c.join_group(left)
        await c.leave_group(left)
        await self.service.close_all_connections(reason="again")
        await c.connected.reach(2)
        first, second = (x.connection_id for x in c.connected.items)
        self.assertNotEqual(first, second)
        self.assertEqual(c.disconnected[0].connection_id, first)
        await joined(self.service, mine, second)
        self.assertFalse(await self.service.group_exists(left))
        self.assertEqual(len(c.stopped), 0)

    async def test_rejoin_that_is_refused_is_told(self):
        may, may_not = self.urls(), self.urls(roles=[])
        given = iter([may])
        c = await self.client(urls=lambda: next(given, may_not)())
        group = self.fresh()
        await c.join_group(group)
        await self.service.close_all_connections()
        await c.rejoin.reach(1)
        self.assertEqual(c.rejoin[0].group, group)
        self.assertEqual(c.rejoin[0].error.error_detail.name, "Forbidden")

    async def test_server_that_is_restarted(self):
        one = Daemon()
        proxy = self.proxy(one.port)
        hub = self.hub
        maker = Service(one, hub, port=proxy.port).sdk
        c = await self.client(urls=lambda: maker.get_client_access_token(
            user_id="alice", roles=ROLES)["url"])
        group = self.fresh()
        await c.join_group(group)
        # It is told 1001, comes back at once, and the new server knows nothing
        # of its session: 101, and close 1008.
        await asyncio.to_thread(one.stop)
        two = Daemon()
        self.addAsyncCleanup(asyncio.to_thread, two.stop)
        proxy.target = two.port
        await c.connected.reach(2)
        other = Service(two, hub)
        await joined(other, group, c.connected[1].connection_id)
        await c.send_to_group(group, "after", TEXT)
        await c.group.reach(1)
        await c.close()
        await other.close()


async def joined(service, group, connection_id):
    """Groups are joined again behind the back of the test."""
    async def watch():
        while connection_id not in [m.connection_id for m in
                                    await service.members(group)]:
            pass
    await asyncio.wait_for(watch(), PATIENCE)


@each([(False, True), (True, True)])
class Recovery(ClientCase):
    async def drop(self, proxy, between=None):
        """Cut, and keep it down until `between` is through."""
        proxy.down = True
        proxy.cut()
        if between:
            await between()
        proxy.down = False

    async def test_what_was_missed_comes_once_and_in_order(self):
        proxy = self.proxy()
        c = await self.client(port=proxy.port)
        other = await self.client(user_id="bob")
        group = self.fresh()
        await c.join_group(group)
        n = 0

        async def send(count):
            nonlocal n
            for _ in range(count):
                await other.send_to_group(group, {"n": n}, JSON)
                n += 1
        for _ in range(3):
            await send(5)
            await self.drop(proxy, lambda: send(5))
            await send(5)
        await c.group.reach(n)
        self.assertEqual([m.data["n"] for m in ordered(c.group.items)],
                         list(range(n)))
        self.assertEqual([m.sequence_id for m in ordered(c.group.items)],
                         list(range(1, n + 1)))
        # One connection for the application, and for the server.
        self.assertEqual(len(c.connected), 1)
        self.assertEqual(len(c.disconnected), 0)
        await c.send_to_group(group, "still", TEXT)
        await c.group.reach(n + 1)

    async def test_groups_and_permissions_change_meanwhile(self):
        proxy = self.proxy()
        c = await self.client(port=proxy.port, roles=None)
        one, group = c.connected[0].connection_id, self.fresh()

        async def change():
            await self.service.add_connection_to_group(group, one)
            await self.service.grant_permission("sendToGroup", one,
                                                target_name=group)
            await self.service.send_to_group(group, {"missed": True})
            await self.service.send_to_user("alice", {"also": 1})
        await self.drop(proxy, change)
        await c.group.reach(1)
        await c.server.reach(1)
        await c.send_to_group(group, "mine", TEXT)
        await c.group.reach(2)
        self.assertEqual(c.seen(), [{"missed": True}, "mine"])

    async def test_requests_during_the_gap_are_sent_after_it(self):
        proxy = self.proxy()
        c = await self.client(port=proxy.port, options={
            "message_retry_total": 30, "message_retry_backoff_factor": 0.1,
            "message_retry_backoff_max": 1.0})
        group = self.fresh()
        await c.join_group(group)
        proxy.down = True
        proxy.cut()
        sending = asyncio.ensure_future(
            c.send_to_group(group, "late", TEXT))
        await proxy.refused.reach(1)
        self.assertFalse(sending.done())
        proxy.down = False
        await sending
        await c.group.reach(1)
        self.assertEqual(len(c.connected), 1)

    async def test_session_that_is_gone_becomes_a_new_one(self):
        proxy = self.proxy()
        c = await self.client(port=proxy.port)
        group = self.fresh()
        await c.join_group(group)
        first = c.connected[0].connection_id
        await self.drop(proxy, lambda: self.service.close_connection(first))
        await c.connected.reach(2)
        second = c.connected[1].connection_id
        self.assertNotEqual(first, second)
        self.assertEqual(c.disconnected[0].connection_id, first)
        await joined(self.service, group, second)

    async def test_token_that_has_expired_recovers(self):
        proxy = self.proxy()
        # Within the five minutes that are allowed when it connects, and the
        # token of a recovery is not looked at.
        aud = f"http://127.0.0.1:{proxy.port}/client/hubs/{self.hub}"
        token = jwt.encode({"aud": aud, "exp": int(time.time()) - 1,
                            "role": ROLES}, KEY, algorithm="HS256")
        url = f"ws{aud[4:]}?access_token={token}"
        c = await self.client(urls=lambda: url)
        await self.drop(proxy,
                        lambda: self.service.send_to_all({"missed": 1}))
        await c.server.reach(1)
        self.assertEqual(len(c.connected), 1)

    async def test_sequence_acks_free_what_was_received(self):
        # More than a session may keep unacknowledged here; the client
        # acknowledges once a second, so that the sender has to wait for it; there
        # is room for the round before, whose acknowledgement may be on its way.
        daemon = Daemon(json_plugin={"session_messages": 100})
        self.addAsyncCleanup(asyncio.to_thread, daemon.stop)
        proxy = self.proxy(daemon.port)
        service = Service(daemon, self.hub, aio=self.AIO)
        maker = Service(daemon, self.hub, port=proxy.port).sdk
        c = await self.client(
            urls=lambda: maker.get_client_access_token()["url"])
        told = self.acknowledged(c)
        sent = 0
        for _ in range(4):
            for n in range(40):
                await service.send_to_all({"n": sent + n})
            sent += 40
            await c.server.reach(sent)
            await told.until(lambda: sent in told.items, f"an ack of {sent}")
        await self.drop(proxy)
        await service.send_to_all({"n": sent})
        await c.server.reach(sent + 1)
        self.assertEqual([m.sequence_id for m in ordered(c.server.items)],
                         list(range(1, sent + 2)))
        self.assertEqual(len(c.connected), 1)
        await service.close()

    @staticmethod
    def acknowledged(c):
        """The sequence ids that the client's own timer takes to tell them."""
        told, ids = Log(), c.sdk._sequence_id
        take = ids.try_get_sequence_id

        def taken():
            is_new, sequence_id = take()
            if is_new:
                told.add(sequence_id)
            return is_new, sequence_id
        ids.try_get_sequence_id = taken
        return told


@each([(False, False), (True, False)])
class Reconnect(ClientCase):
    async def test_plain_json_connects_anew(self):
        proxy = self.proxy()
        c = await self.client(port=proxy.port)
        group = self.fresh()
        await c.join_group(group)
        proxy.cut()
        await c.connected.reach(2)
        await joined(self.service, group, c.connected[1].connection_id)
        await c.send_to_group(group, "after", TEXT)
        await c.group.reach(1)


@each(FLAVOURS)
class Events(ClientCase):
    HANDLER = True

    async def asyncSetUp(self):
        await super().asyncSetUp()
        self.hub = "events"
        self.service = self.make_service()
        self.handler.requests.clear()

    async def test_events_and_what_is_answered(self):
        def answer(event, headers, body):
            if event == "sys.connect":
                self.assertIn("claims", json.loads(body))
                return (200, "application/json", b'{"groups": ["from-handler"]}',
                        {"ce-connectionState": base64.b64encode(b"{}").decode()})
            if event.startswith("user."):
                if event == "user.fail":
                    return 400, None, b"", {}
                if event == "user.none":
                    return 204, None, b"", {}
                return 200, headers["Content-Type"], body, {}
            return 200, None, b"", {}
        self.handler.answer = answer
        c = await self.client()
        await c.send_event("echo", "hällo", TEXT)
        await c.send_event("echo", {"a": 1}, JSON)
        await c.send_event("echo", memoryview(b"\x00\xff"), BINARY)
        await c.send_event("none", "x", TEXT)
        await c.send_event("echo", "unasked", TEXT, ack=False)
        await self.refused("InternalServerError",
                           c.send_event("fail", "x", TEXT))
        await c.server.reach(4)
        self.same([plain(m) for m in ordered(c.server.items)],
                  ["hällo", {"a": 1}, b"\x00\xff", "unasked"])
        self.assertCountEqual([m.data_type for m in c.server.items],
                              ["text", "json", "binary", "text"])
        await self.service.send_to_group("from-handler", {"g": 1})
        await c.group.reach(1)
        kinds = [h["ce-type"] for h, _ in self.handler.requests]
        self.assertEqual(kinds[0], "azure.webpubsub.sys.connect")
        # What the samples for Flask look at.
        for headers, _ in self.handler.requests:
            self.assertEqual(headers["ce-hub"], "events")
            self.assertEqual(headers["ce-userId"], "alice")
            self.assertEqual(headers["ce-connectionId"],
                             c.connected[0].connection_id)
            self.assertTrue(headers["ce-signature"].startswith("sha256="))

    async def test_protobuf_event(self):
        self.handler.answer = lambda event, headers, body: (204, None, b"", {})
        c = await self.client()
        await c.send_event("pb", memoryview(ANY), PROTOBUF)
        headers, body = next(
            (h, b) for h, b in self.handler.requests
            if h["ce-type"] == "azure.webpubsub.user.pb")
        self.assertEqual((headers["Content-Type"], body),
                         ("application/x-protobuf", ANY))

    async def test_handler_that_says_no_fails_open(self):
        self.handler.answer = lambda event, headers, body: (
            401, "text/plain", b"no", {})
        refused = Client(self.urls(), self.AIO, self.RELIABLE)
        with self.assertRaises(OpenClientError):
            await refused._call("open")
