#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# selftest.sh - does every script key of ai-sim do what its comment says?
#
# TAP on standard output.  Starts a simulator of its own on a free port.  The program is $AI_SIM,
# else ai-sim in the build's test/sim, else the one beside this file.

here=$(cd "$(dirname "$0")" && pwd)
for sim in "$AI_SIM" "$PWD/test/sim/ai-sim" "$PWD/ai-sim" "$here/ai-sim"; do
    [ -n "$sim" ] && [ -x "$sim" ] && break
done
dir=$(mktemp -d) || exit 1
count=0 failed=0 serial=0 pid=
trap '[ -n "$pid" ] && kill "$pid" 2>/dev/null; rm -rf "$dir"' EXIT

bail() { echo "Bail out! $*"; exit 1; }
[ -x "$sim" ] || bail "no ai-sim; set AI_SIM"
command -v curl >/dev/null || bail "no curl"

check() { # NAME COMMAND...: a test that wants the command to succeed
    local name=$1
    shift
    count=$((count + 1))
    if "$@"; then
        echo "ok $count - $name"
    else
        failed=$((failed + 1))
        echo "not ok $count - $name"
        printf '#   wanted:'; printf ' %q' "$@"; echo
        printf '# rc=%s code=%s\n' "$rc" "$code"
        head -c 3000 "$dir/body" 2>/dev/null | tr -d '\000\r' | sed 's/^/#   /'; echo
        printf '#   %s\n' "$truth"
    fi
}

