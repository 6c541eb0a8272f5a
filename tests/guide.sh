#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# doc/plugin-guide.md is true: what it shows is built, run and compared, in its
# order. A remark before a block of code says what the block is:
#
#   <!-- file: NAME -->      written down
#   <!-- run -->             commands; "run: node" where Node and ws are there
#   <!-- output -->          what the last commands have printed; "output: grep":
#                            lines that begin so are among it
#   <!-- server -->          runs until the next one
set -eu
top=${top_srcdir:?run by make check}
CC=${CC:-cc}
PKG_CONFIG=${PKG_CONFIG:-pkg-config}
unset MAKEFLAGS MFLAGS MAKELEVEL DESTDIR || :
shipped=$WEBPUBSUBD_PLUGIN_DIR
# A name of its own for every variable that the server would take for a key.
for variable in $(env | sed -n 's/^\(WEBPUBSUBD_[A-Za-z0-9_]*\)=.*/\1/p'); do
  unset "$variable"
done
if ! $PKG_CONFIG --version >/dev/null 2>&1; then
  echo "skipped: pkg-config is not there"
  exit 77
fi

work=$(mktemp -d)
server_pid=
finish() {
  status=$?
  trap - EXIT
  if [ -n "$server_pid" ]; then
    kill "$server_pid" 2>/dev/null || :
    wait "$server_pid" 2>/dev/null || :
  fi
  if [ "$status" -ne 0 ]; then
    tail -n 40 "$work/printed" "$work/errors" "$work/server.log" || :
  fi
  rm -rf "$work"
  exit "$status"
}
trap finish EXIT
trap 'exit 1' INT TERM
fail() {
  echo "FAILED: $*" >&2
  exit 1
}

# ---- what `make install` would have put there ----

prefix=$work/prefix
mkdir -p "$prefix/bin" "$prefix/lib/pkgconfig" "$prefix/lib/webpubsub/plugins" \
  "$work/blocks" "$work/here"
