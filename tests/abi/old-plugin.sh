#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A plugin that was written for ABI 1.0 and compiled against its headers, a copy
# of them that never changes, lives in the present server: all its components
# are loaded, and a client talks to them.
set -eu
top=${top_srcdir:-.}
fixture=$top/tests/abi/fixtures/1.0
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

${CC:-cc} -std=c11 -Wall -Wextra -Werror -g -fPIC -shared -fvisibility=hidden \
  -Wl,-z,defs "-I$fixture/include" "$fixture/old.c" -o "$tmp/old.so"
chmod 755 "$tmp" "$tmp/old.so"

cat >"$tmp/old.yaml" <<YAML
listen:
  - address: 127.0.0.1:0
workers: 2
plugins:
  subprotocol-old: { path: "$tmp/old.so", room: parlour }
  auth-old: { path: "$tmp/old.so", key: sesame }
  upstream-old: { path: "$tmp/old.so" }
  http-old: { path: "$tmp/old.so" }
hubs:
  "*":
    anonymous: deny
    event_handlers:
      - { url: "old:app", user_events: "*", system_events: [connect] }
YAML
chmod 600 "$tmp/old.yaml"

python3 "$top/tests/abi/old_plugin.py" "$WEBPUBSUBD" -c "$tmp/old.yaml"
