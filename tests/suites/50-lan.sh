#!/usr/bin/env bash
# Two nodes on one LAN that were told nothing of each other: each in a network namespace of its own, joined by a virtual cable. They find each other,
# show the same list, are parted by pulling the cable, are both written to, and show the same list again with nothing lost. Needs root.
set -u
cd "$(dirname "$0")/../.."
make --no-print-directory -s build/holdfast || { echo "0 passed, 1 failed"; exit 1; }
command -v jq >/dev/null && command -v ip >/dev/null || { echo "needs jq and ip"; echo "0 passed, 1 failed"; exit 1; }

work=$(mktemp -d)
tag=hf$$
n_passed=0
n_failed=0
declare -A pid=()

clean_up() {
    local x
    for x in "${pid[@]}"; do kill "$x" 2>/dev/null; done
    for x in "${pid[@]}"; do wait "$x" 2>/dev/null; done
    for x in a b; do ip netns del $tag$x 2>/dev/null; done
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

# $1: what, $2...: a command that must succeed
check() {
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

# $1: seconds, $2...: asked again until it succeeds
within() {
    local until=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -ge $until ] && return 1
        sleep 0.1
    done
}

finish() {
    if [ $n_failed != 0 ]; then
        for x in a b; do echo "--- $x"; tail -n 40 "$work/$x.log" 2>/dev/null; done
    fi
    echo "$n_passed passed, $n_failed failed"
    [ $n_failed = 0 ]
    exit
}

# ---- the two nodes ----
make_lan() {
    local x
    for x in a b; do ip netns add $tag$x && ip -n $tag$x link set lo up || return; done
    ip link add lan netns ${tag}a type veth peer name lan netns ${tag}b || return
    ip -n ${tag}a addr add 192.168.77.1/24 dev lan && ip -n ${tag}b addr add 192.168.77.2/24 dev lan || return
    for x in a b; do ip -n $tag$x link set lan up || return; done
}
serve() { # $1: node, $2...: more flags
    local node=$1
    shift
    ip netns exec $tag$node build/holdfast serve --dir "$work/$node" --name "$node" --log-level debug "$@" >>"$work/$node.log" 2>&1 &
    pid[$node]=$!
}
# The same Host in both, so that what they answer can be compared.
ask() {
    local node=$1 path=$2
    shift 2
    ip netns exec $tag$node curl -s -m 5 "$@" "http://127.0.0.1:3000$path"
}
is_ready() { [ "$(ask "$1" /readyz)" = ready ]; }
is_lonely() { [ "$(grep -c 'peer up' "$work/$1.log")" = "$(grep -c 'peer down' "$work/$1.log")" ]; }
are_lonely() { is_lonely a && is_lonely b; }

# ---- the list ----
# $1: node, $2: path, $3...: fields. A form is answered by 303 once what it did is durable.
post() {
    local node=$1 path=$2 code
    shift 2
    code=$(ask "$node" "$path" -o /dev/null -w '%{http_code}' -d "" "$@")
    [ "$code" = 303 ] || { echo "$path: status $code"; return 1; }
}
add() { post "$1" /todos --data-urlencode "text=$2"; }
todos() { ask "$1" "/api/v1/todos?limit=1000"; }
# jq says yes to no input at all, so whether there was an answer is looked at first.
id_of() {
    local list id
    list=$(todos "$1") && [ -n "$list" ] || return
    id=$(jq -r --arg text "$2" '.items[] | select(.text == $text) | .id' <<<"$list") && [ -n "$id" ] && echo "$id"
}
shows() { id_of "$1" "$2" >/dev/null; }
shows_not() {
    local list
    list=$(todos "$1") && [ -n "$list" ] && jq -e --arg text "$2" '[.items[].text] | index($text) == null' <<<"$list" >/dev/null
}
do_to() { # $1: node, $2: text, $3: "", /toggle or /delete, $4...: fields
    local node=$1 id
    id=$(id_of "$1" "$2") || return
    local action=$3
    shift 3
    post "$node" "/todos/$id$action" "$@"
}
# Text, done and assignee of each, one a line.
summary() { todos "$1" | jq -r '.items[] | "\(.text)|\(.done)|\(.assignee)"' | sort; }
# The tag is made of the versions of what the page reads, so it names the same set of entries.
versions() { ask "$1" / -o /dev/null -D - | tr -d '\r' | sed -n 's/^etag: //p'; }
items() { ask "$1" / | grep '<li id="todo-'; }
same_answers() {
    local a b
    a=$("$@" a) && b=$("$@" b) && [ -n "$a" ] && [ "$a" = "$b" ]
}
same_versions() { same_answers versions; }
is_list() { [ "$(summary "$1")" = "$2" ]; }
check_same() { # $1: when, $2: the list
    check "$1: the versions are the same" within 20 same_versions
    check "$1: the items of the page are the same" same_answers items
    check "$1: the API answers the same" same_answers todos
    check "$1: a shows all of it" is_list a "$2"
    check "$1: b shows all of it" is_list b "$2"
}

# A stranger at a's end of the cable announces, in one packet, a peer at each of these hosts.
announce() {
    ip netns exec ${tag}a node -e '
        const name = (...labels) => Buffer.concat([...labels.map(l => Buffer.from([l.length, ...Buffer.from(l)])), Buffer.of(0)]);
        const [peers, hosts] = [["12D3KooWAsK6AytDZUSMpuvBBi4JKYDsgaBrph7QtJ32vsBQkVPN", "12D3KooWLkkKhBymAqZ7Cxvv5vi2wKtQACQq9nrYhuse2k25RT7p"], process.argv.slice(1)];
        const records = hosts.map((host, i) => {
            const text = Buffer.from(`dnsaddr=/ip4/${host}/tcp/4001/p2p/${peers[i]}`);
            return Buffer.concat([name("x".repeat(32), "_p2p", "_udp", "local"), Buffer.of(0, 16, 0, 1, 0, 0, 0, 120, 0, 1 + text.length, text.length), text]);
        });
        const socket = require("dgram").createSocket("udp4").bind(0, () => {
            socket.setMulticastInterface("192.168.77.1");
            socket.send([Buffer.of(0, 0, 0x84, 0, 0, 0, 0, hosts.length, 0, 0, 0, 0), ...records], 5353, "224.0.0.251", () => socket.close());
        });' "$@"
}
dials() { grep -q "cannot reach address=/ip4/$2/" "$work/$1.log"; }

# ---- the story ----
check "two namespaces and a cable" make_lan
[ $n_failed = 0 ] || finish
serve a
serve b
for x in a b; do check "$x is ready" within 20 is_ready $x; done

check "a takes milk" add a milk
check "b shows milk within 10 s" within 10 shows b milk
check "b takes bread" add b bread
check "a shows bread within 10 s" within 10 shows a bread
check "a takes soap" add a soap
check "b shows soap within 10 s" within 10 shows b soap
check_same "together" $'bread|false|null\nmilk|false|null\nsoap|false|null'

# Anyone on a LAN can announce anything. The public address is a's too, where nobody listens: a dial to it would be refused, and be said.
check "a public address in reach" ip -n ${tag}a addr add 203.0.113.9/32 dev lo
check "with a way to it" ip -n ${tag}b route add 203.0.113.9 via 192.168.77.1
check "a stranger announces a public address and a near one" announce 203.0.113.9 192.168.77.9
check "b dials the near one" within 10 dials b 192.168.77.9
check "b does not dial the public one" eval '! dials b 203.0.113.9'

# A short parting: the connection survives it, what was written meanwhile crosses.
check "the cable is pulled" ip -n ${tag}a link set lan down
check "parted, a takes eggs" add a eggs
check "parted, b takes tea" add b tea
check "parted, a ticks off milk" do_to a milk /toggle
check "parted, b gives milk to Ann" do_to b milk "" -d "assignee=Ann" -d "text=milk"
check "parted, b deletes soap" do_to b soap /delete
check "a knows its own only" shows_not a tea
check "b knows its own only" shows_not b eggs
check "a still shows soap" shows a soap
check "the cable is plugged in" ip -n ${tag}a link set lan up
check_same "after a short parting" $'bread|false|null\neggs|false|null\nmilk|true|Ann\ntea|false|null'

# A long one: both give each other up, and find each other anew.
check "the cable is pulled again" ip -n ${tag}b link set lan down
for i in 1 2 3; do check "parted, a takes a$i" add a "a$i"; done
for i in 1 2 3; do check "parted, b takes b$i" add b "b$i"; done
check "each notices that the other is gone" within 90 are_lonely
check "alone, a deletes bread" do_to a bread /delete
check "alone, b ticks off bread" do_to b bread /toggle
check "the cable is plugged in again" ip -n ${tag}b link set lan up
check "they find each other anew" within 60 shows a b3
check_same "after a long parting" $'a1|false|null\na2|false|null\na3|false|null\nb1|false|null\nb2|false|null\nb3|false|null\neggs|false|null\nmilk|true|Ann\ntea|false|null'

# A node that comes back at another port, with what was written while it was away.
check "b stops" kill "${pid[b]}"
wait "${pid[b]}"
check "it stopped cleanly" [ $? = 0 ]
check "alone, a takes cheese" add a cheese
serve b
check "b shows cheese within 20 s of its start" within 20 shows b cheese
check "b takes wine" add b wine
check "a shows wine within 10 s" within 10 shows a wine
check "in the end: the versions are the same" within 10 same_versions

# A LAN that swallows multicast: what was found before is dialled again, after a SIGKILL too.
for x in a b; do
    check "$x is killed" kill -9 "${pid[$x]}"
    wait "${pid[$x]}" 2>/dev/null
    serve $x --p2p 4100
done
check "found anew at fixed ports, a takes figs" within 20 add a figs
check "b shows figs" within 20 shows b figs
for x in a b; do
    check "$x is killed again" kill -9 "${pid[$x]}"
    wait "${pid[$x]}" 2>/dev/null
    serve $x --p2p 4100 --no-mdns
done
check "without multicast, b takes rice" within 20 add b rice
check "a shows rice, by remembering" within 20 shows a rice
finish
