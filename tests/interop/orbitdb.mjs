// OrbitDB's own program against ours, over real TCP and (through a bridge here) WebSocket: each opens what the other made, each writes, both come to
// the same entries, order and state; late joiners, writers who left, partitions, access granted and revoked while others write.
// `node orbitdb.mjs DB_NODE [PART OF A NAME]` closes with `N passed, N failed`.
import './node22.mjs'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { webSockets } from '@libp2p/websockets'
import { IPFSAccessController, OrbitDBAccessController } from '@orbitdb/core'
import { newOrbit, tcp } from './js2.mjs'
import { bridge, equal, ok, run, sleep, test, until } from './kit.mjs'
import { Node, bothWrite, order, readerBehindJs, readerBehindUs, refused, same } from './orbitdb_kit.mjs'

// relay: it can be reached through that one alone.
const newJs = (relay) => newOrbit({ listen: relay && [`${relay.address}/p2p-circuit`], transports: [tcp(), webSockets(), circuitRelayTransport()] })
const joinNode = (js, node) => js.dial(node.address)
const joinByWebSocket = async (js, node) => js.dial(`/ip4/127.0.0.1/tcp/${(await bridge(node.port)).address().port}/ws/p2p/${node.id}`)

// Made anew each time: it keeps the block store of the peer that used it first.
const anyone = () => IPFSAccessController({ write: ['*'] })

async function bothWriteAll (join, make) {
  const node = await Node.start()
  const js = await newJs()
  await join(js, node)
  await bothWrite(node, js, ['events', 'keyvalue', 'documents'], make)
}

test('js opens what we made, all types, over TCP', async () => {
  await bothWriteAll(joinNode, async (js, node, type) => {
    const ours = await node.create(`made here ${type}`, type, 'any')
    return [await js.open(ours.address), ours]
  })
})

test('we open what js made, all types, over WebSocket', async () => {
  await bothWriteAll(joinByWebSocket, async (js, node, type) => {
    const theirs = await js.open(`made there ${type}`, { type, AccessController: anyone() })
    const ours = await node.open(theirs.address)
    await ours.isOpen()
    return [theirs, ours]
  })
})

test('a late joiner gets it all from us after the js writer left', async () => {
  const node = await Node.start()
  const writer = await newJs()
  await joinNode(writer, node)
  const theirs = await writer.open('left behind', { type: 'events', AccessController: anyone() })
  for (let i = 0; i < 40; i++) await theirs.add({ i })
  const ours = await node.open(theirs.address)
  await same(theirs, ours, 40)
  await writer.stop()
  for (let i = 40; i < 50; i++) await ours.add({ i })
  const late = await newJs()
  await joinNode(late, node)
  const again = await late.open(ours.address)
  await same(again, ours, 50)
  equal((await again.all()).map((e) => e.value.i), [...Array(50).keys()], 'order')
})

test('we come late, and get from js what was written before, while it goes on writing', async () => {
  const js = await newJs()
  const theirs = await js.open('early', { type: 'documents', AccessController: anyone() })
  for (let i = 0; i < 60; i++) await theirs.put({ _id: `d${i % 20}`, i })
  for (let i = 0; i < 5; i++) await theirs.del(`d${i}`)
  const node = await Node.start()
  await joinNode(js, node)
  const ours = await node.open(theirs.address)
  for (let i = 0; i < 20; i++) await theirs.put({ _id: `e${i}`, i })
  await same(theirs, ours, 85)
  ok((await ours.all()).length === 35, 'documents that are left')
})

test('parted, both write, and come together: forks, one order', async () => {
  const node = await Node.start()
  const js = await newJs()
  await joinNode(js, node)
  const ours = await node.create('parted', 'keyvalue', 'any')
  const theirs = await js.open(ours.address)
  let n = 0
  for (let round = 0; round < 3; round++) {
    await Promise.all(js.libp2p.getPeers().map((p) => js.libp2p.hangUp(p)))
    for (let i = 0; i < 7; i++) {
      await ours.put(`k${i % 3}`, { by: 'us', round, i })
      if (i % 2) await theirs.put(`k${i % 4}`, { by: 'them', round, i })
    }
    await theirs.del('k1')
    n += 7 + 3 + 1
    ok((await ours.info()).entries < n, 'they are parted')
    await joinNode(js, node)
    await same(theirs, ours, n)
  }
})

test('two js peers that know only us get each other\'s entries through us', async () => {
  const node = await Node.start()
  const [one, two] = [await newJs(), await newJs()]
  const ours = await node.create('between', 'events', 'any')
  await joinNode(one, node)
  await joinNode(two, node)
  const a = await one.open(ours.address)
  const b = await two.open(ours.address)
  for (let i = 0; i < 10; i++) {
    await a.add({ a: i })
    await b.add({ b: i })
  }
  await same(a, ours, 20)
  await same(b, ours, 20)
})

test('we guard it: access granted and revoked while others write', async () => {
  const node = await Node.start()
  const js = await newJs()
  await joinNode(js, node)
  const ours = await node.create('guarded here', 'keyvalue', 'guarded')
  await ours.put('first', 1)
  const theirs = await js.open(ours.address)
  await same(theirs, ours, 1)
  equal(theirs.access.type, 'orbitdb', 'access controller')
  await refused(theirs.put('x', 1), 'js writes without a grant')
  await ours.grant('write', js.id)
  await ours.put('second', 2)
  await until('js may write', async () => theirs.put('x', 2))
  await same(theirs, ours, 3)
  await ours.put('third', 3)
  await same(theirs, ours, 4)
  await ours.revoke('write', js.id)
  await until('js may not write', async () => { try { await theirs.put('x', 3); return false } catch { return true } })
  ok((await ours.all()).some((r) => r.key === 'x'), 'what was written while it was allowed stays')
})