ln -s "$WEBPUBSUBD" "$prefix/bin/webpubsubd"
ln -s "$WEBPUBSUBCTL" "$prefix/bin/webpubsubctl"
ln -s "$shipped"/*.so "$prefix/lib/webpubsub/plugins"
printf '#!/bin/sh\nexec %s "$@"\n' "$CC" >"$prefix/bin/cc"
chmod +x "$prefix/bin/cc"
sed -e "s|@prefix@|$prefix|" -e 's|@exec_prefix@|${prefix}|' \
  -e 's|@libdir@|${exec_prefix}/lib|' -e "s|@includedir@|$top/include|" \
  -e 's|@WPS_ABI@|1.0|' -e 's|@VERSION@|0|' \
  "$top/etc/webpubsub.pc.in" >"$prefix/lib/pkgconfig/webpubsub.pc"
PATH=$prefix/bin:$PATH
PKG_CONFIG_PATH=$prefix/lib/pkgconfig
WEBPUBSUBD_PLUGIN_DIR=$prefix/lib/webpubsub/plugins
export PATH CC PKG_CONFIG PKG_CONFIG_PATH WEBPUBSUBD_PLUGIN_DIR

node=no
if command -v node >/dev/null 2>&1 &&
  [ -d "$top/tests/sdk/node_modules/ws" ]; then
  node=yes
  NODE_PATH=$top/tests/sdk/node_modules
  export NODE_PATH
fi

# ---- blocks ----

# The guide's port may be somebody's.
# The server is started several times on one port. Of those that the kernel
# gives to outgoing connections any may be taken meanwhile.
port=$(python3 -c 'import random, socket
first = int(open("/proc/sys/net/ipv4/ip_local_port_range").read().split()[0])
while True:
    port = random.randrange(1024, max(first, 2048))
    with socket.socket() as s:
        try:
            s.bind(("127.0.0.1", port))
            break
        except OSError:
            pass
print(port)')

awk -v dir="$work/blocks" '
  /^<!-- .* -->$/ { kind = $0; gsub(/^<!-- | -->$/, "", kind); next }
  /^```/ && inside { close(file); inside = 0; kind = ""; next }
  /^```/ && kind != "" {
    n++; inside = 1
    file = sprintf("%s/%03d", dir, n)
    print kind >(file ".kind"); close(file ".kind")
    printf "" >file
    next
  }
  inside { print >file }
' "$top/doc/plugin-guide.md"
sed -i "s/127\.0\.0\.1:8080/127.0.0.1:$port/g" "$work"/blocks/*

server_stop() {
  [ -n "$server_pid" ] || return 0
  kill "$server_pid"
  wait "$server_pid" || fail "the server ended with status $?"
  server_pid=
}

# Reads "ready ..." from the server's output, whose end ends the loop.
server_start() {
  server_stop
  rm -f "$work/out"
  mkfifo "$work/out"
  sed 's/^webpubsubd/exec webpubsubd/' "$1" >"$work/server"
  (cd "$work/here" && exec sh "$work/server") \
    >"$work/out" 2>"$work/server.log" &
  server_pid=$!
  exec 3<"$work/out"
  word=
  while [ "$word" != ready ] && read -r word _ <&3; do :; done
  [ "$word" = ready ] || fail "the server of block $1 did not start"
}

commands_run() {
  (cd "$work/here" && sh -eu "$1") >"$work/printed" 2>"$work/errors" ||
    fail "these commands: $(cat "$1")"
  if [ -f "$work/here/subprotocol-echo/echo.yaml" ]; then
    sed -i "s/127\.0\.0\.1:8080/127.0.0.1:$port/" \
      "$work/here/subprotocol-echo/echo.yaml"
  fi
}

touch "$work/printed" "$work/errors" "$work/server.log"
ran=0
compared=0
skipped=no
for kind_file in "$work"/blocks/*.kind; do
  kind=$(cat "$kind_file")
  block=${kind_file%.kind}
  case $kind in
  "file: "*) cp "$block" "$work/here/${kind#file: }" ;;
  server) server_start "$block" ;;
  run)
    skipped=no
    commands_run "$block"
    ran=$((ran + 1))
    ;;
  "run: node")
    skipped=yes
    if [ "$node" = yes ]; then
      skipped=no
      commands_run "$block"
      ran=$((ran + 1))
    else
      echo "Node or its package ws is not there: not tried: $(cat "$block")"
    fi
    ;;
  output)
    [ "$skipped" = yes ] || diff -u "$block" "$work/printed" ||
      fail "another output than the guide shows"
    compared=$((compared + 1))
    ;;
  "output: grep")
    while read -r line; do
      case $(cat "$work/printed") in
      *"$line"*) ;;
      *) fail "the guide shows a line that is not printed: $line" ;;
      esac
    done <"$block"
    compared=$((compared + 1))
    ;;
  *) fail "a block of unknown kind: $kind" ;;
  esac
done
server_stop
[ "$ran" -ge 8 ] && [ "$compared" -ge 6 ] ||
  fail "only $ran blocks of commands and $compared of output were found"

# ---- what is said about each plugin of the guide ----

cd "$work/here"
for plugin in *.so; do
  webpubsubctl plugin-info "$plugin" >"$work/printed" || fail "plugin-info"
  grep -q "^  ${plugin%.so}: " "$work/printed" || fail "plugin-info of $plugin"
  [ "$(nm -D --defined-only "$plugin" | awk '{print $3}')" = \
    webpubsub_plugin_v1 ] || fail "$plugin exports more than the descriptor"
done

# The loader's sentences, as far as a file can be made that earns them.
refused() {
  if webpubsubctl plugin-info "$1" >"$work/printed" 2>&1; then
    fail "$1 was loaded"
  fi
  grep -qF "$2" "$work/printed" || fail "of $1 it is not said: $2"
  grep -qF "$2" "$top/doc/plugin-guide.md" || fail "the guide lacks: $2"
}
refused ./missing.so "no such file"
refused . "not a regular file"
chmod g+w subprotocol-echo.so
refused ./subprotocol-echo.so "writable by its group"
chmod g-w subprotocol-echo.so
echo 'int nothing;' >nothing.c
cc -shared -fPIC nothing.c -o nothing.so
chmod go-w nothing.so
refused ./nothing.so "exports no webpubsub_plugin_v1"
cc -std=c11 -shared -fPIC -fvisibility=hidden \
  "-I$top/include" -DWPS_PLUGIN_NEEDS_MINOR=3 echo.c -o newer.so
chmod go-w newer.so
refused ./newer.so "needs ABI 1.3, this server has 1.0"
if [ "$(id -u)" = 0 ]; then
  cp nothing.so foreign.so
  chown 65534 foreign.so
  refused ./foreign.so "it must belong to root or to the user that runs the server"
fi
echo 'void gone(void); void f(void) { gone(); }' >undefined.c
cc -shared -fPIC undefined.c -o undefined.so
chmod go-w undefined.so
refused ./undefined.so "undefined symbol"
echo "$ran blocks of commands, $compared of output"