# --- what a check can ask
is() { [ "$1" = "$2" ]; }
least() { [ "$1" -ge "$2" ]; }
below() { [ "$1" -lt "$2" ]; }
has() { LC_ALL=C grep -aqF -e "$1" "$dir/body"; }
lacks() { ! has "$1"; }
head_has() { LC_ALL=C grep -aqiF -e "$1" "$dir/head"; }
head_lacks() { ! head_has "$1"; }
truth_has() { [[ $truth == *"$1"* ]]; }
ends_with() { LC_ALL=C grep -aq -e . "$dir/body" && [ "$(LC_ALL=C grep -a . "$dir/body" | tail -1)" = "$1" ]; }
number() { local n=${truth#*\"$1\":}; echo "${n%%[,\}]*}"; }
times() { LC_ALL=C grep -aoF -e "$1" "$dir/body" | wc -l; }
size() { wc -c <"$dir/body"; }
declared() { tr -d '\r' <"$dir/head" | sed -n 's/^Content-Length: //p'; }
words() { LC_ALL=C grep -ao '"content":"[^"]*"' "$dir/body" | sed 's/"content":"//; s/"$//' | tr -d '\n'; }

wait_for() { # ID [MORE]: the truth line(s) of a call, as soon as it has ended
    truth=$(curl -s "http://127.0.0.1:$port/_sim/wait?id=$1&timeout_ms=20000${2:-}")
}

post() { # PATH SCRIPT JSON [CURL OPTIONS]: sets rc, code, truth; leaves head and body
    local path=$1 script=$2 json=$3
    shift 3
    serial=$((serial + 1))
    id=t$serial
    : >"$dir/head"; : >"$dir/body"
    code=$(curl -s --max-time 20 -D "$dir/head" -o "$dir/body" -w '%{http_code}' \
        -H "X-Sim: $script" -H "X-Request-Id: $id" -H 'Authorization: Bearer sk-secret-tail' \
        -H 'Content-Type: application/json' -d "$json" "$@" "http://127.0.0.1:$port$path" \
        2>/dev/null)
    rc=$?
    wait_for "$id"
}

ask='{"model":"m","messages":[{"role":"user","content":"12345678"}]'
chat() { local s=$1; shift; post /v1/chat/completions "$s" "$ask}" "$@"; }
stream() { local s=$1; shift; post /v1/chat/completions "$s" "$ask,\"stream\":true}" "$@"; }
stream_usage() {
    local s=$1
    shift
    post /v1/chat/completions "$s" \
        "$ask,\"stream\":true,\"stream_options\":{\"include_usage\":true}}" "$@"
}

abandon() { # SCRIPT [REST OF THE JSON]: begins a call, leaves once it is under way
    local client rest=',"stream":true}'
    serial=$((serial + 1))
    id=t$serial
    : >"$dir/body"
    curl -sN -o "$dir/body" -H "X-Sim: $1" -H "X-Request-Id: $id" \
        -d "$ask${2:-$rest}" "http://127.0.0.1:$port/v1/chat/completions" &
    client=$!
    wait_for "$id" "&for=begin"
    kill "$client"
    wait "$client" 2>/dev/null
    rc=$?
    wait_for "$id"
}

# --- start
mkfifo "$dir/said"
"$sim" --port-file "$dir/port" --truth "$dir/truth" >"$dir/said" &
pid=$!
read -rt 20 said <"$dir/said" || bail "ai-sim did not start"
port=$(cat "$dir/port") || bail "no port file"
check "says where it listens" is "$said" "ai-sim: listening on 127.0.0.1:$port"

# --- plain chat
chat ""
check "plain: 200" is "$code" 200
check "plain: object" has '"object":"chat.completion"'
check "plain: 12 words by default" has '"completion_tokens":12,'
check "plain: prompt tokens are bytes/4" has '"prompt_tokens":2,'
check "plain: words from the list" has '"content":"the river keeps its own slow'
check "plain: truth says complete" truth_has '"ended":"complete"'
check "plain: truth has the tokens" truth_has '"prompt_tokens":2,"completion_tokens":12'
check "plain: truth has the key's tail only" truth_has '"key_tail":"tail"'
check "plain: truth has the header names" truth_has '"authorization"'
check "plain: truth has the body's size" truth_has "\"body_bytes\":$((${#ask} + 1)),"
check "plain: truth has the answer's size" truth_has "\"body_sent\":$(size),"
check "truth file has the same line" grep -qF "\"id\":\"$id\"" "$dir/truth"
chat "tokens=3;cached=1;reasoning=4"
check "tokens=3: three words" is "$(words)" "the river keeps"
check "reasoning=4 counts as completion" has '"completion_tokens":7,'
check "reasoning=4 in the details" has '"reasoning_tokens":4'
check "cached=1 in the details" has '"cached_tokens":1'
post /v1/chat/completions "" "$ask,\"max_tokens\":2}"
check "max_tokens cuts, finish is length" has '"finish_reason":"length"'
check "max_tokens is kept" has '"completion_tokens":2,'
chat "size=50;tokens=2"
check "size=50: words of 50 bytes" is "$(words | wc -c)" 100
post /v1/chat/completions "tokens=1" "$ask,\"n\":3}"
check "n=3: three choices" is "$(times '"index":')" 3

# --- streamed chat
stream "tokens=3"
check "stream: role comes first" is "$(grep -a -m1 -c '"role":"assistant"' <(head -1 "$dir/body"))" 1
check "stream: the words" is "$(words)" "the river keeps"
check "stream: finish" has '"finish_reason":"stop"'
check "stream: [DONE] is last" ends_with 'data: [DONE]'
check "stream: no usage unasked" lacks '"usage"'
check "stream: event stream" head_has 'content-type: text/event-stream'
check "stream: truth counts 6 events" truth_has '"events_sent":6,'
stream_usage "tokens=3"
check "include_usage: null before" is "$(times '"usage":null')" 5
check "include_usage: chunk without choices" has '"choices":[],"usage":{"prompt_tokens":2,'
check "include_usage: truth has what was told" truth_has '"told":{"prompt":2,"completion":3}'
stream_usage "tokens=3;done=0"
check "done=0: no [DONE]" lacks '[DONE]'
stream "tokens=1;id=ab c"
check "id=: in every chunk" is "$(times '"system_fingerprint":"ab c"')" 3
stream "comment=1;tokens=1"
check "comment=1: before each event" is "$(times ': keep-alive')" 4
stream "eol=crlf;tokens=1"
check "eol=crlf" is "$(tr -cd '\r' <"$dir/body" | wc -c)" 8
stream "eol=cr;tokens=1"
check "eol=cr: no line feed" is "$(tr -cd '\n' <"$dir/body" | wc -c)" 0
check "eol=cr: carriage returns" is "$(tr -cd '\r' <"$dir/body" | wc -c)" 8
stream "eol=lf;tokens=1"
check "eol=lf" is "$(tr -cd '\n' <"$dir/body" | wc -c)" 8

# --- where the script is found
post /v1/chat/completions "" '{"model":"m?tokens=2","messages":[]}'
check "script in the model's name" is "$(words)" "the river"
check "model's name is told without it" has '"model":"m"'
check "truth has the whole name" truth_has '"model":"m?tokens=2"'
post /v1/chat/completions "tokens=1" '{"model":"m?tokens=2;id=q","messages":[]}'
check "the header wins" is "$(words)" "the"
check "other keys of the name stay" has '"system_fingerprint":"q"'
chat "tokns=3"
check "unknown key: 400" is "$code" 400
check "unknown key: named" has "unknown script key 'tokns'"
for bad in status=99 status=x tokens= tokens=-1 cut=x eol=x usage=x length=0 garbage=0 chunk=0 \
    should_retry=1 reset=body fail=1 id=; do
    chat "$bad"
    check "bad value $bad: 400 naming it" has "script key '${bad%%=*}'"
    check "bad value $bad: status" is "$code" 400
done

# --- refusals by status
for status in 400 401 403 404 408 409 413 429 500 502 503 504 529; do
    chat "status=$status"
    check "status=$status" is "$code" "$status"
    check "status=$status: error body" has '{"error":{"message":"'
done
chat "status=503"
check "status=503: type" has '"type":"server_error"'
check "status=503: truth has no tokens" truth_has '"status":503,"prompt_tokens":0,"completion_tokens":0'
chat "status=404"
check "status=404: code" has '"code":"model_not_found"'
chat "status=201;tokens=1"
check "status=201: an answer" is "$code$(words)" "201the"
chat "status=204"
check "status=204: no body" is "$code$(size)" 2040
chat "busy=1"
check "busy=1: 503" is "$code" 503
chat "status=429;retry_after=7;retry_after_ms=70;should_retry=false"
check "retry_after" head_has 'retry-after: 7'
check "retry_after_ms" head_has 'retry-after-ms: 70'
check "should_retry=false" head_has 'x-should-retry: false'
chat "should_retry=true"
check "should_retry=true" head_has 'x-should-retry: true'
chat "status=502;body=html"
check "body=html" has '<html>'
check "body=html: type" head_has 'content-type: text/html'
chat "status=502;body=text"
check "body=text" head_has 'content-type: text/plain'
chat "status=502;body=empty"
check "body=empty" is "$(size)" 0
chat "status=502;body=json"
check "body=json" has '"error"'

# --- time: only lower bounds
chat "delay=120"
check "delay=120" least "$(number duration_ms)" 120
chat "first=120"
check "first=120" least "$(number duration_ms)" 120
abandon "delay=60000" "}"
check "delay: nothing was sent" truth_has '"status":0,'
check "delay: the peer left" truth_has '"ended":"client-closed"'
check "delay: when it left is told" least "$(number peer_closed_ms)" 0
abandon "first=60000"
check "first: the headers were sent" truth_has '"status":200,'
check "first: no body was" truth_has '"body_sent":0,'
stream "gap=40;tokens=2"
check "gap=40: three gaps in five events" least "$(number duration_ms)" 120
check "gap: all came" ends_with 'data: [DONE]'
stream "chunk=100;pace=30;tokens=1"
check "pace=30: between the writes of chunk=" least "$(number duration_ms)" 150

# --- splits
stream "chunk=1;tokens=12"
check "chunk=1: whole" is "$(words)" "the river keeps its own slow counsel naïve birds cross at dawn"
stream "chunk=1;tokens=1" --raw
check "chunk=1: one byte per HTTP chunk" is "$(tr -d '\r' <"$dir/body" | head -4 | tr '\n' .)" "1.d.1.a."
check "chunk=1: every byte so" is "$(size)" $((6 * $(number body_sent) + 5))
chat "chunk=7"
check "chunk=7: a plain answer is whole" is "$(size)" "$(declared)"

# --- ends
stream "cut=2"
check "cut=2: the client notices" is "$rc" 18
check "cut=2: two events" is "$(times 'data: ')" 2
check "cut=2: truth" truth_has '"events_sent":2,"ended":"cut"'
stream "cut=0"
check "cut=0: nothing after the headers" is "$code$(size)" 2000
chat "cut=0"
check "cut=0: plain" is "$rc$(size)" 180
chat "bytes=10"
check "bytes=10: plain" is "$rc.$(size)" 18.10
check "bytes=10: truth" truth_has '"body_sent":10,'
stream "bytes=300;tokens=5"
check "bytes=300: streamed" is "$(size)" 300
check "bytes=300: only whole events count" truth_has '"events_sent":1,"ended":"cut"'
abandon "stall=2"
check "stall=2: two events" truth_has '"events_sent":2,"ended":"stall-closed"'
abandon "stall=0" "}"
check "stall=0: plain, after the headers" truth_has '"status":200,"prompt_tokens":2,"completion_tokens":0'
stream "reset=headers"
check "reset=headers: a reset" is "$rc$(size)" 560
check "reset=headers: truth" truth_has '"ended":"reset"'
check "reset=headers: no status" truth_has '"status":0,'
stream "reset=2"
check "reset=2: a reset" is "$rc" 56
check "reset=2: after two events" is "$(times 'data: ')" 2
check "reset=2: truth" truth_has '"events_sent":2,"ended":"reset"'

# --- nonsense
chat "garbage=headers"
check "garbage=headers: not HTTP" is "$rc" 1
check "garbage=headers: truth" truth_has '"ended":"garbage"'
chat "garbage=body"
check "garbage=body: 200" is "$code" 200
check "garbage=body: not JSON" has '{]garbage'
stream "garbage=body"
check "garbage=body: streamed" has '{]garbage'
check "garbage=body: event stream" head_has 'text/event-stream'
stream "garbage=2;tokens=3"
check "garbage=2: event 2 is broken" is "$(sed -n 3p "$dir/body" | LC_ALL=C grep -ac '"delta":$')" 1
check "garbage=2: the others are not" is "$(words)" " river keeps"
chat "wrongtype=1"
check "wrongtype=1" head_has 'content-type: text/html'
check "wrongtype=1: 200" is "$code" 200
chat "length=+5"
check "length=+5: too high" is "$(declared)" "$(($(size) + 5))"
check "length=+5: the client notices" is "$rc" 18
chat ""
whole=$(size)
chat "length=-5"
check "length=-5: too low" is "$(declared)" "$((whole - 5))"
stream "tokens=2"
whole=$(size)
stream "tokens=2;length=+9"
check "length=+9: in a stream" is "$(declared)" "$((whole + 9))"
check "length=+9: instead of chunks" head_lacks 'transfer-encoding'
stream "error=2"
check "error=2: the second event" is "$(sed -n 3p "$dir/body" | grep -c '^data: {"error":{')" 1
check "error=2: and the last" is "$(times 'data: ')" 2
check "error=2: the stream ends well" is "$rc" 0
check "error=2: truth" truth_has '"events_sent":2,"ended":"error"'
chat "error=1"
check "error=1: plain, with 200" is "$code$(times '{"error":{')" 2001

# --- usage
chat "usage=none"
check "usage=none: plain" lacks '"usage"'
stream_usage "usage=none"
check "usage=none: streamed" lacks '"usage"'
check "usage=none: truth still counts" truth_has '"completion_tokens":12,"told":null'
stream "usage=on"
check "usage=on: unasked too" has '"usage":{"prompt_tokens":2,'
for pair in zero:0,:0, negative:-1,:-5, huge:9223372036854775807,:99999999999999999999999, \
    'text:"many",:"more",' excess:2,:112,; do
    kind=${pair%%:*} numbers=${pair#*:}
    chat "usage=$kind"
    check "usage=$kind: plain" has "\"prompt_tokens\":${numbers%%:*}\"completion_tokens\":${numbers#*:}"
    stream_usage "usage=$kind"
    check "usage=$kind: streamed" has "\"prompt_tokens\":${numbers%%:*}\"completion_tokens\":${numbers#*:}"
done
chat "usage=null"
check "usage=null: plain" has '"usage":null}'
stream_usage "usage=null"
check "usage=null: streamed" has '"choices":[],"usage":null'
stream_usage "usage=late"
check "usage=late: after [DONE]" is "$(grep -a . "$dir/body" | tail -2 | head -1)" 'data: [DONE]'
check "usage=late: it comes" is "$(tail -2 "$dir/body" | grep -c '"usage":{')" 1
stream_usage "usage=early;tokens=2"
check "usage=early: first event" is "$(head -1 "$dir/body" | grep -c '"completion_tokens":2,')" 1
check "usage=early: only there" is "$(times '"usage":{')" 1
stream "usage=every;tokens=3"
check "usage=every" is "$(grep -ao '"completion_tokens":[0-9]*' "$dir/body" | cut -d: -f2 | tr '\n' .)" 0.1.2.3.3.
post /v1/chat/completions "usage=excess;tokens=9" "$ask,\"max_tokens\":4}"
check "usage=excess: max_tokens is not kept" truth_has '"completion_tokens":9,"told":{"prompt":2,"completion":109}'

# --- kinds of answer
chat "tool=1"
check "tool=1: two calls" is "$(times '"type":"function"')" 2
check "tool=1: finish" has '"finish_reason":"tool_calls"'
stream "tool=1"
check "tool=1: streamed, two heads" is "$(times '"type":"function"')" 2
check "tool=1: arguments in fragments" least "$(times '{"arguments":')" 4
post /v1/chat/completions "tool=1" "$ask,\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"look\",\"parameters\":{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\"}}}}}]}"
check "tool=1: the caller's tool" has '"name":"look","arguments":"{\"n\":7}"'
post /v1/chat/completions "tool=1" '{"model":"m","messages":[{"role":"tool","tool_call_id":"x","content":"y"}]}'
check "tool=1: words once a tool has spoken" has '"finish_reason":"stop"'
chat "refuse=1"
check "refuse=1" has '"content":null,"refusal":"I'
stream "refuse=1"
check "refuse=1: streamed" has '"delta":{"refusal":"I'
post /v1/chat/completions "json=1" "$ask,\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"s\",\"schema\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"},\"b\":{\"type\":\"array\",\"items\":{\"enum\":[3]}},\"c\":{\"\$ref\":\"#/\$defs/d\"}},\"\$defs\":{\"d\":{\"type\":\"boolean\"}}}}}}"
check "json=1: fits the schema" has '"content":"{\"a\":\"word\",\"b\":[3],\"c\":true}"'
post /v1/chat/completions "json=1" "$ask,\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"s\",\"schema\":{\"type\":\"object\",\"properties\":{\"l\":{\"anyOf\":[{\"\$ref\":\"#\"},{\"type\":\"null\"}]},\"r\":{\"type\":\"array\",\"items\":{\"\$ref\":\"#\"}}}}}}}"
check "json=1: a schema that contains itself ends" has '{\"l\":null,\"r\":[]}'
chat "echo=1"
check "echo=1: the headers" has '\"x-request-id\":\"'"$id"
check "echo=1: the body" has '12345678'
stream "echo=1"
check "echo=1: streamed" has '\"path\":'
chat "mark=abc;seq=9"
check "mark= and seq= in the truth" truth_has '"mark":"abc","mark_seq":"9"'

# --- fail=N;key=NAME
for want in 503 503 200; do
    chat "status=503;fail=2;key=k1;tokens=1"
    check "fail=2: $want" is "$code" "$want"
done
check "fail=2: what is no misbehaviour stays" is "$(words)" the
chat "status=503;fail=1;key=k2"
check "fail=: another key counts for itself" is "$code" 503
curl -s -o /dev/null -d '' "http://127.0.0.1:$port/_sim/reset"
chat "status=503;fail=1;key=k1"
check "reset forgets the counts" is "$code" 503
curl -s "http://127.0.0.1:$port/_sim/calls" >"$dir/body"
check "calls: since the reset" has '{"active":0,"total":1,"last":[{"seq":'

# --- whose=TAIL
for who in tail xxxx,tail; do
    chat "status=401;whose=$who"
    check "whose=$who: the key that is meant" is "$code" 401
done
chat "status=401;whose=xxxx;tokens=1"
check "whose=xxxx: another key" is "$code" 200
check "whose=xxxx: what is no misbehaviour stays" is "$(words)" the
chat "status=401;whose=ail"
check "whose=ail: not a part of it" is "$code" 200

# --- other endpoints
post /openai/v1/responses "tokens=2" '{"model":"m","input":"12345"}'
check "responses: plain" has '"type":"output_text","text":"the river"'
check "responses: usage" has '"input_tokens":2,'
post /v1/responses "tokens=2" '{"model":"m","input":"12345","stream":true}'
check "responses: created first" is "$(head -1 "$dir/body")" 'event: response.created'
check "responses: deltas" is "$(times 'event: response.output_text.delta')" 2
check "responses: completed with usage" has '"status":"completed","background"'
check "responses: tokens in the truth" truth_has '"prompt_tokens":2,"completion_tokens":2,"told":{"prompt":2,"completion":2}'
check "responses: no [DONE]" lacks '[DONE]'
post /v1/responses "done=0" '{"model":"m","input":"1","stream":true}'
check "responses: done=0" lacks 'event: response.completed'
post /v1/responses "error=3" '{"model":"m","input":"1","stream":true}'
check "responses: error event" has 'event: error'
post /v1/responses "tool=1" '{"model":"m","input":"1","stream":true}'
check "responses: tools" is "$(times 'event: response.function_call_arguments.done')" 2
post /v1/responses "refuse=1" '{"model":"m","input":"1","stream":true}'
check "responses: refusal" has 'event: response.refusal.done'
post /v1/responses "" '{"model":"m","input":"1","max_output_tokens":1,"stream":true}'
check "responses: limit" has 'event: response.incomplete'
post /v1/responses "usage=late" '{"model":"m","input":"1","stream":true}'
check "responses: usage=late" is "$(times 'event: response.completed')" 2
post /v1/completions "tokens=2" '{"model":"m","prompt":["a","b"]}'
check "completions: one choice per prompt" is "$(times '"text":"the river"')" 2
post /v1/completions "tokens=2" '{"model":"m","prompt":"a","stream":true}'
check "completions: streamed" has '"text":" river"'
post /v1/embeddings "" '{"model":"m","input":["a","a","b"],"dimensions":3}'
check "embeddings: one each" is "$(times '"object":"embedding"')" 3
check "embeddings: three numbers" is "$(grep -o '"embedding":\[[^]]*\]' "$dir/body" | head -1 | tr -cd , | wc -c)" 2
check "embeddings: equal inputs, equal vectors" is "$(grep -o '"embedding":\[[^]]*\]' "$dir/body" | sort -u | wc -l)" 2
post /v1/embeddings "" '{"model":"m","input":"a","dimensions":3,"encoding_format":"base64"}'
check "embeddings: base64 of 12 bytes" is "$(sed 's/.*"embedding":"\([^"]*\)".*/\1/' "$dir/body" | base64 -d | wc -c)" 12
curl -s "http://127.0.0.1:$port/v1/models" >"$dir/body"
check "models: a list" has '{"object":"list","data":[{"id":"sim-chat"'
curl -s "http://127.0.0.1:$port/v1/models/abc" >"$dir/body"
check "models: one" has '{"id":"abc","object":"model"'
post '/v1/audio/x?q=1' "usage=on" 'not json'
check "other paths: echo" has '"method":"POST","path":"/v1/audio/x","query":"q=1"'
check "other paths: body length" has '"body_length":8'
check "other paths: usage when asked" has '"usage":{'
post /v1/audio/x "" ''
check "other paths: no usage unasked" lacks '"usage"'

# --- Anthropic's Messages API
claude='{"model":"m","max_tokens":99,"messages":[{"role":"user","content":"12345678"}]'
version=(-H 'anthropic-version: 2023-06-01')
says() { local s=$1; shift; post /v1/messages "$s" "$claude}" "${version[@]}" "$@"; }
talks() { local s=$1; shift; post /v1/messages "$s" "$claude,\"stream\":true}" "${version[@]}" "$@"; }
events() { grep -a '^event: ' "$dir/body" | sed 's/^event: //' | tr '\n' ' '; }
deltas() { # KIND MEMBER: what the deltas of a kind say, joined
    grep -ao "\"type\":\"$1\",\"$2\":\"\([^\"\\\\]\|\\\\.\)*\"" "$dir/body" \
        | sed "s/^\"type\":\"$1\",\"$2\":\"//; s/\"\$//" | tr -d '\n'
}

says "tokens=3"
check "messages: 200" is "$code" 200
check "messages: a message" has '"type":"message","role":"assistant","content":[{"type":"text","text":"the river keeps"}]'
check "messages: stop reason" has '"stop_reason":"end_turn","stop_sequence":null'
check "messages: usage" has '"usage":{"input_tokens":2,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,'
check "messages: output tokens" has '"output_tokens":3,'
check "messages: truth" truth_has '"prompt_tokens":2,"completion_tokens":3,"told":{"prompt":2,"completion":3}'
check "messages: header request-id" head_has 'request-id: req_sim'
check "messages: rate limit headers" head_has 'anthropic-ratelimit-requests-limit:'
check "messages: no header of OpenAI's" head_lacks 'openai-'
check "messages: no x-request-id" head_lacks 'x-request-id'
check "messages: rate limit of tokens" head_has 'anthropic-ratelimit-tokens-remaining: 399000'
curl -s -o "$dir/body" -H 'X-Request-Id: keyed' -H 'x-api-key: sk-ant-1234' "${version[@]}" -d "$claude}" \
    "http://127.0.0.1:$port/v1/messages"
wait_for keyed
check "messages: key_tail of x-api-key" truth_has '"key_tail":"1234"'
says "tokens=3;cached=90;written=5;reasoning=4"
check "messages: the cache beside the input" has '"input_tokens":2,"cache_creation_input_tokens":5,"cache_read_input_tokens":90,'
check "messages: reasoning counts as output" has '"output_tokens":7,"output_tokens_details":{"thinking_tokens":4}'
check "messages: truth has the sum" truth_has '"prompt_tokens":97,"completion_tokens":7,"told":{"prompt":97,"completion":7}'
check "messages: a thinking block first" has '"content":[{"type":"thinking","thinking":"The river comes first.","signature":"c2lt'
post /v1/messages "" '{"model":"m","max_tokens":2,"n":3,"system":"1234","messages":[{"role":"user","content":[{"type":"text","text":"1234"}]}]}' "${version[@]}"
check "messages: max_tokens cuts" has '"stop_reason":"max_tokens"'
check "messages: max_tokens is kept" has '"output_tokens":2,'
check "messages: the system text counts" has '"input_tokens":2,'

talks "tokens=2"
check "messages stream: order" is "$(events)" "message_start content_block_start ping content_block_delta content_block_delta content_block_stop message_delta message_stop "
check "messages stream: type in the data" is "$(grep -a '^data: ' "$dir/body" | sed 's/^data: {"type":"\([a-z_]*\)".*/\1/' | tr '\n' ' ')" "$(events)"
check "messages stream: the words" is "$(deltas text_delta text)" "the river"
check "messages stream: usage at the start" is "$(head -2 "$dir/body" | grep -c '"usage":{"input_tokens":2,.*"output_tokens":1,')" 1
check "messages stream: stop reason and usage" is "$(grep -ac '"type":"message_delta","delta":{"stop_reason":"end_turn",.*"usage":{"input_tokens":2,.*"output_tokens":2,' "$dir/body")" 1
check "messages stream: message_stop is last" ends_with 'data: {"type":"message_stop"}'
check "messages stream: truth" truth_has '"prompt_tokens":2,"completion_tokens":2,"told":{"prompt":2,"completion":2}'
check "messages stream: truth counts 8 events" truth_has '"events_sent":8,"ended":"complete"'
talks "tokens=1;reasoning=4"
check "messages stream: thinking first" is "$(events)" "message_start content_block_start ping content_block_delta content_block_delta content_block_delta content_block_stop content_block_start content_block_delta content_block_stop message_delta message_stop "
check "messages stream: thinking in two pieces" is "$(times '"index":0,"delta":{"type":"thinking_delta"')$(deltas thinking_delta thinking)" "2The river comes first."
check "messages stream: signature delta" has '"index":0,"delta":{"type":"signature_delta","signature":"c2lt'
check "messages stream: the text is block 1" has '"index":1,"delta":{"type":"text_delta","text":"the"}'
check "messages stream: no more thought than told" is "$(grep -ao '"thinking_tokens":[0-9]*' "$dir/body" | cut -d: -f2 | tr '\n' .)" 1.4.
check "messages stream: thinking in the truth" truth_has '"completion_tokens":5,'
talks "tokens=1;done=0"
check "messages stream: done=0" ends_with "$(grep -a '"type":"message_delta"' "$dir/body")"
talks "tokens=1;id=ab c"
check "messages stream: id= in every event" is "$(times '"sim_id":"ab c"')" "$(times 'event: ')"
says "id=ab c"
check "messages: id=" has '"sim_id":"ab c"'
talks "error=4"
check "messages stream: error=4" is "$(events)" "message_start content_block_start ping error "
check "messages stream: error=4: overloaded" has 'data: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_sim'
check "messages stream: error=4: truth" truth_has '"events_sent":4,"ended":"error"'
says "error=1"
check "messages: error=1: plain, with 200" is "$code$(times '{"type":"error","error":{')" 2001
talks "cut=2"
check "messages stream: cut=2" is "$rc$(events)" "18message_start content_block_start "
check "messages stream: cut=2: what was told" truth_has '"completion_tokens":0,"told":{"prompt":2,"completion":1}'
talks "reset=3"
check "messages stream: reset=3" is "$rc$(events)" "56message_start content_block_start ping "
talks "garbage=4;tokens=3"
check "messages stream: garbage=4: broken JSON" is "$(LC_ALL=C grep -ac '"delta":$' "$dir/body")" 1
check "messages stream: garbage=4: only there" is "$(deltas text_delta text)" " river keeps"
talks "tokens=1;eol=crlf;comment=1"
check "messages stream: eol=crlf, comment=1" is "$(tr -cd '\r' <"$dir/body" | wc -c)" 35
talks "chunk=1;tokens=12"
check "messages stream: chunk=1" is "$(deltas text_delta text)" "the river keeps its own slow counsel naïve birds cross at dawn"
talks "tokens=2"
whole=$(size)
talks "tokens=2;length=+9"
check "messages stream: length=+9" is "$rc$(declared)" "18$((whole + 9))"
talks "wrongtype=1"
check "messages stream: wrongtype=1" head_has 'content-type: text/html'

for pair in zero:0,:0, negative:-1,:-5, huge:9223372036854775807,:99999999999999999999999, \
    'text:"many",:"more",' excess:2,:199,; do
    kind=${pair%%:*} numbers=${pair#*:}
    says "usage=$kind"
    check "messages: usage=$kind" is "$(grep -c "\"input_tokens\":${numbers%%:*}.*\"output_tokens\":${numbers#*:}" "$dir/body")" 1
    talks "usage=$kind"
    check "messages stream: usage=$kind" is "$(grep -c "\"input_tokens\":${numbers%%:*}.*\"output_tokens\":${numbers#*:}" "$dir/body")" 2
done
says "usage=none"
check "messages: usage=none" lacks '"usage"'
talks "usage=none"
check "messages stream: usage=none" lacks '"usage"'
check "messages stream: usage=none: truth" truth_has '"completion_tokens":12,"told":null'
says "usage=null"
check "messages: usage=null" has '"usage":null'
talks "usage=null"
check "messages stream: usage=null" is "$(times '"usage":null')" 2
talks "usage=early;tokens=2"
check "messages stream: usage=early" is "$(times '"usage":{')$(head -2 "$dir/body" | grep -c '"output_tokens":2,')" 11
talks "usage=late;tokens=2"
check "messages stream: usage=late" is "$(times '"usage":{')$(grep -a '^event' "$dir/body" | tail -2 | tr '\n' ' ')" "1event: message_stop event: message_delta "
talks "usage=every;tokens=2;reasoning=3"
check "messages stream: usage=every" is "$(grep -ao '"output_tokens":[0-9]*' "$dir/body" | cut -d: -f2 | tr '\n' .)" 1.3.3.3.4.5.5.

says "tool=1"
check "messages: tool=1" has '{"type":"tool_use","id":"toolu_sim'
check "messages: tool=1: two" is "$(times '"type":"tool_use"')" 2
check "messages: tool=1: the input is JSON" has '"input":{"timezone":"Europe/Zurich"}'
check "messages: tool=1: stop reason" has '"stop_reason":"tool_use"'
talks "tool=1"
check "messages stream: tool=1: two blocks" is "$(times '"content_block":{"type":"tool_use"')" 2
check "messages stream: tool=1: empty input first" is "$(times '"input":{}}')" 2
check "messages stream: tool=1: fragments" is "$(deltas input_json_delta partial_json)" '{\"city\":\"Zürich\",\"unit\":\"celsius\"}{\"timezone\":\"Europe/Zurich\"}'
check "messages stream: tool=1: tokens" truth_has '"completion_tokens":5,"told":{"prompt":2,"completion":5}'
post /v1/messages "tool=1" "$claude,\"tools\":[{\"name\":\"look\",\"input_schema\":{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\"}}}}]}" "${version[@]}"
check "messages: tool=1: the caller's tool" has '"name":"look","input":{"n":7}'
post /v1/messages "tool=1" '{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"x","content":"y"}]}]}' "${version[@]}"
check "messages: tool=1: words once a tool has spoken" has '"stop_reason":"max_tokens"'
says "refuse=1"
check "messages: refuse=1" has '"stop_reason":"refusal","stop_sequence":null,"stop_details":{"type":"refusal",'
talks "refuse=1"
check "messages stream: refuse=1" has '"delta":{"stop_reason":"refusal",'
says "echo=1"
check "messages: echo=1" has '\"anthropic-version\":\"2023-06-01\"'
talks "echo=1"
check "messages stream: echo=1" is "$(deltas text_delta text | grep -c 'anthropic-version.*12345678')" 1
post /v1/messages "json=1" "$claude,\"output_config\":{\"format\":{\"type\":\"json_schema\",\"schema\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"boolean\"}}}}}}" "${version[@]}"
check "messages: json=1" has '"text":"{\"a\":true}"'

for pair in 400:invalid_request_error 401:authentication_error 402:billing_error \
    403:permission_error 404:not_found_error 408:timeout_error 409:conflict_error \
    413:request_too_large 422:invalid_request_error 429:rate_limit_error 500:api_error \
    502:api_error 503:overloaded_error 504:timeout_error 529:overloaded_error; do
    talks "status=${pair%%:*}"
    check "messages: status=$pair" is "$code$(times "{\"type\":\"error\",\"error\":{\"type\":\"${pair#*:}\",\"message\":\"")" "${pair%%:*}1"
done
talks "status=429;retry_after=7"
check "messages: retry_after" head_has 'retry-after: 7'
says "tokns=3"
check "messages: unknown key" has '"type":"invalid_request_error","message":"x-sim: ai-sim: unknown script key'
post /v1/messages "" "$claude}"
check "messages: no version: 400" is "$code$(times '"type":"invalid_request_error","message":"anthropic-version: header is required"')" 4001
for bad in '{"model":' '{"max_tokens":1,"messages":[]}' '{"model":"m","messages":[]}' \
    '{"model":"m","max_tokens":1}' '{"model":"m","max_tokens":"1","messages":[]}'; do
    post /v1/messages "" "$bad" "${version[@]}"
    check "messages: $bad: 400" is "$code$(times '{"type":"error","error":{"type":"invalid_request_error",')" 4001
done
post /v1/threads/t1/messages "" '{"role":"user"}'
check "messages of a thread: echo" has '"object":"sim.echo"'

post /v1/messages/count_tokens "cached=9" '{"model":"m","messages":[{"role":"user","content":"12345"}]}' "${version[@]}"
check "count_tokens" is "$code$(cat "$dir/body")" '200{"input_tokens":2}'
check "count_tokens: nothing in the truth" truth_has '"prompt_tokens":0,"completion_tokens":0,"told":null'
post /v1/messages/count_tokens "" '{"model":"m","messages":[]}'
check "count_tokens: no version: 400" is "$code" 400
post /v1/messages/count_tokens "status=529" '{"model":"m","messages":[]}' "${version[@]}"
check "count_tokens: status=529" is "$code$(times '"type":"overloaded_error"')" 5291
curl -s "${version[@]}" "http://127.0.0.1:$port/v1/models" >"$dir/body"
check "models: Anthropic's list" has '{"data":[{"type":"model","id":"sim-claude","display_name":"sim-claude","created_at":"'
check "models: Anthropic's page" has '"has_more":false,"first_id":"sim-claude","last_id":"sim-claude-large"}'
curl -s "${version[@]}" "http://127.0.0.1:$port/v1/models/abc" >"$dir/body"
check "models: one in Anthropic's shape" has '{"type":"model","id":"abc",'

# --- what both dialects can be made to say
says "redacted=1;reasoning=3;tokens=1"
check "messages: redacted=1" is "$(grep -ao '"type":"[a-z_]*"' "$dir/body" | tr -d '\n')" '"type":"message""type":"thinking""type":"redacted_thinking""type":"text"'
talks "redacted=1;tokens=1"
check "messages stream: redacted=1" is "$(events)" "message_start content_block_start ping content_block_stop content_block_start content_block_delta content_block_stop message_delta message_stop "
check "messages stream: redacted=1: whole at the start" has '"index":0,"content_block":{"type":"redacted_thinking","data":"b25s'
says "tool=1;calls=1"
check "messages: calls=1" is "$(times '"type":"tool_use"')" 1
talks "tool=1;calls=1"
check "messages stream: calls=1" is "$(times 'content_block_start"')$(deltas input_json_delta partial_json)" '1{\"city\":\"Zürich\",\"unit\":\"celsius\"}'
chat "tool=1;calls=1"
check "chat: calls=1" is "$(times '"type":"function"')" 1
stream "tool=1;calls=1"
check "chat stream: calls=1" is "$(times '"name":')$(times '"finish_reason":"tool_calls"')" 11
post /v1/responses "tool=1;calls=1" '{"model":"m","input":"x","stream":true}'
check "responses stream: calls=1" is "$(times 'event: response.output_item.added')" 1
says "finish=stop_sequence"
check "messages: finish=stop_sequence" has '"stop_reason":"stop_sequence","stop_sequence":"END"'
talks "finish=pause_turn"
check "messages stream: finish=" has '"delta":{"stop_reason":"pause_turn","stop_sequence":null'
chat "finish=content_filter"
check "chat: finish=" has '"finish_reason":"content_filter"'
stream "finish=length;tool=1"
check "chat stream: finish=" is "$(times '"finish_reason":"length"')" 1
chat "thought=1;tokens=1"
check "chat: thought=1" has '"reasoning_content":"The river comes first."}'
stream "thought=1;tokens=1"
check "chat stream: thought=1" is "$(grep -ao '"delta":{[^}]*}' "$dir/body" | sed 's/.*:{"\([a-z_]*\).*/\1/; s/.*{}/-/' | tr '\n' ' ')" 'role reasoning_content reasoning_content content - '
check "chat stream: thought=1: the words" is "$(grep -ao '"reasoning_content":"[^"]*"' "$dir/body" | cut -d'"' -f4 | tr -d '\n')" "The river comes first."
chat "cached=3;written=2"
check "chat: written=" has '"prompt_tokens_details":{"cached_tokens":3,"audio_tokens":0,"cache_write_tokens":2}'
stream "whole=1;tokens=2"
check "chat stream: whole=1" has '"object":"chat.completion","created"'
check "chat stream: whole=1: its type" head_has 'content-type: application/json'
talks "whole=1;tokens=2"
check "messages stream: whole=1" has '"content":[{"type":"text","text":"the river"}]'
chat "status=400;message=prompt is too long: 9 > 8"
check "chat: message=" has '"message":"prompt is too long: 9 > 8"'
says "status=400;message=prompt is too long: 9 > 8"
check "messages: message=" has '"message":"prompt is too long: 9 > 8"'
talks "error=2;message=not now"
check "messages stream: message=" has '"type":"overloaded_error","message":"not now"'
stream "error=2;message=not now"
check "chat stream: message=" has '"message":"not now"'
check "chat: rate limit of tokens" head_has 'x-ratelimit-reset-tokens: 1m30s'

# --- what a strict provider refuses: REST OF THE JSON | WHERE ("": nothing is wrong)
u='"messages":[{"role":"user","content":"x"}]'
f='{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}'
c='{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]}'
while IFS='|' read -r rest where; do
    post /strict/v1/chat/completions "" "{\"model\":\"m\",$rest}"
    check "strict chat: $rest" is "$code$(grep -ao '"param":"[^"]*"' "$dir/body")" \
        "${where:+400\"param\":\"$where\"}$([ -n "$where" ] || echo 200)"
done <<END
$u|
$u,"tools":[$f],"tool_choice":"auto","parallel_tool_calls":false,"stop":["a"],"user":"u","seed":1|
$u,"system":"s"|system
$u,"max_tokens":1,"max_completion_tokens":1|max_tokens
$u,"temperature":2.5|temperature
$u,"stop":["a","b","c","d","e"]|stop
$u,"stream_options":{"include_usage":true}|stream_options
$u,"parallel_tool_calls":true|tool_choice
$u,"tools":[]|tools
$u,"tools":[{"name":"f","input_schema":{}}]|tools.type
$u,"tools":[{"type":"function","function":{"name":"a.b"}}]|tools.function.name
$u,"tools":[$f],"tool_choice":{"type":"any"}|tool_choice
$u,"reasoning_effort":"much"|reasoning_effort, service_tier
$u,"response_format":{"type":"json_schema","json_schema":{"schema":{}}}|response_format.json_schema.name
"messages":[]|messages
"messages":[{"role":"robot","content":"x"}]|messages[0]
"messages":[{"role":"user","content":[]}]|messages[0]
"messages":[{"role":"user","content":"x","cache_control":{}}]|messages[0].cache_control
"messages":[{"role":"user","content":[{"type":"image","source":{}}]}]|messages[0].content[0].source
"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"ftp://x/y"}}]}]|messages[0].content[0]
"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/y","detail":"low"}}]}]|
"messages":[{"role":"user","content":[{"type":"file","file":{"file_data":"data:application/pdf;base64,AAAA","filename":"a.pdf"}}]}]|
"messages":[{"role":"user","content":[{"type":"file","file":{"file_data":"data:application/pdf;base64,AAAA"}}]}]|messages[0].content[0]
"messages":[{"role":"system","content":[{"type":"image_url","image_url":{"url":"https://x/y"}}]}]|messages[0].content[0]
"messages":[{"role":"assistant","content":null}]|messages[0]
"messages":[{"role":"assistant","content":"x","reasoning_content":"y"}]|messages[0].reasoning_content
"messages":[$c,{"role":"tool","tool_call_id":"c1","content":"r"}]|
"messages":[$c]|messages
"messages":[$c,{"role":"user","content":"x"}]|messages[1]
"messages":[$c,{"role":"tool","tool_call_id":"c2","content":"r"}]|messages[1]
"messages":[{"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":{}}}]}]|messages[0].tool_calls[0]
END
t='"tools":[{"name":"f","input_schema":{"type":"object"}}]'
a='{"role":"assistant","content":[{"type":"tool_use","id":"c1","name":"f","input":{}}]}'
r='{"type":"tool_result","tool_use_id":"c1","content":"r"}'
w='{"type":"thinking","thinking":"t","signature":"c2ltdWxhdGVkLXNpZ25hdHVyZQ=="}'
while IFS='|' read -r rest where; do
    post /strict/v1/messages "" "{\"model\":\"m\",\"max_tokens\":2000,$rest}" "${version[@]}"
    check "strict messages: $rest" is \
        "$code$(grep -ao '"message":"[^ ]*:' "$dir/body" | sed 's/.*:"//; s/:$//')" \
        "${where:+400$where}$([ -n "$where" ] || echo 200)"
