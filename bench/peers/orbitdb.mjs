/* orbitdb: @orbitdb/core's log on its own: no network, entries and indexes in memory, the same payload as log_bench. */
import { Identities, KeyStore, Log, MemoryStorage } from '@orbitdb/core'

const WARM = 200
const MEASURED = 1000
const payload = n => ({ op: 'PUT', key: `item-${String(n).padStart(8, '0')}`, value: { title: 'water the garden', done: false } })

/** Appends a second. */
export async function appends () {
  const keystore = await KeyStore({ storage: await MemoryStorage() })
  const identities = await Identities({ keystore, storage: await MemoryStorage() })
  const identity = await identities.createIdentity({ id: 'bench' })
  const [entryStorage, headsStorage, indexStorage] = await Promise.all([MemoryStorage(), MemoryStorage(), MemoryStorage()])
  const log = await Log(identity, { logId: '/orbitdb/zdpuAymFFiGtazv2yxFnxQvy3KTn3PtSqs91WJzGdBTdu9kQ3', entryStorage, headsStorage, indexStorage })
  for (let n = 0; n < WARM; n++) await log.append(payload(n))
  const began = performance.now()
  for (let n = 0; n < MEASURED; n++) await log.append(payload(n))
  const rate = MEASURED * 1000 / (performance.now() - began)
  await log.close()
  await keystore.close()
  return rate
}

/** Entries of another a second, verified and joined: all of a log by its head, whose entries are at hand, in memory, too. */
export async function joins () {
  const keystore = await KeyStore({ storage: await MemoryStorage() })
  const identities = await Identities({ keystore, storage: await MemoryStorage() })
  const [writer, reader] = [await identities.createIdentity({ id: 'writer' }), await identities.createIdentity({ id: 'reader' })]
  const logId = '/orbitdb/zdpuAymFFiGtazv2yxFnxQvy3KTn3PtSqs91WJzGdBTdu9kQ3'
  const access = { canAppend: entry => identities.verifyIdentity(writer).then(ok => ok && entry.identity === writer.hash) }
  const entryStorage = await MemoryStorage()
  const make = async identity => Log(identity, { logId, access, entryStorage, headsStorage: await MemoryStorage(), indexStorage: await MemoryStorage() })
  const [from, to] = [await make(writer), await make(reader)]
  for (let n = 0; n < MEASURED; n++) await from.append(payload(n))
  const [head] = await from.heads()
  const began = performance.now()
  await to.joinEntry(head)
  const rate = MEASURED * 1000 / (performance.now() - began)
  let n = 0
  for await (const _ of to.iterator()) n++ // eslint-disable-line no-unused-vars
  if (n !== MEASURED) throw new Error(`${n} entries were joined`)
  await from.close()
  await to.close()
  await keystore.close()
  return rate
}
