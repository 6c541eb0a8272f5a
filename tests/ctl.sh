#!/bin/sh
# webpubsubctl against a running server: tokens, groups, passwords, TLS.
set -eu
: "${WEBPUBSUBD:?run by make check}" "${WEBPUBSUBCTL:?run by make check}"
ctl=$WEBPUBSUBCTL

work=$(mktemp -d)
server_pid= tail_pid= bench_pid= relay_pid=
finish() {
  status=$?
  trap - EXIT
  for pid in $server_pid $tail_pid $bench_pid $relay_pid; do
    kill "$pid" 2>/dev/null || :
    wait "$pid" 2>/dev/null || :
  done
  if [ "$status" -ne 0 ]; then
    for log in "$work"/*.log; do
      echo "== $log" && cat "$log"
    done
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
# refused TEXT COMMAND...: fails, and says TEXT
refused() {
  text=$1
  shift
  if "$@" >"$work/refused.log" 2>&1; then
    fail "succeeded: $*"
  fi
  grep -q -- "$text" "$work/refused.log" || fail "no \"$text\" from: $*"
}
same() {
  [ "$1" = "$2" ] || fail "expected \"$2\", got \"$1\""
}

claims_of() {
  printf %s "$1" | cut -d. -f2 | tr -- -_ +/ |
    awk '{ while (length($0) % 4) $0 = $0 "="; print }' | base64 -d
}

# ---- without a server ----

"$ctl" --help | grep -q new-plugin || fail "--help"
"$ctl" --version | grep -q "plugin ABI 1" || fail "--version"
for command in new-plugin plugin-info token hash-secret tail send connect \
  request bench manual; do
  "$ctl" "$command" --help | grep -q "^usage: webpubsubctl $command" ||
    fail "$command --help"
done
refused "no command" "$ctl" nonsense
refused "usage" "$ctl"
refused "which server" "$ctl" token --endpoint http://localhost
refused "URL must look like" "$ctl" connect localhost:8080
refused "no such file" "$ctl" plugin-info "$work/nothing.so"

set -- $("$ctl" token --dev --user alice --role r1 --role r2 --group g \
  --ttl 2h --hub chat)
[ $# = 2 ] || fail "token prints two lines"
same "$2" "ws://localhost:8080/client/hubs/chat?access_token=$1"
claims=$(claims_of "$1")
case $claims in
*'"aud":"http://localhost:8080/client/hubs/chat"'*'"sub":"alice"'*'"role":["r1","r2"]'*'"webpubsub.group":["g"]'*) ;;
*) fail "claims: $claims" ;;
esac
set -- $("$ctl" token --endpoint https://pubsub.example.com/ --hub news \
  --key 0123456789abcdef0123456789abcdef)
same "$2" "wss://pubsub.example.com/client/hubs/news?access_token=$1"
set -- $("$ctl" token --connection \
  "Endpoint=http://localhost:9;AccessKey=abc=;Version=1.0;")
same "$2" "ws://localhost:9/client/hubs/chat?access_token=$1"

# The token of an application server names the path.
set -- $("$ctl" token --dev --api /api/hubs/chat/:send)
same "$2" "http://localhost:8080/api/hubs/chat/:send"
claims=$(claims_of "$1")
case $claims in
*'"aud":"http://localhost:8080/api/hubs/chat/:send"'*) ;;
*) fail "claims: $claims" ;;
esac
refused "such as" "$ctl" token --dev --api chat
refused "UTF-8" "$ctl" token --dev --user "$(printf '\377')"
refused "cannot be written" sh -c '"$1" token --dev >/dev/full' - "$ctl"
refused "8 to 1023 bytes" sh -c \
  'printf %01024d 0 | "$1" hash-secret --iterations 1000' - "$ctl"

# ---- a server with TLS, passwords and keys ----

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
  -keyout "$work/key.pem" -out "$work/cert.pem" -days 2 -subj /CN=localhost \
  -addext subjectAltName=DNS:localhost >"$work/openssl.log" 2>&1 ||
  fail "openssl req"
openssl ecparam -name prime256v1 -genkey -noout -out "$work/es.key"
openssl ec -in "$work/es.key" -pubout -out "$work/es.pem" 2>/dev/null
printf '%s' 0123456789abcdef0123456789abcdef >"$work/access.key"
printf '%s' 'correct horse' >"$work/bob.secret"
chmod 600 "$work"/*.key "$work"/*.secret "$work/key.pem"
hash=$(echo 'battery staple' | "$ctl" hash-secret --iterations 1000)
cat >"$work/server.yaml" <<YAML
listen:
  - address: 127.0.0.1:0
  - address: 127.0.0.1:0
    tls: { certificate: $work/cert.pem, key: $work/key.pem }
access_keys: [ "file:$work/access.key" ]
plugins:
  subprotocol-simple: {}
  subprotocol-json: {}
  auth-jwt: { public_keys: [ "$work/es.pem" ], audience: [ my-app ] }
  auth-static:
    users:
      - { name: bob, secret: "file:$work/bob.secret", hubs: [ chat ] }
      - { name: eve, secret_hash: "$hash", user_id: eve-1 }
    keys:
      - { key: "sensor-key-0123456789abcdef01234567", user_id: sensor }
hubs:
  "*": { anonymous: deny }
  open: { anonymous: allow }
YAML
mkfifo "$work/out"
"$WEBPUBSUBD" -c "$work/server.yaml" >"$work/out" 2>"$work/server.log" &
server_pid=$!
exec 3<"$work/out"
http= https=
while [ -z "$http" ] && read -r word first second _ <&3; do
  if [ "$word" = ready ]; then
    http=${first%/}
    https=${second%/}
  fi
done
[ -n "$https" ] || fail "the server did not start"
port=${http##*:}
tls_port=${https##*:}
same "$("$ctl" request GET "$http/api/health" 2>"$work/health.log")" ok
grep -q "HTTP 200" "$work/health.log" || fail "health"

# ---- tail and send, in the clear and through TLS ----

key=file:$work/access.key
mkfifo "$work/tail" "$work/tail.err"
"$ctl" tail chat "my group" --count 3 --endpoint "http://localhost:$port" \
  --key "$key" >"$work/tail" 2>"$work/tail.err" &
tail_pid=$!
exec 4<"$work/tail" 5<"$work/tail.err"
read -r line <&5 || fail "tail ended"
same "$line" listening
"$ctl" send chat "my group" first --endpoint "http://localhost:$port" \
  --key "$key" || fail "send"
"$ctl" send chat "my group" '{"n":0.1}' --json --key "$key" \
  --endpoint "https://localhost:$tls_port" --ca "$work/cert.pem" ||
  fail "send through TLS"
"$ctl" send chat "my group" "last one" --config "$work/server.yaml" \
  --endpoint "http://localhost:$port" --user alice || fail "send"
read -r line <&4 && same "$line" first
read -r line <&4 && same "$line" '{"n":0.1}'
read -r line <&4 && same "$line" "last one"
wait "$tail_pid" || fail "tail ended with status $?"
tail_pid=
# A reader that leaves, as `| head -n 1` does, ends it.
"$ctl" tail chat "my group" --endpoint "http://localhost:$port" \
  --key "$key" >/dev/full 2>"$work/tail.err" &
tail_pid=$!
exec 5<"$work/tail.err"
read -r line <&5 || fail "tail ended"
"$ctl" send chat "my group" unseen --endpoint "http://localhost:$port" \
  --key "$key" || fail "send"
wait "$tail_pid" && fail "tail goes on without a reader"
tail_pid=
refused "TLS: " "$ctl" send chat g text --key "$key" \
  --endpoint "https://localhost:$tls_port"
refused "TLS: " "$ctl" send chat g text --key "$key" --ca "$work/cert.pem" \
  --endpoint "https://127.0.0.1:$tls_port"
refused "HTTP 401" "$ctl" send chat g text \
  --key 0123456789abcdef0123456789abcdeF --endpoint "http://localhost:$port"
refused "HTTP 400" "$ctl" send 1chat g text --key "$key" \
  --endpoint "http://localhost:$port"

# ---- names, keys, and who may go where ----

json=json.webpubsub.azure.v1
chat=ws://localhost:$port/client/hubs/chat
news=ws://localhost:$port/client/hubs/news
open=ws://localhost:$port/client/hubs/open
# user_of URL HEADER: the user id that the server greets with
user_of() {
  "$ctl" connect "$1" --subprotocol $json --receive 1 --header "$2" |
    sed -n 's/.*"userId":"\{0,1\}\([^",]*\)"\{0,1\}[,}].*/\1/p'
}
basic() {
  printf 'Authorization: Basic %s' "$(printf %s "$1" | base64 -w0)"
}
same "$(user_of "$chat" "$(basic 'bob:correct horse')")" bob
same "$(user_of "$chat" "$(basic 'bob:correct horse')")" bob
same "$(user_of "$chat" "$(basic 'eve:battery staple')")" eve-1
same "$(user_of "$news" "X-API-Key: sensor-key-0123456789abcdef01234567")" sensor
same "$(user_of "$chat?api_key=sensor-key-0123456789abcdef01234567" "X: y")" sensor
same "$(user_of "$open" "X: y")" null
refused "HTTP 403" "$ctl" connect "$news" --receive 1 \
  --header "$(basic 'bob:correct horse')"