done <<END
$u|
$u,$t,"tool_choice":{"type":"any","disable_parallel_tool_use":true},"metadata":{"user_id":"u"},"top_k":3|
$u,"n":1|n
$u,"temperature":1.5|temperature
$u,"stop_sequences":[" "]|stop_sequences
$u,"system":""|system
$u,"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral","ttl":"1h"}}]|
$u,"metadata":{"a":"b"}|metadata.a
$u,"service_tier":"flex"|service_tier
$u,"thinking":{"type":"enabled","budget_tokens":100}|thinking.enabled.budget_tokens
$u,"thinking":{"type":"enabled","budget_tokens":1024},"temperature":0.5|temperature
$u,"thinking":{"type":"enabled","budget_tokens":1024},$t,"tool_choice":{"type":"any"}|tool_choice
$u,"output_config":{"effort":"minimal"}|output_config.effort
$u,"output_config":{"effort":"low","format":{"type":"json_schema","schema":{}}}|
$u,"output_config":{"format":{"type":"json_object","schema":{}}}|output_config.format.type
$u,"tool_choice":{"type":"auto"}|tool_choice
$u,"tools":[{"name":"f"}]|tools.input_schema
$u,"tools":[{"name":"f.g","input_schema":{"type":"object"}}]|tools
$u,$t,"tool_choice":{"type":"none","disable_parallel_tool_use":true}|tool_choice.disable_parallel_tool_use
"messages":[]|messages
"messages":[{"role":"tool","content":"x"}]|messages.0
"messages":[{"role":"user","content":""}]|messages.0
"messages":[{"role":"user","content":[]}]|messages.0
"messages":[{"role":"user","content":[{"type":"text","text":" \\n"}]}]|messages.0.content.0
"messages":[{"role":"user","content":"x","name":"y"}]|messages.0.name
"messages":[{"role":"user","content":[{"type":"image_url","image_url":{}}]}]|messages.0.content.0
"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/tiff","data":"AA"}}]}]|messages.0.content.0
"messages":[{"role":"user","content":[{"type":"document","source":{"type":"text","media_type":"text/plain","data":"AA"},"title":"t"}]}]|
"messages":[{"role":"assistant","content":[{"type":"image","source":{"type":"url","url":"https://x/y"}}]}]|messages.0.content.0
"messages":[$a,{"role":"user","content":[$r]}],$t|
"messages":[$a,{"role":"user","content":[{"type":"text","text":"x"},$r]}],$t|messages.1.content.1
"messages":[$a,{"role":"user","content":"x"}],$t|messages.1
"messages":[$a],$t|messages
"messages":[{"role":"user","content":[$r]}],$t|messages.0.content.0
"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"c.1","name":"f","input":{}}]}],$t|messages.0.content.0
"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"c1","name":"f","input":"{}"}]}],$t|messages.0.content.0
"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"t"}]}]|messages.0.content.0.signature
"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"x"}]}]|messages.0.content.0
"messages":[{"role":"assistant","content":[$w,{"type":"tool_use","id":"c1","name":"f","input":{}}]},{"role":"user","content":[$r]}],$t,"thinking":{"type":"enabled","budget_tokens":1024}|
"messages":[$a,{"role":"user","content":[$r]}],$t,"thinking":{"type":"enabled","budget_tokens":1024}|messages.0
"messages":[$a,{"role":"user","content":[$r]}],$t,"thinking":{"type":"adaptive"}|
END
post /v1/responses "tokens=1" '{"prompt":{"id":"pmpt_1"}}'
check "responses: a stored prompt is enough" is "$code" 200

