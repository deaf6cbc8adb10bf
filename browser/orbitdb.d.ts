/* Types of 'holdfast/orbitdb' and 'holdfast/collection.js'. */

export interface Field {
  type: 'text' | 'bool' | 'int' | 'number' | 'time' | 'choice' | 'counter'
  label?: string
  required?: boolean
  multiline?: boolean
  min?: number
  max?: number
  default?: unknown
  choices?: string[]
  auto?: 'created' | 'updated' | 'creator'
}

export type Fields = Record<string, Field>

/** A collection as app.json has it. */
export interface Schema { write?: string[], fields: Fields }

/** app.json, as far as it matters here. */
export interface App { name: string, collections: Record<string, Schema> }

export interface Doc {
  id: string
  /** The clock of whoever created it, in ms since 1970. */
  created: number
  updated: number
  /** Every field of the schema: its newest value, its default, or null. */
  value: Record<string, unknown>
}

export interface Change { op: 'NEW' | 'SET' | 'DEL' | 'INC', opid: string, by: string, at: number, writer: string, value: Record<string, unknown> | null }

export interface How {
  /** The operation's ID: the same action, sent again anywhere, has the same one and takes effect once. Without it a fresh one. */
  opid?: string
  /** Wall clock in ms, shown to people; now without it. */
  at?: number
}

/** What orbitdb.open gives for a collection, beside what every database of @orbitdb/core has. Writes resolve to the entry's hash; null: this operation was done before.
 * They throw what the schema's rules have against them. */
export interface Collection {
  readonly address: string
  readonly name: string
  readonly type: 'collection'
  readonly events: { on (name: string, listener: (...args: any[]) => void): void }
  /** @returns the document's ID: `id`, or that of the operation */
  create (value: Record<string, unknown>, how?: How & { id?: string }): Promise<string>
  set (id: string, value: Record<string, unknown>, how?: How): Promise<string | null>
  increment (id: string, amounts: Record<string, number>, how?: How): Promise<string | null>
  del (id: string, how?: How): Promise<string | null>
  get (id: string): Promise<Doc | null>
  /** In the order of creation. */
  all (): Promise<Doc[]>
  iterator (): AsyncIterable<Doc>
  /** The operations on a document that count, oldest first. */
  history (id: string): Promise<Change[]>
  /** Operations of which something was ignored. */
  readonly ignored: number
  close (): Promise<void>
  drop (): Promise<void>
}

/** For orbitdb.open(address, { Database }). */
export function collection (schema: Schema): (options: object) => Promise<Collection>
/** For useDatabaseType: all collections of an app. */
export function collections (app: App): { (): (options: object) => Promise<Collection>, type: 'collection' }

/** The log's total order. */
export interface Order { time: number, writer: string, digest: Uint8Array }
export function compareOrders (a: Order, b: Order): number

/** What a collection shows, without any database: apply operations in any order. */
export class CollectionState {
  constructor (fields: Fields)
  readonly ignored: number
  apply (order: Order, payload: unknown): boolean
  get (id: string): Doc | null
  all (): Doc[]
  history (id: string): Change[]
  knows (id: string, opid: string): boolean
  write (operation: { op: 'NEW' | 'SET' | 'DEL' | 'INC', key: string, value?: Record<string, unknown> | null, opid: string, at: number }): Record<string, unknown>
}
