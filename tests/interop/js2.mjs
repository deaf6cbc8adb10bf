// js-libp2p 2, helia and @orbitdb/core 3, as kit.mjs makes peers of them.
import './node22.mjs'
import { noise } from '@chainsafe/libp2p-noise'
import { gossipsub } from '@chainsafe/libp2p-gossipsub'
import { yamux } from '@chainsafe/libp2p-yamux'
import { bitswap } from '@helia/block-brokers'
import { Helia } from '@helia/utils'
import { identify, identifyPush } from '@libp2p/identify'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { createOrbitDB } from '@orbitdb/core'
import { MemoryBlockstore } from 'blockstore-core'
import { MemoryDatastore } from 'datastore-core'
import { createLibp2p } from 'libp2p'
import { peersOf } from './kit.mjs'

const packages = { createLibp2p, tcp, noise, yamux, identify, identifyPush, gossipsub, multiaddr, Helia, bitswap, MemoryBlockstore, MemoryDatastore, createOrbitDB }
export const { newPeer, newHelia, newOrbit } = peersOf(packages)
export { multiaddr, MemoryBlockstore, tcp }