# --- moderations, rerankings
post /v1/moderations "" '{"input":["a","b"]}'
check "moderations: two results" is "$code$(times '"flagged":false')" 2002
check "moderations: a model of its own" has '"model":"omni-moderation-latest"'
check "moderations: no usage" lacks usage
post /v1/moderations "" '{"model":"m"}'
check "moderations: no input: 400" is "$code" 400
post /v1/rerank "" '{"model":"m","query":"12345678","documents":["a","b","c"],"top_n":2}'
check "rerank: top_n" is "$code$(times '"relevance_score"')" 2002
check "rerank: tokens in meta" has '"meta":{"api_version":{"version":"2"},"billed_units":{"search_units":1},"tokens":{"input_tokens":2}}'

# --- images
post /v1/images/generations "tokens=5" '{"prompt":"12345678","n":2}'
check "images: two pictures" is "$code$(times '"b64_json"')" 2002
check "images: usage" has '"usage":{"input_tokens":2,"output_tokens":5,"total_tokens":7}'
post /v1/images/generations "tokens=5" '{"prompt":"x","stream":true,"partial_images":2}'
check "images: two partial ones" is "$(times '"type":"image_generation.partial_image"')" 2
check "images: events have names" is "$(times 'event: image_generation.completed')" 1
check "images: usage at the end" is "$(times '"usage"')" 1
post /v1/images/generations "error=2" '{"prompt":"x","stream":true,"partial_images":2}'
check "images: error=2" has 'data: {"type":"error","error":{'
printf 'RIFF\r\n--x\0\377\n' >"$dir/sound"