for hub in "$chat" "$open"; do
  for header in "$(basic 'bob:wrong horse')" "$(basic 'mallory:correct horse')" \
    "Authorization: Basic x" "X-API-Key: wrong" "Authorization: Bearer x"; do
    refused "HTTP 401" "$ctl" connect "$hub" --receive 1 --header "$header"
  done
done
refused "HTTP 401" "$ctl" connect "$chat" --receive 1

# ---- a token that somebody else has signed (ES256) ----

base64url() {
  base64 -w0 | tr -- '+/' -_ | tr -d =
}
unhex() {
  for pair in $(sed 's/../& /g'); do
    printf "\\$(printf %03o "0x$pair")"
  done
}
# es256 CLAIMS: a token; openssl's DER becomes r and s of 32 bytes each
es256() {
  covered=$(printf %s '{"alg":"ES256","typ":"JWT"}' | base64url).$(
    printf %s "$1" | base64url)
  signature=$(printf %s "$covered" |
    openssl dgst -sha256 -sign "$work/es.key" |
    openssl asn1parse -inform DER | sed -n 's/.*INTEGER *://p' |
    awk '{ while (length($0) < 64) $0 = "0" $0; printf "%s", $0 }' |
    unhex | base64url)
  printf %s.%s "$covered" "$signature"
}
same "$(user_of "$chat" "Authorization: Bearer $(
  es256 '{"aud":"my-app","exp":4102444800,"sub":"carol"}')")" carol
