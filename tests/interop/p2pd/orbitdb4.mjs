// @orbitdb/core 4 (js-libp2p 3) against our side, over TCP: each opens what the other made, both write, and the reader behind us gets the first entry.
// `node orbitdb4.mjs DB_NODE [PART OF A NAME]`, on Node 22, closes with `N passed, N failed`.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLibp2p } from 'libp2p'
import { tcp } from '@libp2p/tcp'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { gossipsub } from '@libp2p/gossipsub'
import { identify, identifyPush } from '@libp2p/identify'
import { multiaddr } from '@multiformats/multiaddr'
import { Helia } from '@helia/utils'
import { bitswap } from '@helia/block-brokers'
import { MemoryBlockstore } from 'blockstore-core'
import { MemoryDatastore } from 'datastore-core'
import { createOrbitDB, IPFSAccessController } from '@orbitdb/core'
import { Node, bothWrite, isTrue, readerBehindJs, readerBehindUs, run, same, until } from '../orbitdb_kit.mjs'

const work = mkdtempSync(join(tmpdir(), 'orbitdb4-'))
const peers = []
const types = ['events', 'documents']

async function newJs () {
  const libp2p = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify(), push: identifyPush(), pubsub: gossipsub({ allowPublishToZeroTopicPeers: true }) },
    connectionManager: { inboundConnectionThreshold: 1000 },
    connectionGater: { denyDialMultiaddr: () => false }
  })
  const ipfs = new Helia({ libp2p, blockstore: new MemoryBlockstore(), datastore: new MemoryDatastore(), blockBrokers: [bitswap()], routers: [] })
  await ipfs.start()
  const orbitdb = await createOrbitDB({ ipfs, id: `js${peers.length}`, directory: join(work, String(peers.length)) })
  const js = { libp2p, ipfs, orbitdb, id: orbitdb.identity.id }
  js.open = async (...args) => {
    const db = await orbitdb.open(...args)
    db.events.on('error', () => {}) // without a listener a failed exchange of heads would end this process
    return db
  }
  js.stop = async () => {
    if (js.stopped) return
    js.stopped = true
    await orbitdb.stop()
    await ipfs.stop()
  }
  peers.push(js)
  return js
}

const joinNode = (js, node) => js.libp2p.dial(multiaddr(`/ip4/127.0.0.1/tcp/${node.port}/p2p/${node.id}`))
const anyone = () => IPFSAccessController({ write: ['*'] })

// Who dials: js, or we.
async function pair (dials, make) {
  const node = await Node.start()
  const js = await newJs()
  if (dials === 'js') await joinNode(js, node)
  else {
    node.say('dial', js.libp2p.getMultiaddrs()[0].toString().match(/tcp\/(\d+)/)[1])
    await until('they are connected', async () => js.libp2p.getPeers().length === 1)
  }
  await bothWrite(node, js, types, make)
  await js.stop()
  await node.stop()
}

const tests = {
  async 'version 4 opens what we made' () {
    await pair('js', async (js, node, type) => {
      const ours = await node.create(`made here ${type}`, type, 'any')
      return [await js.open(ours.address), ours]
    })
  },
  async 'we open what version 4 made' () {
    await pair('we', async (js, node, type) => {
      const theirs = await js.open(`made there ${type}`, { type, AccessController: anyone() })
      const ours = await node.open(theirs.address)
      await ours.isOpen()
      return [theirs, ours]
    })
  },
  async 'late, each gets from the other what was written before' () {
    const node = await Node.start()
    const [first, late] = [await newJs(), await newJs()]
    const theirs = await first.open('early', { type: 'documents', AccessController: anyone() })
    for (let i = 0; i < 30; i++) await theirs.put({ _id: `d${i % 20}`, i })
    await joinNode(first, node)
    const ours = await node.open(theirs.address)
    await same(theirs, ours, 30)
    await first.stop()
    for (let i = 0; i < 10; i++) await ours.put(undefined, { _id: `e${i}`, i })
    await joinNode(late, node)
    await same(await late.open(ours.address), ours, 40)
    await late.stop()
    await node.stop()
  },
  async 'a reader behind a js peer of version 4 never gets the first entry (orbitdb/orbitdb#1255)' () {
    const address = (js) => js.open('star', { type: 'events', AccessController: anyone() })
    isTrue(await readerBehindJs(newJs, address), 'the fault is there; if it was mended, this test can go')
  },
  async 'a reader of version 4 behind us gets the first entry' () {
    await readerBehindUs(newJs, joinNode)
  }
}

await run(tests, async () => {
  for (const js of peers) await js.stop().catch(() => {})
  rmSync(work, { recursive: true, force: true })
})