# --- speech
say='{"model":"m","input":"12345678","voice":"alloy"'
post /v1/audio/speech "tokens=3" "$say}"
check "speech: bytes" is "$code$(size)" 200144
check "speech: of its type" head_has 'content-type: audio/mpeg'
post /v1/audio/speech "tokens=2;size=1000" "$say,\"response_format\":\"wav\"}"
check "speech: wav, size=1000" is "$(size)$(head_has 'content-type: audio/wav' && echo .)" 2000.
post /v1/audio/speech "tokens=3" "$say,\"stream_format\":\"sse\"}"
check "speech: events" is "$(times '"type":"speech.audio.delta","audio":"')" 3
check "speech: the last one has usage" ends_with 'data: {"type":"speech.audio.done","usage":{"input_tokens":2,"output_tokens":3,"total_tokens":5}}'
post /v1/audio/speech "tokens=3;done=0" "$say,\"stream_format\":\"sse\"}"
check "speech: done=0" lacks speech.audio.done
post /v1/audio/speech "" '{"model":"m","input":"x"}'
check "speech: no voice: 400" is "$code" 400

# --- transcriptions, forms
call() { # SCRIPT CURL OPTIONS...
    local s=$1
    shift
    serial=$((serial + 1))
    id=t$serial
    : >"$dir/head"; : >"$dir/body"
    code=$(curl -s --max-time 20 -D "$dir/head" -o "$dir/body" -w '%{http_code}' -H "X-Sim: $s" \
        -H "X-Request-Id: $id" "$@")
    rc=$?
    wait_for "$id"
}
audio=http://127.0.0.1:$port/v1/audio
call "tokens=3" -F "file=@$dir/sound" -F model=m "$audio/transcriptions"
check "transcription: JSON" ends_with '{"text":"the river keeps","usage":{"type":"tokens","input_tokens":10,"output_tokens":3,"total_tokens":13}}'
check "transcription: the model of the form" truth_has '"model":"m"'
call "" -F "file=@$dir/sound" -F "model=m?tokens=2" -F response_format=text "$audio/translations"
check "translation: text, script in the form" ends_with "the river"
check "translation: plain" head_has 'content-type: text/plain'
call "tokens=2" -F "file=@$dir/sound" -F model=m -F response_format=srt "$audio/transcriptions"
check "transcription: srt" has '00:00:00,000 --> 00:00:09,000'
call "tokens=2" -F "file=@$dir/sound" -F model=m -F response_format=verbose_json "$audio/transcriptions"
check "transcription: verbose_json" has '"usage":{"type":"duration","seconds":9}'
call "tokens=2" -F "file=@$dir/sound" -F model=m -F stream=true "$audio/transcriptions"
check "transcription: events" is "$(times '"type":"transcript.text.delta"')" 2
check "transcription: the last one" has '{"type":"transcript.text.done","text":"the river","usage":{'
call "" -F "file=@$dir/sound" "$audio/transcriptions"
check "transcription: no model: 400" is "$code" 400
call "" -F model=m "$audio/transcriptions"
check "transcription: no file: 400" is "$code" 400
call "early=500;status=413" -F model=m -F "file=@$sim" "$audio/transcriptions"
check "early=500: answered" is "$code" 413
check "early=500: and closed" head_has 'connection: close'