refused "HTTP 401" "$ctl" connect "$chat" --receive 1 --header \
  "Authorization: Bearer $(es256 '{"aud":"other","exp":4102444800}')"
refused "HTTP 401" "$ctl" connect "$chat" --receive 1 --header \
  "Authorization: Bearer $(es256 '{"aud":"my-app","exp":1}')"

# ---- no secret in the log ----

kill "$server_pid"
wait "$server_pid" || fail "the server ended with status $?"
server_pid=
for secret in "correct horse" "battery staple" sensor-key eyJ \
  0123456789abcdef0123456789abcdef "$(printf %s 'bob:correct horse' | base64)"; do
  if grep -q -- "$secret" "$work/server.log"; then
    fail "in the log: $secret"
  fi
done

# ---- load on a development server ----

mkfifo "$work/dev"
"$WEBPUBSUBD" --dev --port 0 --set log.level=warn >"$work/dev" \
  2>"$work/dev.log" &
server_pid=$!
exec 3<"$work/dev"
read -r word connection <&3 || fail "the development server did not start"
same "$word" ready
# number NAME: the value of a member of the last result, as a whole number
number() {
  sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p" "$work/bench.json"
}
# bench EXPECTED_STATUS ARGUMENT...: where WHERE, an option, says
bench() {
  expected=$1 status=0
  shift
  "$ctl" bench "$@" --json "$where" --warmup 0s --duration "$duration" \
    >"$work/bench.json" 2>"$work/bench.log" || status=$?
  [ "$status" = "$expected" ] ||
    fail "bench $*: $status, $(cat "$work/bench.json" "$work/bench.log")"
}
# figures: whether the last run has any
figures() {
  [ "$(number received)" -gt 0 ] || return 1
  for name in published delivered roundtrips; do
    grep -q "\"${name}_per_second\":" "$work/bench.json" || continue
    [ "$(number ${name}_per_second)" -gt 0 ] || return 1
  done
}
duration=200ms
# Something that is no server of ours: it needs no key.
mkfifo "$work/open" "$work/port"
"${ctl%/*}/tests/bench/relay" 4 <"$work/open" >"$work/port" \
  2>"$work/relay.log" &
relay_pid=$!
exec 4>"$work/open" 5<"$work/port"
read -r port <&5 || fail "the relay did not start"
for protocol in simple json reliable raw; do
  where=--connection=$connection loaded=$server_pid
  [ "$protocol" != raw ] ||
    where=--endpoint=http://127.0.0.1:$port loaded=$relay_pid
  for scenario in "fanout --subscribers 10 --publishers 2 --window 4" \
    "fanout --subscribers 5 --rate 100 --size 5000" \
    "groups --groups 5 --members 3" "roundtrips --connections 5 --depth 2"; do
    # A machine that stood still meanwhile has nothing to show: once more then.
    for duration in 200ms 2s 20s; do
      # shellcheck disable=SC2086
      bench 0 $scenario --protocol $protocol --pid "$loaded"
      ! figures || break
    done
    duration=200ms
    grep -q '"verdict":"ok"' "$work/bench.json" || fail "$scenario: no verdict"
    figures || fail "$scenario: $(cat "$work/bench.json")"
    same "$(number received)" "$(number expected)"
    for name in lost duplicated reordered corrupted refused closed; do
      same "$(number $name)" 0
    done
    [ "$(number cpu_ns_per_message)" -gt 0 ] || fail "$scenario: no CPU time"
    [ "$(number rss)" -gt 0 ] || fail "$scenario: no memory"
  done
  bench 0 connections --connections 20 --hold 100ms --protocol $protocol \
    --pid "$loaded"
  same "$(number connections_ready)" 20
  same "$(number closed)" 0
  [ "$(number connects_per_second)" -gt 0 ] || fail "no connects"
  [ "$(number cpu_us_per_connect)" -gt 0 ] || fail "no CPU time of connects"
