/* The todos in SQLite: statements prepared once, WAL, a commit is on the disk when it returns. DATABASE: the file. */
import Database from 'better-sqlite3'
import { randomBytes } from 'node:crypto'

const db = new Database(process.env.DATABASE ?? ':memory:')
db.pragma('journal_mode = WAL')
db.pragma('synchronous = FULL')
db.exec(`CREATE TABLE IF NOT EXISTS todos (id TEXT PRIMARY KEY, text TEXT NOT NULL, done INTEGER NOT NULL DEFAULT 0, assignee TEXT, creator TEXT,
  created INTEGER NOT NULL, updated INTEGER NOT NULL) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS todos_created ON todos (created);
  CREATE INDEX IF NOT EXISTS todos_done ON todos (done)`)

const newest = db.prepare('SELECT id, text, done, assignee, created FROM todos ORDER BY created DESC LIMIT 100')
const counted = db.prepare('SELECT count(*) AS n FROM todos WHERE done = ?')
const one = db.prepare('SELECT * FROM todos WHERE id = ?')
const insert = db.prepare('INSERT INTO todos (id, text, assignee, creator, created, updated) VALUES (?, ?, ?, ?, ?, ?)')
const flip = db.prepare('UPDATE todos SET done = 1 - done, updated = ? WHERE id = ?')
const remove = db.prepare('DELETE FROM todos WHERE id = ?')

export const list = () => newest.all()
export const count = () => ({ open: counted.get(0).n, done: counted.get(1).n })
export const find = id => one.get(id)
export const toggle = id => flip.run(Date.now(), id).changes
export const drop = id => remove.run(id).changes

export function add (text, assignee, creator) {
  const now = Date.now()
  insert.run(randomBytes(13).toString('hex'), text, assignee, creator, now, now)
}