# --- files and batches
url=http://127.0.0.1:$port/v1
call "" -F purpose=batch -F "file=@$dir/sound;filename=a.jsonl" "$url/files"
check "files: uploaded" has '"object":"file","bytes":12,"created_at":1700000000,"filename":"a.jsonl","purpose":"batch"'
file=$(sed -n 's/^{"id":"\([^"]*\)".*/\1/p' "$dir/body")
call "" "$url/files/$file"
check "files: told" has "\"id\":\"$file\""
call "" "$url/files/$file/content"
check "files: every byte" cmp -s "$dir/sound" "$dir/body"
call "" "$url/files"
check "files: listed" has '"object":"list","data":[{"id":"file-sim'
post /v1/batches "" "{\"input_file_id\":\"$file\",\"endpoint\":\"/v1/chat/completions\"}"
check "batches: made" has "\"object\":\"batch\",\"endpoint\":\"/v1/chat/completions\",\"input_file_id\":\"$file\""
batch=$(sed -n 's/^{"id":"\([^"]*\)".*/\1/p' "$dir/body")
post "/v1/batches/$batch/cancel" "" ""
check "batches: cancelled" has '"status":"cancelling"'
call "" "$url/batches"
check "batches: listed" has "\"id\":\"$batch\""
post /v1/batches "" '{"input_file_id":"file-none"}'
check "batches: of a file that is not there: 400" is "$code" 400
call "" -X DELETE "$url/files/$file"
check "files: deleted" has '"deleted":true'
call "" "$url/files/$file"
check "files: and gone" is "$code" 404
call "" "$url/batches/batch_none"
check "batches: not there: 404" is "$code" 404