done
exec 4>&- 5<&-
wait "$relay_pid" || fail "the relay ended with status $?"
relay_pid=
where=--connection=$connection
bench 1 fanout --protocol raw
grep -q "HTTP 404" "$work/bench.log" || fail "raw spoke to a server of ours"
"$ctl" bench fanout --subscribers 5 --warmup 0s --duration 2s \
  --connection "$connection" | grep -q "verdict .*ok: [1-9]" ||
  fail "bench in words"

# It fails where the server refuses, and where something comes that it did not
# publish; then it tells no figures.
bench 1 fanout --subscribers 2 --token wrong
grep -q "HTTP 401" "$work/bench.log" || fail "the token was not refused"
bench 1 fanout --subscribers 2 --key 0123456789abcdef0123456789abcdef
grep -q "HTTP 401" "$work/bench.log" || fail "the key was not refused"
set -- $("$ctl" token --connection "$connection" --hub bench \
  --role webpubsub.sendToGroup)
bench 1 fanout --subscribers 2 --token "$1"
grep -q "joinGroup was refused" "$work/bench.log" || fail "joined without role"
set -- $("$ctl" token --connection "$connection" --hub bench \
  --role webpubsub.joinLeaveGroup --group g0)
bench 1 fanout --subscribers 2 --token "$1" --protocol simple
set -- $("$ctl" token --connection "$connection" --hub bench \
  --role webpubsub.joinLeaveGroup --role webpubsub.sendToGroup)
"$ctl" bench fanout --subscribers 2 --token "$1" --connection "$connection" \
  --json --rate 100 --warmup 0s --duration 5s >"$work/bench.json" &
bench_pid=$!
while kill -0 "$bench_pid" 2>"$work/kill.log"; do
  "$ctl" send bench g0 "from somewhere else" --connection "$connection" ||
    fail "send"
done
wait "$bench_pid" && fail "a message of others was not noticed"
bench_pid=
case $(cat "$work/bench.json") in
*_per_second*) fail "figures of a bad run" ;;
*'"verdict":"BAD","reason":"a message came that was not published here"'*) ;;
*) fail "no verdict: $(cat "$work/bench.json")" ;;
esac
refused "Connection refused" "$ctl" bench fanout --dev \
  --endpoint http://127.0.0.1:1
refused "ws:// only" "$ctl" bench fanout --dev --endpoint https://localhost:1
refused "no process" "$ctl" bench fanout --connection "$connection" \
  --pid 4194304
refused "need [0-9]* open files, and 100 are allowed" sh -c 'ulimit -n 100 &&
  "$@"' - "$ctl" bench connections --connections 200 --connection "$connection"
for wrong in "" "nothing" "fanout --size 37" "fanout --rate 0" \
  "groups --groups 0" "fanout --protocol mqtt" "fanout --duration 0s" \
  "groups --groups 1000000"; do
  # shellcheck disable=SC2086
  refused "usage: " "$ctl" bench $wrong --dev
done
kill "$server_pid"
wait "$server_pid" || fail "the development server ended with status $?"
server_pid=

# ---- configurations that the plugins refuse ----

# faulty TEXT PLUGINS...: webpubsubd -t names file and line, and says TEXT
faulty() {
  text=$1
  printf 'listen: [{address: "127.0.0.1:0"}]\nplugins:\n  %s\n' "$2" \
    >"$work/faulty.yaml"
  refused "faulty.yaml:[0-9]*:[0-9]*: .*$text" "$WEBPUBSUBD" -t \
    -c "$work/faulty.yaml"
}
faulty "No such file" 'auth-jwt: { public_keys: [ /nonexistent ] }'
faulty "private key" "auth-jwt: { public_keys: [ $work/es.key ] }"
faulty "JSON" "auth-jwt: { jwks: $work/es.pem }"
faulty "without public_keys" 'auth-jwt: { issuer: x }'
faulty "clock_skew" 'auth-jwt: { clock_skew: 2h }'
faulty "32 to 1024 bytes" 'auth-static: { keys: [ { key: short } ] }'
faulty "either secret" 'auth-static: { users: [ { name: a } ] }'
faulty "at least 8" 'auth-static: { users: [ { name: a, secret: b } ] }'
echo "passed"
