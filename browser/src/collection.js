/* collection: what a collection of Holdfast shows, as a function of the operations in its log: the rules of core/collections, in script, for peers that
 * have not the core. Spec: docs/reference/payload.md. Compared with the core, byte for byte, by tests/interop/collection.mjs.
 *
 * No imports. Operations are applied in any order and any number of times; a document is added up when somebody reads it. */

const KEY_MAX = 128
const OPID_MAX = 64
const BY_MAX = 128
const FIELDS_MAX = 64
const INT_MAX = 2 ** 53
const TIME_MAX = 8640000000000000
const CREATOR_LEN = 12
const TYPES = ['text', 'bool', 'int', 'number', 'time', 'choice', 'counter']
const AUTOS = ['created', 'updated', 'creator']
const KINDS = ['NEW', 'SET', 'DEL', 'INC']

const utf8 = new TextEncoder()
const own = (object, key) => Object.hasOwn(object, key) ? object[key] : undefined
const isMap = value => value !== null && typeof value === 'object' && [Object.prototype, null].includes(Object.getPrototypeOf(value))

/* ---- schemas ---- */

/** A collection as app.json has it: {write, fields}. Throws when a field could not be of an app.
 * @returns {Map<string, object>} the fields, in order */
export function readFields (fields) {
  const names = Object.keys(fields ?? {})
  if (!names.length || names.length > FIELDS_MAX) throw new Error('a collection needs "fields": an object of 1 to 64 fields')
  return new Map(names.map(name => [name, readField(name, fields[name])]))
}

function readField (name, json) {
  const wrong = why => { throw new Error(`field ${name}: ${why}`) }
  if (!/^[a-z][a-z0-9_]{0,31}$/.test(name)) wrong('its name is not [a-z][a-z0-9_]{0,31}')
  if (!TYPES.includes(json.type)) wrong(`"type" is none of ${TYPES.join(', ')}`)
  if (json.auto !== undefined && !AUTOS.includes(json.auto)) wrong(`"auto" is none of ${AUTOS.join(', ')}`)
  const field = { name, ...json, fallback: null }
  const fallback = json.default ?? null
  if (fallback !== null && refuses(field, fallback)) wrong('"default" breaks the field\'s own rules')
  field.fallback = fallback
  field.computed = field.type === 'counter' || field.auto !== undefined
  return field
}

/* ---- values ---- */

const isSpace = c => c === 0x20 || (c >= 0x09 && c <= 0x0d) || c === 0x85 || c === 0xa0 || c === 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
  breaksLine(c) || c === 0x202f || c === 0x205f || c === 0x3000
const breaksLine = c => c === 0x0a || c === 0x0d || c === 0x85 || c === 0x2028 || c === 0x2029
const isControl = c => c < 0x20 || (c >= 0x7f && c < 0xa0)
const allowsChar = (field, c) => (field.multiline && (c === 0x0a || c === 0x09)) || (!isControl(c) && (field.multiline || !breaksLine(c)))

/* dag-cbor brings integers beyond 2^53 - 1 as BigInt; 2^53 itself is one of ours. */
const plain = value => typeof value === 'bigint' && value >= -BigInt(INT_MAX) && value <= BigInt(INT_MAX) ? Number(value) : value
const isWhole = (value, limit) => Number.isInteger(value) && Math.abs(value) <= limit

function textRefuses (field, value) {
  if (typeof value !== 'string' || !value.isWellFormed()) return 'is not text'
  let n = 0
  let blank = true
  let clean = true
  for (const char of value) {
    const c = char.codePointAt(0)
    n++
    if (!isSpace(c)) blank = false
    if (!allowsChar(field, c)) clean = false
  }
  if (blank && field.required) return 'is required'
  if (!clean) return 'contains control characters'
  if (field.max !== undefined && n > field.max) return 'is longer than allowed'
  if (field.min !== undefined && n && n < field.min) return 'is shorter than allowed'
  return null
}

function rangeRefuses (field, value) {
  if (field.min !== undefined && value < field.min) return 'is smaller than allowed'
  if (field.max !== undefined && value > field.max) return 'is larger than allowed'
  return null
}

