#!/bin/sh
# Starts the server with this plugin on a free port and looks at what it does.
# Finds the server beside webpubsub's headers, or in WEBPUBSUBD, WEBPUBSUBCTL.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

prefix=$(${PKG_CONFIG:-pkg-config} --variable=exec_prefix webpubsub)
PATH=$PATH:$prefix/sbin:$prefix/bin
server=${WEBPUBSUBD:-webpubsubd}
ctl=${WEBPUBSUBCTL:-webpubsubctl}

work=$(mktemp -d)
pid=
finish() {
  status=$?
  trap - EXIT
  if [ -n "$pid" ]; then
    kill "$pid" 2>/dev/null || :
    wait "$pid" 2>/dev/null || :
  fi
  if [ "$status" -ne 0 ] && [ -s "$work/log" ]; then
    echo "the server's log:" >&2
    cat "$work/log" >&2
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

# The line "ready http://ADDRESS:PORT" says where the server listens; when it
# does not come up, the end of its output ends the loop.
mkfifo "$work/out"
"$server" -c "$here/@NAME@.yaml" --set "listen.0.address=127.0.0.1:0" \
  --set "plugins.@KIND@-@NAME@.path=$here/@KIND@-@NAME@.so" \
  >"$work/out" 2>"$work/log" &
pid=$!
exec 3<"$work/out"
http=
while [ -z "$http" ] && read -r word url rest <&3; do
  if [ "$word" = ready ]; then
    http=$url
  fi
done
[ -n "$http" ] || fail "the server did not start"
http=${http%/}
ws=ws${http#http}

@CHECKS@
# An orderly end: the plugin gives back what it took.
kill "$pid"
wait "$pid" || fail "the server ended with status $?"
pid=
echo "@KIND@-@NAME@: passed"
