// js-libp2p 3, helia and @orbitdb/core 4, on Node 22, as ../kit.mjs makes peers of them.
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { bitswap } from '@helia/block-brokers'
import { Helia } from '@helia/utils'
import { gossipsub } from '@libp2p/gossipsub'
import { identify, identifyPush } from '@libp2p/identify'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { createOrbitDB } from '@orbitdb/core'
import { MemoryBlockstore } from 'blockstore-core'
import { MemoryDatastore } from 'datastore-core'
import { createLibp2p } from 'libp2p'

export const packages = { createLibp2p, tcp, noise, yamux, identify, identifyPush, gossipsub, multiaddr, Helia, bitswap, MemoryBlockstore, MemoryDatastore, createOrbitDB }
export { multiaddr, tcp }
