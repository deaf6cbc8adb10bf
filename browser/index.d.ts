/* Types of the browser's modules. core.js and mode.js are for everybody; replica.js, rtc.js and store.js are what the worker and the page are made of. */

export type Bytes = Uint8Array | string

export interface Request {
  method: string
  path: string
  query?: string
  origin?: string
  contentType?: string | null
  body?: Bytes | null
  ifNoneMatch?: string | null
  ifMatch?: string | null
  accept?: string | null
  headerOrigin?: string
  secFetchSite?: string
  referer?: string
  clientOp?: string | null
  session?: Bytes
  /** 16 bytes; without it the core draws its own. */
  nonce?: Uint8Array
  /** Wall clock in milliseconds; now without it. */
  now?: number
}

export interface Answer {
  status: number
  /** 0, or the sequence number that must be durable before the answer may be given away. */
  seq: number
  headers: [name: string, value: string][]
  body: Uint8Array
}

export type OutputKind = 'store' | 'send' | 'close' | 'changed' | 'peerUp' | 'peerKnown' | 'peerDown' | 'level' | 'introduced' | 'signal' | 'refused'
  | 'database' | 'reachable' | 'rtcCall' | 'rtcHeard' | 'rtcEnded'

/** What two peers tell each other to set up a WebRTC connection. */
export type RtcType = 'offer' | 'answer' | 'candidate'

export interface Output {
  kind: OutputKind
  seq: number
  conn: number
  /** 1 and up in the order of `describe().databases`, then those added at run time; 0: none. */
  database: number
  last: boolean
  cid: Uint8Array
  bytes: Uint8Array
  peer: string
  reason: string
  peers: string[]
  protocols: string[]
  agent: string
  /** Of rtc… outputs. */
  session: number
  type: RtcType
}

export interface Description {
  peerId: string
  release: string
  databases: Record<string, string>
  entries: Record<string, number>
  versions: Record<string, string>
}

/** The C core in WebAssembly. Synchronous; after each call drain `next()` until it is null. */
export class Core {
  static load (module: WebAssembly.Module): Promise<Core>
  static check (err: number, what: string): void
  secrets (): Uint8Array
  /** @throws when the app cannot be read */
  start (options: { secrets: Uint8Array, release: string, script: string, bundle: Uint8Array, agent: string }): void
  load (database: number, cid: Uint8Array, block: Uint8Array): boolean
  /** A stored block that need not be read now. */
  keep (cid: Uint8Array, block: Uint8Array): void
  snapshot (database: number): Uint8Array | null
  restore (database: number, saved: Uint8Array): boolean
  get databases (): number
  address (database: number): string
  entries (database: number): number
  /** The number, or 0. */
  dbOpen (address: string): number
  dbCreate (options: { name: string } & CreateOptions): number
  dbLoaded (db: number): void
  dbClose (db: number): boolean
  dbInfo (db: number): DatabaseInfo | null
  dbAppend (db: number, op: 'add' | 'put' | 'del', key?: unknown, value?: unknown): { seq: number, hash: string }
  dbChange (db: number, grants: boolean, capability: string, id: string): number
  dbGranted (db: number, capability: string): string[]
  dbRows (db: number, query?: Query & { oldestFirst?: boolean }): Row[]
  dbGet (db: number, key: unknown): Row | null
  ready (): void
  handle (request: Request): Answer
  /** Right after the `handle` that answered `seq`. */
  written (seq: number): Uint8Array | null
  open (conn: number, dialer: boolean, peer: string): boolean
  recv (conn: number, bytes: Uint8Array): boolean
  lost (conn: number): void
  busy (conn: number, busy: boolean): void
  signal (to: string, data: Bytes): boolean
  /** Keeps a reservation at this relay (or lets it run out). */
  reserve (relay: string, on?: boolean): boolean
  /** '' or why not. */
  meet (relay: string, peer: string): string
  rtcSay (session: number, type: RtcType, data: Bytes): boolean
  rtcUp (session: number, conn: number): boolean
  rtcFailed (session: number): void
  channelOpened (conn: number, channel: number): boolean
  channelRecv (conn: number, channel: number, bytes: Uint8Array): boolean
  channelClosed (conn: number, channel: number): void
  channelBusy (conn: number, channel: number, busy: boolean): void
  stored (seq: number): void
  tick (): void
  /** On the clock of performance.now(); Infinity: no need. */
  get deadline (): number
  get pending (): number
  next (): Output | null
  describe (): Description
}

