#!/bin/sh
# A plugin of each kind, made, built and tested outside of the tree against an
# installed server, as its author would do it.
set -eu
: "${top_builddir:?run by make check}"
CC=${CC:-cc}
PKG_CONFIG=${PKG_CONFIG:-pkg-config}
unset MAKEFLAGS MFLAGS MAKELEVEL DESTDIR WEBPUBSUBD WEBPUBSUBCTL \
  WEBPUBSUBD_PLUGIN_DIR || :
# A name of its own for every variable that the server would take for a key.
for variable in $(env | sed -n 's/^\(WEBPUBSUBD_[A-Za-z0-9_]*\)=.*/\1/p'); do
  unset "$variable"
done

if ! $PKG_CONFIG --version >/dev/null 2>&1; then
  echo "pkg-config is not there"
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
    for log in "$work"/*.log; do
      echo "== $log" && cat "$log"
    done
  fi
  chmod -R u+w "$work" && rm -rf "$work"
  exit "$status"
}
trap finish EXIT
trap 'exit 1' INT TERM
fail() {
  echo "FAILED: $*" >&2
  exit 1
}

# ---- install ----

dest=$work/installed
make -C "$top_builddir" install DESTDIR="$dest" >"$work/install.log" 2>&1 ||
  fail "make install"
pc=$(find "$dest" -name webpubsub.pc)
[ -n "$pc" ] || fail "webpubsub.pc is not installed"
# The one thing that differs from a real prefix: where it stands.
sed -e "s|^\([a-z_]*=\)/|\1$dest/|" "$pc" >"$pc.new" && mv "$pc.new" "$pc"
PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH PKG_CONFIG
WEBPUBSUBD=$(find "$dest" -name webpubsubd -type f -perm -100)
WEBPUBSUBCTL=$(find "$dest" -name webpubsubctl -type f)
WEBPUBSUBD_PLUGIN_DIR=$($PKG_CONFIG --variable=plugindir webpubsub)
export WEBPUBSUBD WEBPUBSUBCTL WEBPUBSUBD_PLUGIN_DIR
[ -x "$WEBPUBSUBD" ] || fail "webpubsubd is not installed"
[ -x "$WEBPUBSUBCTL" ] || fail "webpubsubctl is not installed"
ls "$WEBPUBSUBD_PLUGIN_DIR"/*.so >/dev/null || fail "no plugins installed"
if ls "$WEBPUBSUBD_PLUGIN_DIR"/*.la >/dev/null 2>&1; then
  fail "libtool files are installed beside the plugins"
fi

# ---- what new-plugin refuses ----

cd "$work"
for name in "" Echo 1echo -echo echo_1 "a b" ../echo \
  a123456789012345678901234567890123456789012345678; do
  if "$WEBPUBSUBCTL" new-plugin --kind auth --dir bad -- "$name" \
    >>"$work/refused.log" 2>&1; then
    fail "new-plugin took the name \"$name\""
  fi
  [ ! -e bad ] || fail "a refused new-plugin left a folder"
done
if "$WEBPUBSUBCTL" new-plugin echo --kind store >>"$work/refused.log" 2>&1; then
  fail "new-plugin took the kind store"
fi
"$WEBPUBSUBCTL" new-plugin echo --kind auth >"$work/new.log" 2>&1 ||
  fail "new-plugin without --dir"
[ -f auth-echo/echo.c ] || fail "the default folder is not ./auth-echo"
echo mine >auth-echo/echo.c
if "$WEBPUBSUBCTL" new-plugin echo --kind auth >"$work/new.log" 2>&1; then
  fail "new-plugin wrote into a folder that was there"
fi
grep -q "there already" "$work/new.log" || fail "no word about the folder"
[ "$(cat auth-echo/echo.c)" = mine ] || fail "a file was overwritten"

# ---- each kind: make, build, test ----

for kind in subprotocol auth upstream http; do
  name=my-$kind
  dir=$work/$kind
  "$WEBPUBSUBCTL" new-plugin "$name" --kind "$kind" --dir "$dir" \
    >"$work/$kind.log" || fail "new-plugin --kind $kind"
  for file in "$name.c" Makefile "$name.yaml" README.md "test_$name.sh"; do
    [ -s "$dir/$file" ] || fail "$kind: no $file"
    if grep -q '@[A-Z][A-Z]*@' "$dir/$file"; then
      fail "$kind: a placeholder is left in $file"
    fi
  done
  make -C "$dir" CC="$CC" \
    WARNINGS="-Wall -Wextra -Wshadow -Wstrict-prototypes -Wvla -Werror" \
    check >>"$work/$kind.log" 2>&1 || fail "make check of the $kind plugin"
  [ "$(nm -D --defined-only "$dir/$kind-$name.so" | awk '{print $3}')" = \
    webpubsub_plugin_v1 ] || fail "$kind: exports more than the descriptor"
  "$WEBPUBSUBCTL" plugin-info "$dir/$kind-$name.so" >"$work/info.log" ||
    fail "plugin-info of the $kind plugin"
  grep -q "^  $kind-$name: " "$work/info.log" ||
    fail "plugin-info does not name $kind-$name"
  echo "$kind: built and tested"
done
for word in "plugin subprotocol-my-subprotocol 0.1" "built for ABI 1." \
  "room" "lobby"; do
  "$WEBPUBSUBCTL" plugin-info \
    "$work/subprotocol/subprotocol-my-subprotocol.so" | grep -q "$word" ||
    fail "plugin-info says nothing of: $word"
done

# ---- installed, and enabled by its name alone ----

make -C "$work/subprotocol" install >>"$work/subprotocol.log" 2>&1 ||
  fail "make install of the plugin"
[ -f "$WEBPUBSUBD_PLUGIN_DIR/subprotocol-my-subprotocol.so" ] ||
  fail "the plugin is not in the plugin folder"
cat >"$work/server.yaml" <<'YAML'
listen:
  - address: 127.0.0.1:0
plugins:
  subprotocol-my-subprotocol: { room: kitchen }
  subprotocol-json: {}
hubs:
  "*": { anonymous: allow }
YAML
"$WEBPUBSUBD" -t -c "$work/server.yaml" >"$work/check.log" 2>&1 ||
  fail "webpubsubd -t"
mkfifo "$work/out"
"$WEBPUBSUBD" -c "$work/server.yaml" >"$work/out" 2>"$work/server.log" &
server_pid=$!
exec 3<"$work/out"
http=
while [ -z "$http" ] && read -r word url _ <&3; do
  [ "$word" != ready ] || http=${url%/}
done
[ -n "$http" ] || fail "the installed server did not start"
answer=$("$WEBPUBSUBCTL" connect "ws${http#http}/client/hubs/chat" \
  --subprotocol my-subprotocol --send hello --receive 2) || fail "no answer"
[ "$answer" = "welcome
hello" ] || fail "the plugin answered: $answer"
kill "$server_pid"
wait "$server_pid" || fail "the server ended with status $?"
server_pid=

# ---- a plugin that others may write is not loaded ----

chmod g+w "$WEBPUBSUBD_PLUGIN_DIR/subprotocol-my-subprotocol.so"
if "$WEBPUBSUBD" -t -c "$work/server.yaml" >"$work/check.log" 2>&1; then
  fail "a plugin that the group may write was loaded"
fi
grep -q "chmod go-w" "$work/check.log" || fail "no word about its mode"
echo "passed"