# --- bad requests
post /v1/chat/completions "" '{"model":'
check "bad JSON: 400" is "$code" 400
post /v1/chat/completions "" '{"messages":[]}'
check "no model: 400" is "$code" 400
post /v1/chat/completions "" '{"model":"m"}'
check "no messages: 400" is "$code" 400

# --- HTTP
chat "" -H 'Transfer-Encoding: chunked'
check "chunked request body" truth_has "\"body_bytes\":$((${#ask} + 1)),"
chat "" -H 'Expect: 100-continue'
check "Expect: 100-continue" head_has 'HTTP/1.1 100 Continue'
check "Expect: then the answer" is "$code" 200
chat "close=1"
check "close=1" head_has 'connection: close'
chat "" --http1.0
check "HTTP/1.0" is "$rc$code" 0200
stream "tokens=1" --http1.0
check "HTTP/1.0: stream ends by closing" ends_with 'data: [DONE]'
check "HTTP/1.0: no chunks" head_lacks 'transfer-encoding'
code=$(curl -s -o /dev/null -o /dev/null -w '%{num_connects}' -d "$ask}" \
    "http://127.0.0.1:$port/v1/chat/completions" "http://127.0.0.1:$port/v1/chat/completions")
check "keep-alive: one connection for two" is "$code" 10
exec 3<>"/dev/tcp/127.0.0.1/$port"
printf 'GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' >&3
cat <&3 >"$dir/body"
exec 3>&-
check "pipelined: both answered" is "$(grep -ao '"path":"/[ab]"' "$dir/body" | tr '\n' ' ')" '"path":"/a" "path":"/b" '
exec 3<>"/dev/tcp/127.0.0.1/$port"
printf 'POST /a HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n' >&3
cat <&3 >"$dir/body"
exec 3>&-
check "two lengths: refused" has 'HTTP/1.1 400 '

# --- control
code=$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/_sim/wait?id=nobody&timeout_ms=50")
check "wait: 504 when nobody came" is "$code" 504
code=$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/_sim/wait?id=x&count=z")
check "wait: bad argument" is "$code" 400
wait_for "$id" "&count=1"
check "wait: answers at once for what has ended" truth_has "\"id\":\"$id\",\"calls\":[{"
kill "$pid"
wait "$pid"
check "SIGTERM: ends cleanly" is $? 0
pid=
check "SIGTERM: removes nothing" test -s "$dir/truth"

echo "1..$count"
[ "$failed" -eq 0 ]