test('js guards it: we are granted access, and refused when it is taken away', async () => {
  const node = await Node.start()
  const js = await newJs()
  await joinNode(js, node)
  const theirs = await js.open('guarded there', { type: 'events', AccessController: OrbitDBAccessController() })
  await theirs.add('one')
  const ours = await node.open(theirs.address)
  await ours.isOpen()
  await same(theirs, ours, 1)
  await refused(ours.add('mine'), 'we write without a grant')
  await theirs.access.grant('write', node.identity)
  await until('we may write', async () => (await ours.info()).mayWrite)
  await ours.add('two')
  await theirs.add('three')
  await same(theirs, ours, 3)
  await theirs.access.revoke('write', node.identity)
  await until('we may not write', async () => !(await ours.info()).mayWrite)
  await refused(ours.add('mine'), 'we write after it was taken away')
  await theirs.access.grant('admin', node.identity)
  await until('we may write as admin', async () => (await ours.info()).mayWrite)
  await ours.add('four')
  await same(theirs, ours, 4)
})

test('an entry that comes before its grant is seen waiting, then joins', async () => {
  const node = await Node.start()
  const [owner, writer] = [await newJs(), await newJs()]
  await owner.libp2p.dial(writer.libp2p.getMultiaddrs()[0])
  const theirs = await owner.open('grants late', { type: 'keyvalue', AccessController: OrbitDBAccessController() })
  await theirs.put('a', 1)
  const ours = await node.open(theirs.address)
  await joinNode(owner, node)
  await same(theirs, ours, 1)
  node.say('hangup')
  await until('the owner lost us', async () => owner.libp2p.getPeers().length === 1)
  await theirs.access.grant('write', writer.id)
  const second = await writer.open(theirs.address)
  await until('the writer may write', async () => second.put('b', 2))
  // The writer shows us its entry, and not the access database that it has it from.
  const rights = await writer.orbitdb.open(second.access.address)
  await rights.sync.stop()
  await joinNode(writer, node)
  await node.line(/^waits /)
  const { waiting, entries } = await ours.info()
  equal([waiting, entries], [1, 1], 'what waits, what has joined')
  await sleep(500) // in which it does not join
  equal((await ours.info()).entries, 1, 'it waits on')
  await joinNode(owner, node)
  await same(second, ours, 2)
  equal((await ours.info()).waiting, 0, 'what waits')
})

test('three write all the time while grants and a revocation travel, and are equal in the end', async () => {
  const node = await Node.start()
  const [owner, writer] = [await newJs(), await newJs()]
  await joinNode(owner, node)
  await joinNode(writer, node)
  const theirs = await owner.open('moving rights', { type: 'keyvalue', AccessController: OrbitDBAccessController() })
  const ours = await node.open(theirs.address)
  await ours.isOpen()
  await theirs.access.grant('write', node.identity)
  await until('we may write', async () => (await ours.info()).mayWrite)
  const second = await writer.open(theirs.address)
  const n = { owner: 0, writer: 0, ours: 0, refused: 0 }
  const say = console.error
  console.error = () => {} // js says each refusal, with its stack
  let over = false
  const writing = async (who, put) => {
    for (let i = 0; !over; i++, await sleep(40)) {
      try { await put(`k${i % 5}`, { who, i }) } catch { n.refused += who === 'writer' ; continue }
      n[who]++
    }
  }
  const all = [writing('owner', theirs.put), writing('writer', second.put), writing('ours', (k, v) => ours.put(k, v))]
  await until('the writer was refused', async () => n.refused > 3)
  await theirs.access.grant('write', writer.id)
  await until('the writer writes', async () => n.writer > 10)
  await theirs.access.revoke('write', writer.id)
  const before = n.refused
  await until('the writer is refused again', async () => n.refused > before + 3)
  await theirs.access.grant('write', writer.id)
  const then = n.writer
  await until('the writer writes again', async () => n.writer > then + 10)
  over = true
  await Promise.all(all)
  await same(theirs, ours, n.owner + n.writer + n.ours)
  await same(second, ours, n.owner + n.writer + n.ours)
  console.error = say
})

test('a reader behind a js peer never gets the first entry (orbitdb/orbitdb#1255)', async () => {
  const address = (js) => js.open('star', { type: 'events', AccessController: anyone() })
  ok(await readerBehindJs(newJs, address), 'the fault is there; if it was mended, this test can go')
})

test('a reader behind us gets the first entry', async () => {
  await readerBehindUs(newJs, joinNode)
})

test('js peers behind our relay without a limit share a database through it', async () => {
  const relay = await Node.start('relay_node', 'serve', 'unlimited')
  const [writer, reader] = [await newJs(relay), await newJs(relay)]
  const relayed = () => writer.libp2p.getMultiaddrs().find((a) => a.toString().includes('/p2p-circuit'))
  await until('the writer has a place at the relay', async () => relayed() !== undefined)
  const connection = await reader.libp2p.dial(relayed())
  equal(connection.limits, undefined, 'limits of the way through the relay')
  const written = await writer.open('through the relay', { type: 'events', AccessController: anyone() })
  const read = await reader.open(written.address)
  await written.add('first')
  await read.add('second')
  await written.add('third')
  const inOrder = async () => { equal(await order(read), await order(written), 'order'); return (await order(read)).length === 3 }
  await until('both have all three', inOrder)
  ok(reader.libp2p.getConnections(writer.libp2p.peerId).every((c) => c.remoteAddr.toString().includes('/p2p-circuit')), 'it is the only way')
})

await run(3)
