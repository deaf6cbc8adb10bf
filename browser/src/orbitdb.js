/* orbitdb: Holdfast's collections as a database type of @orbitdb/core, for peers that run OrbitDB over Helia and js-libp2p: they read and write the same
 * log as nodes and browsers of the app do.
 *
 *     import { createOrbitDB, useDatabaseType } from '@orbitdb/core'
 *     import { collections } from 'holdfast/orbitdb'
 *     useDatabaseType(collections(appJson))
 *     const todos = await orbitdb.open('/orbitdb/zdpu…')     // as the node's /.well-known/holdfast.json names it
 *     await todos.create({ text: 'Milk' })
 */
import { Database } from '@orbitdb/core'
import { base58btc } from 'multiformats/bases/base58'
import { CID } from 'multiformats/cid'
import { CollectionState } from './collection.js'

const TYPE = 'collection'

const digestOf = hash => CID.parse(hash, base58btc).multihash.digest
const orderOf = entry => ({ time: entry.clock.time, writer: entry.clock.id, digest: digestOf(entry.hash) })
const freshId = () => [...crypto.getRandomValues(new Uint8Array(16))].map(b => b.toString(16).padStart(2, '0')).join('')

/* An update tells of one entry; those that came with it are found behind it. What is in the log has all its ancestors there. */
async function applyNew (log, entries, state, applied) {
  let changed = false
  const stack = entries.filter(entry => !applied.has(entry.hash))
  while (stack.length) {
    const entry = stack.pop()
    if (applied.has(entry.hash)) continue
    applied.add(entry.hash)
    changed = state.apply(orderOf(entry), entry.payload) || changed
    for (const hash of [...entry.next, ...entry.refs]) if (!applied.has(hash)) stack.push(await log.get(hash))
  }
  return changed
}

/** A database type for one collection, by its fields as app.json has them. */
export function collection ({ fields }) {
  return async options => {
    const state = new CollectionState(fields)
    const applied = new Set()
    const database = await Database({
      ...options,
      onUpdate: async (log, entry) => {
        await applyNew(log, [entry], state, applied)
        await options.onUpdate?.(log, entry)
      }
    })
    await applyNew(database.log, await database.log.heads(), state, applied)

    const write = async (op, key, value, { opid = freshId(), at = Date.now() } = {}) => {
      const payload = state.write({ op, key, value, opid, at })
      return state.knows(key, opid) ? null : database.addOperation(payload)
    }

    return {
      ...database,
      type: TYPE,
      create: async (value, { id, ...how } = {}) => {
        const opid = how.opid ?? freshId()
        const key = id ?? opid
        await write('NEW', key, value, { ...how, opid })
        return key
      },
      set: (id, value, how) => write('SET', id, value, how),
      increment: (id, amounts, how) => write('INC', id, amounts, how),
      del: (id, how) => write('DEL', id, null, how),
      get: async id => state.get(id),
      all: async () => state.all(),
      history: async id => state.history(id),
      iterator: async function * () { yield * state.all() },
      get ignored () { return state.ignored }
    }
  }
}

/** All collections of an app, for useDatabaseType: which one a database is says its name, "APP/COLLECTION". */
export function collections (app) {
  const type = () => async options => {
    const name = options.name.startsWith(`${app.name}/`) ? options.name.slice(app.name.length + 1) : ''
    if (!Object.hasOwn(app.collections, name)) throw new Error(`${options.name}: no collection of the app ${app.name}`)
    return collection(app.collections[name])(options)
  }
  type.type = TYPE
  return type
}