/** Does a value obey its field's type and rules? null: yes; else why not, without the label. */
export function refuses (field, given) {
  const value = plain(given)
  if (value === null || value === undefined) return field.required || field.type === 'counter' ? 'is required' : null
  switch (field.type) {
    case 'text': return textRefuses(field, value)
    case 'bool': return typeof value === 'boolean' ? null : 'is not yes or no'
    case 'time': return isWhole(value, TIME_MAX) ? rangeRefuses(field, value) : 'is not a date and time'
    case 'number': return typeof value === 'number' && Number.isFinite(value) ? rangeRefuses(field, value) : 'is not a number'
    case 'choice': return typeof value === 'string' && field.choices.includes(value) ? null : 'is not one of the choices'
    default: return isWhole(value, INT_MAX) ? rangeRefuses(field, value) : 'is not a whole number'
  }
}

/* ---- operations ---- */

const isText = (value, max) => typeof value === 'string' && value.length > 0 && value.isWellFormed() && utf8.encode(value).length <= max

/** What an entry's payload asks for, with the fields that count; null: it is to be ignored.
 * @returns {{kind: string, key: string, opid: string, by: string, at: number, fields: Map<string, unknown>, partly: boolean} | null} */
export function readOperation (fields, payload) {
  if (!isMap(payload)) return null
  const [op, key, opid, by, at, value] = ['op', 'key', 'opid', 'by', 'at', 'value'].map(name => own(payload, name))
  if (!isText(key, KEY_MAX) || !isText(opid, OPID_MAX) || (Object.hasOwn(payload, 'by') && !isText(by, BY_MAX))) return null
  if (!isWhole(at, TIME_MAX) || at < 0 || !KINDS.includes(op)) return null
  const read = { kind: op, key, opid, by: by ?? '', at, fields: new Map(), partly: false }
  if (op === 'DEL') return Object.hasOwn(payload, 'value') && (value === null || value === undefined) ? read : null
  return isMap(value) && chooseFields(fields, value, read) ? read : null
}

function chooseFields (fields, value, read) {
  for (const [name, given] of Object.entries(value)) {
    const field = fields.get(name)
    const counts = field && field.auto === undefined && (field.type === 'counter') === (read.kind === 'INC') && refuses(field, given) === null
    if (counts) read.fields.set(name, given === undefined ? null : plain(given))
    else read.partly = true
  }
  if (read.kind !== 'NEW') return read.fields.size > 0
  return [...fields.values()].every(f => f.computed || !f.required || f.fallback !== null || read.fields.has(f.name))
}

/* Writers are hex and hashes ASCII, so that text compares as bytes do; what is no hex is compared as the core does, by UTF-8. */
const compareText = (a, b) => {
  if (a === b) return 0
  const [x, y] = [utf8.encode(a), utf8.encode(b)]
  for (let i = 0; i < x.length && i < y.length; i++) if (x[i] !== y[i]) return x[i] - y[i]
  return x.length - y.length
}

const compareBytes = (a, b) => {
  for (let i = 0; i < a.length && i < b.length; i++) if (a[i] !== b[i]) return a[i] - b[i]
  return a.length - b.length
}

/** The log's total order. An order is {time, writer, digest}: clock.time, clock.id, the 32 bytes of the entry's hash. */
export const compareOrders = (a, b) => a.time - b.time || compareText(a.writer, b.writer) || compareBytes(a.digest, b.digest)

/* ---- documents ---- */

class Doc {
  constructor (id) {
    this.id = id
    this.ops = new Map() /* opid -> the oldest operation of that name */
    this.shown = undefined /* undefined: to be added up */
  }
}

/* Its kept operations, oldest first. */
const history = doc => [...doc.ops.values()].sort((a, b) => compareOrders(a.order, b.order))

function addUp (fields, doc) {
  const all = history(doc)
  const live = all.slice(all.findLastIndex(op => op.kind === 'DEL') + 1)
  const created = live.find(op => op.kind === 'NEW')
  if (!created) return null
  const updated = live[live.length - 1]
  const value = {}
  for (const field of fields.values()) value[field.name] = shows(field, live, created, updated)
  return { id: doc.id, order: created.order, created: created.at, updated: updated.at, value }
}

