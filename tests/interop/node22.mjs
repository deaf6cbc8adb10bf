// What js-libp2p takes from Node 22, for the older ones that Debian has. Imported before it.
import { webcrypto } from 'node:crypto'

globalThis.crypto ??= webcrypto

globalThis.CustomEvent ??= class CustomEvent extends Event {
  constructor (type, options) {
    super(type, options)
    this.detail = options?.detail
  }
}

Promise.withResolvers ??= () => {
  let resolve, reject
  const promise = new Promise((a, b) => { resolve = a; reject = b })
  return { promise, resolve, reject }
}

for (const list of [Array, Uint8Array]) {
  for (const [name, change] of [['toSorted', 'sort'], ['toReversed', 'reverse']]) {
    const value = function (...how) { return this.slice()[change](...how) }
    if (!list.prototype[name]) Object.defineProperty(list.prototype, name, { value, writable: true, configurable: true })
  }
}
