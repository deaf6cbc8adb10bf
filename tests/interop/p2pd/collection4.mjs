// Collections for @orbitdb/core 4 (js-libp2p 3, Node 22): what our npm package offers, installed beside that version, and a node.
// `node collection4.mjs HOLDFAST [PART OF A NAME]` closes with `N passed, N failed`.
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as dagCbor from '@ipld/dag-cbor'
import { useDatabaseType } from '@orbitdb/core'
import { editTogether } from '../collection_kit.mjs'
import { peersOf, run, test } from '../kit.mjs'
import { packages } from './js3.mjs'

const holdfast = process.argv[2]

// As a dependency: what it imports is looked for in the node_modules around it, and those are this folder's.
const here = fileURLToPath(new URL('.', import.meta.url))
const installed = join(here, 'node_modules/holdfast')
cpSync(join(here, '../../../browser'), installed, { recursive: true, filter: file => !/node_modules$/.test(file) })
const { collections } = await import('holdfast/orbitdb')

const { newOrbit } = peersOf(packages)
const canonical = docs => Buffer.from(dagCbor.encode(docs.map(d => [d.id, d.created, d.updated, d.value]))).toString('hex')

test('a js peer of version 4 and a node edit one collection at the same time, and a late js peer sees the same', async () => {
  await editTogether({ holdfast, newOrbit, useDatabaseType, collections, canonical })
})

await run(3)