function shows (field, live, created, updated) {
  if (field.auto === 'created') return created.at
  if (field.auto === 'updated') return updated.at
  if (field.auto === 'creator') return created.by || created.order.writer.slice(-CREATOR_LEN)
  if (field.type === 'counter') return sum(field, live)
  const value = live.findLast(op => op.kind !== 'INC' && op.fields.has(field.name))?.fields.get(field.name) ?? null
  return value === null ? field.fallback : value
}

function sum (field, live) {
  let total = BigInt(field.fallback ?? 0)
  for (const op of live) if (op.kind === 'INC' && op.fields.has(field.name)) total += BigInt(op.fields.get(field.name))
  const limit = BigInt(INT_MAX)
  return Number(total > limit ? limit : total < -limit ? -limit : total)
}

/** The state of one collection. */
export class CollectionState {
  /** @param {object} fields as app.json has them */
  constructor (fields) {
    this.fields = readFields(fields)
    this.docs = new Map()
    /** Operations of which something was ignored, in whole or in part. */
    this.ignored = 0
  }

  /** @returns {boolean} may something show differently now? */
  apply (order, payload) {
    const read = readOperation(this.fields, payload)
    if (!read) {
      this.ignored++
      return false
    }
    let doc = this.docs.get(read.key)
    if (!doc) this.docs.set(read.key, doc = new Doc(read.key))
    const twin = doc.ops.get(read.opid)
    if (twin && compareOrders(twin.order, order) <= 0) return false
    if (read.partly) this.ignored++
    doc.ops.set(read.opid, { ...read, order })
    const showed = doc.shown
    doc.shown = undefined
    return showed !== null || this.#settled(doc) !== null
  }

  #settled (doc) {
    if (doc.shown === undefined) doc.shown = addUp(this.fields, doc)
    return doc.shown
  }

  /** A document {id, created, updated, value}, or null when it does not show. */
  get (id) {
    const doc = this.docs.get(id)
    const shown = doc ? this.#settled(doc) : null
    return shown && without(shown)
  }

  /** The documents that show, in the order of their creation. */
  all () {
    const shown = []
    for (const doc of this.docs.values()) {
      const one = this.#settled(doc)
      if (one) shown.push(one)
    }
    return shown.sort((a, b) => compareOrders(a.order, b.order)).map(without)
  }

  /** The operations on a document that count, oldest first, those before its newest deletion too. */
  history (id) {
    const doc = this.docs.get(id)
    return doc ? history(doc).map(op => ({ op: op.kind, opid: op.opid, by: op.by, at: op.at, writer: op.order.writer, value: op.kind === 'DEL' ? null : Object.fromEntries(op.fields) })) : []
  }

  knows (id, opid) { return this.docs.get(id)?.ops.has(opid) ?? false }

  /** The payload of an operation. Throws what the rules have against it.
   * @param {{op: string, key: string, value?: object, opid: string, at: number}} operation */
  write ({ op, key, value, opid, at }) {
    const payload = { op, key, value: op === 'DEL' ? null : { ...value }, opid, at }
    if (op !== 'DEL') for (const [name, given] of Object.entries(payload.value)) this.#mayWrite(op, name, given)
    const read = readOperation(this.fields, payload)
    if (!read || read.partly) throw new Error(op === 'NEW' ? 'a required field is left out, or the id is no text of 1 to 128 bytes' : 'nothing to write, or the id is no text of 1 to 128 bytes')
    return payload
  }

  #mayWrite (op, name, given) {
    const field = this.fields.get(name)
    if (!field) throw new Error(`${name}: no field of this collection`)
    if (field.auto !== undefined) throw new Error(`${name}: fills itself`)
    if ((field.type === 'counter') !== (op === 'INC')) throw new Error(`${name}: ${op === 'INC' ? 'is no counter' : 'a counter is changed by increment alone'}`)
    const why = refuses(field, given)
    if (why) throw new Error(`${name}: ${why}`)
  }
}

const without = ({ id, created, updated, value }) => ({ id, created, updated, value: { ...value } })
