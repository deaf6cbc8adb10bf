// @orbitdb/core 4 over js-libp2p 3 (Node 22) as a program that is driven by lines, for benchmarks: everything on disk in DIR, as OrbitDB keeps it by
// itself (Level; entries as blocks of the IPFS node's blockstore, Level, too). `orbitdb_peer.mjs DIR`; each answer is one line.
//      ready ADDRESS IDENTITY       at the start
//      create NAME TYPE             created ADDRESS      anybody may write
//      open ADDRESS                 opened SECONDS
//      fill N                       filled SECONDS       so many adds (events) or puts, one after the other, as an app does
//      all                          all SECONDS N        everything that it shows
//      have N                       have SECONDS         since this was asked, until so many entries are there
//      dial ADDRESS                 dialled
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { IPFSAccessController } from '@orbitdb/core'
import { LevelBlockstore } from 'blockstore-level'
import { LevelDatastore } from 'datastore-level'
import { peersOf, until } from '../kit.mjs'
import { packages } from './js3.mjs'

const [dir] = process.argv.slice(2)
const say = (line) => process.stdout.write(line + '\n')
const since = (from) => ((performance.now() - from) / 1000).toFixed(6)

const blockstore = new LevelBlockstore(join(dir, 'blocks'))
const datastore = new LevelDatastore(join(dir, 'data'))
await blockstore.open()
await datastore.open()
const { libp2p, id, dial, open, stop } = await peersOf(packages).newOrbit({ name: 'peer', directory: join(dir, 'orbitdb'), helia: { blockstore, datastore } })
let db

const payload = (n) => ({ title: 'water the garden', done: false, key: `item-${String(n).padStart(8, '0')}` })

async function count () {
  let n = 0
  for await (const _ of db.log.iterator()) n++ // eslint-disable-line no-unused-vars
  return n
}

const commands = {
  async create (name, type) {
    db = await open(name, { type, AccessController: IPFSAccessController({ write: ['*'] }) })
    say(`created ${db.address}`)
  },
  async open (address) {
    const from = performance.now()
    db = await open(address)
    say(`opened ${since(from)}`)
  },
  async fill (n) {
    const from = performance.now()
    for (let i = 0; i < Number(n); i++) await (db.type === 'events' ? db.add(payload(i)) : db.put(`item-${i}`, payload(i)))
    say(`filled ${since(from)}`)
  },
  async all () {
    const from = performance.now()
    const rows = await db.all()
    say(`all ${since(from)} ${rows.length}`)
  },
  // The newest entry's clock tells how many a log of one writer has; counting them all costs too much to do it often.
  async have (n) {
    const from = performance.now()
    const isThere = async () => (await db.log.heads()).some((entry) => entry.clock.time >= Number(n)) && await count() >= Number(n)
    await until(`${n} entries`, isThere, Infinity, 20)
    say(`have ${since(from)}`)
  },
  async dial (address) {
    await dial(address)
    say('dialled')
  }
}

say(`ready ${libp2p.getMultiaddrs()[0]} ${id}`)
for await (const line of createInterface({ input: process.stdin })) {
  const [name, ...args] = line.split(' ')
  Promise.resolve(commands[name](...args)).catch((error) => {
    console.error(error)
    process.exit(1)
  })
}
await stop()
await blockstore.close()
await datastore.close()
process.exit(0)