export interface ModeOptions {
  failureThreshold: number
  openStateTimeout: number
  halfOpenSuccessThreshold: number
  baseBackoffMs: number
  maxBackoffMs: number
  visibleBackoffMs: number
  lateMs: number
  probesApartMs: number
  mergeMs: number
}

export const OPTIONS: ModeOptions

export type ModeName = 'server' | 'local' | 'peer' | 'offline'

/** Events with their time in, a mode out. */
export class Mode {
  constructor (options?: Partial<ModeOptions> & { own?: string })
  readonly options: ModeOptions
  peers: number
  onLine: boolean
  override: 'auto' | 'local'
  get mode (): ModeName
  succeeded (): void
  failed (now: number): void
  probed (now: number, ok: boolean): void
  linkUp (link: string): void
  linkLevel (link: string): void
  linkDown (link: string, now: number): void
  asksNode (now: number): boolean
}

export function backoffMs (attempt: number, random: number, capMs?: number, baseMs?: number): number

export interface Block { address: string, cid: Uint8Array, block: Uint8Array }
/** Where a store ends: its last block, and how many there are up to it. */
export interface StoreMark { key: number, cid: Uint8Array, n: number }

/* ---- OrbitDB databases in a page: globalThis.holdfast.databases ---- */

export type DatabaseType = 'events' | 'keyvalue' | 'keyvalue-indexed' | 'documents'

export interface CreateOptions {
  /** `events` without it. */
  type?: DatabaseType
  /** Identity ids that may write, or '*'; this browser alone without it. */
  write?: string[]
  /** Rights can be granted and revoked later. */
  guarded?: boolean
}

export interface DatabaseInfo {
  address: string
  /** As the manifest has it: of keyvalue-indexed it is keyvalue. Empty while it is sought. */
  type: string
  name: string
  state: 'seeking' | 'waiting' | 'loading' | 'open' | 'broken'
  entries: number
  /** Entries that wait for others, or for a grant. */
  waiting: number
  mayWrite: boolean
  /** false: only there because it guards another. */
  listed: boolean
  /** Address of the database that says who may write; empty: the access list is fixed. */
  guard: string
  /** Our own identity: what access lists hold. */
  identity: string
  /** Why it is broken. */
  problem: string
}

/** One thing that a database shows. Events have no key. */
export interface Row { hash: string, key?: any, value: any }

/** Hashes of entries: events alone. `amount`: of the newest, unless gt or gte say otherwise. */
export interface Query { amount?: number, lt?: string, lte?: string, gt?: string, gte?: string }

/** Values are JSON. Writes resolve to the entry's hash when it is durable in this browser; they reject when this browser may not write, or the type does not take it. */
export interface Database {
  readonly address: string
  readonly name: string
  readonly type: string
  readonly identity: string
  info (): Promise<DatabaseInfo>
  /** Oldest first. */
  all (): Promise<Row[]>
  /** Newest first. */
  query (query?: Query): Promise<Row[]>
  /** The value of a key; of events, by the entry's hash. */
  get (key: string): Promise<any>
  /** events */
  add (value: unknown): Promise<string>
  /** keyvalue */
  put (key: string, value: unknown): Promise<string>
  /** documents: the key is its `_id` */
  put (document: { _id: string }): Promise<string>
  del (key: string): Promise<string>
  /** Of a database made with `guarded`: 'write', 'admin', or a word of your own, for an identity id or '*'. Durable here when it resolves, and also when it was
   *  so before. Rejects when this browser is no admin, when rights are fixed, and when what is to be revoked is had for another reason. */
  grant (capability: string, id: string): Promise<void>
  revoke (capability: string, id: string): Promise<void>
  /** The identity ids that were granted it and have it still. */
  granted (capability: string): Promise<string[]>
  /** Not replicated any more, and not opened again by the next start; what is stored stays. */
  close (): Promise<void>
  /** Called after it changed, whoever changed it; several changes are told together. Ends with the function that it gives. */
  subscribe (listener: (database: Database) => void): () => void
}

