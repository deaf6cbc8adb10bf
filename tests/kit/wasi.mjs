// Runs a WebAssembly command under node's WASI: node tests/kit/wasi.mjs PROGRAM.wasm [ARGUMENT]...
// The program sees tests/vectors read through the same relative path as natively. Its exit status is ours.
import { readFile } from 'node:fs/promises'
import { WASI } from 'node:wasi'

const [program, ...args] = process.argv.slice(2)
const wasi = new WASI({
  version: 'preview1',
  args: [program, ...args],
  env: process.env,
  preopens: { 'tests/vectors': 'tests/vectors', apps: 'apps' },
  returnOnExit: true,
})
const module = await WebAssembly.compile(await readFile(program))
const instance = await WebAssembly.instantiate(module, { wasi_snapshot_preview1: wasi.wasiImport })
process.exitCode = wasi.start(instance)
