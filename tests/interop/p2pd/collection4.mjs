// Collections for @orbitdb/core 4 (js-libp2p 3, Node 22): what our npm package offers, installed beside that version, and a node.
// `node collection4.mjs HOLDFAST [PART OF A NAME]` closes with `N passed, N failed`.
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as dagCbor from '@ipld/dag-cbor'
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
import { createOrbitDB, useDatabaseType } from '@orbitdb/core'
import { editTogether, onEnd, run, work } from '../collection_kit.mjs'

const [holdfast, only] = process.argv.slice(2)

// As a dependency: what it imports is looked for in the node_modules around it, and those are this folder's.
const here = fileURLToPath(new URL('.', import.meta.url))
const installed = join(here, 'node_modules/holdfast')
cpSync(join(here, '../../../browser'), installed, { recursive: true, filter: file => !/node_modules$/.test(file) })
const { collections } = await import('holdfast/orbitdb')

async function newJs (name) {
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
  const orbitdb = await createOrbitDB({ ipfs, id: name, directory: join(work, name) })
  onEnd(async () => { await orbitdb.stop(); await ipfs.stop() })
  return { orbitdb, dial: address => libp2p.dial(multiaddr(address)) }
}

const canonical = docs => Buffer.from(dagCbor.encode(docs.map(d => [d.id, d.created, d.updated, d.value]))).toString('hex')

await run({
  async 'a js peer of version 4 and a node edit one collection at the same time, and a late js peer sees the same' () {
    await editTogether({ holdfast, newJs, useDatabaseType, collections, canonical })
  }
}, only)