export class Databases {
  /** Rejects when nobody has what stands under the address within a minute. */
  open (address: string): Promise<Database>
  /** Or opens the one that was made with the same name, type and access. */
  create (name: string, options?: CreateOptions): Promise<Database>
  /** Those that are open, in this life or since an earlier one. */
  list (): Promise<DatabaseInfo[]>
}

declare global {
  /** Set by the page script. */
  var holdfast: { readonly databases: Databases }
}

/** IndexedDB; what it says is stored has been committed with strict durability. */
export class Store {
  static open (): Promise<Store>
  /** Called when the database was taken away; assign to be told. */
  lost (): void
  close (): void
  slices (after?: number, upTo?: number): AsyncIterable<(Block & { key: number })[]>
  mark (): Promise<StoreMark | null>
  holds (mark: StoreMark): Promise<boolean>
  put (records: Block[], meta?: Record<string, unknown>): Promise<void>
  get (key: string): Promise<any>
  /** undefined: nothing is kept there any more. */
  set (key: string, value: unknown): Promise<void>
  setOnce<T> (key: string, value: T): Promise<T>
}

export interface ReplicaEvents {
  send (conn: number, bytes: Uint8Array): void
  close (conn: number, reason: string): void
  peer (conn: number, peer: string): void
  introduced (via: string, peers: string[]): void
  signal (from: string, text: string): void
  changed (): void
  /** One added at run time: its content or its state. */
  database (address: string): void
  status (): void
  alone (): void
  lost (): void
}

export interface ReplicaOptions {
  module: () => Promise<WebAssembly.Module>
  bundle: () => Promise<Uint8Array>
  release: string
  script: string
  origin: string
  mode: Mode
  on: ReplicaEvents
}

/** The databases added at run time, as the worker has them. */
export class Opened {
  open (address: string): Promise<DatabaseInfo>
  create (options: { name: string } & CreateOptions): Promise<DatabaseInfo>
  close (address: string): Promise<void>
  list (): DatabaseInfo[]
  info (address: string): DatabaseInfo
  rows (address: string, query?: Query & { oldestFirst?: boolean }): Promise<Row[]>
  row (address: string, key: unknown): Promise<Row | null>
  grant (address: string, capability: string, id: string): Promise<void>
  revoke (address: string, capability: string, id: string): Promise<void>
  granted (address: string, capability: string): string[]
  append (address: string, op: 'add' | 'put' | 'del', key?: unknown, value?: unknown): Promise<string>
}

/** A peer of its own over IndexedDB; the one writer of its browser profile. */
export class Replica {
  static open (options: ReplicaOptions): Promise<Replica>
  readonly self: string
  readonly secrets: Uint8Array
  readonly store: Store
  readonly core: Core
  readonly lastSync: number
  readonly failed: unknown
  /** Resolves when what was written is durable; rejects when it cannot be. */
  handle (request: Request): Promise<Answer & { written?: Uint8Array | null }>
  durable (seq: number): Promise<void>
  /** All blocks are at hand: peers may be met. */
  readonly whole: Promise<void>
  readonly opened: Opened
  nodes (list: { url: string, peer: string }[]): Promise<void>
  connect (): void
  open (conn: number, dialer: boolean, peer: string): void
  recv (conn: number, bytes: Uint8Array): boolean
  lost (conn: number): void
  busy (conn: number, busy: boolean): void
  signal (to: string, data: Bytes): boolean
  tick (): void
  get browserPeers (): string[]
  get browsers (): number
  get copies (): number
  get pending (): number
  close (): Promise<void>
}

export function linkOf (address: string): string

export interface PeersOptions {
  self: string
  store: Store
  iceServers: RTCIceServer[]
  post (message: object, transfer?: Transferable[]): void
}

/** The ways to other browsers, held by a page. */
export class Peers {
  constructor (options: PeersOptions)
  start (): Promise<void>
  stop (): void
  renew (): void
  connected (peer: string): boolean
  introduced (via: string, peers: string[]): void
  signalled (from: string, text: string): Promise<void>
  send (conn: number, bytes: Uint8Array): void
  close (conn: number): void
  proved (conn: number, peer: string): Promise<void>
}
