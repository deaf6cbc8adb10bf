/* files: what this release is made of. The worker's own script names each file with its SHA-256, and bytes that are not those are neither kept nor run,
 * wherever they come from: a node of another release, a network that answers with something else, a cache that was tampered with. */

const hexOf = buffer => [...new Uint8Array(buffer)].map(b => b.toString(16).padStart(2, '0')).join('')

export class Files {
  /** @param {{release: string, files: Record<string, string>}} build name -> SHA-256 in hex
   *  @param {() => boolean} retired a newer worker takes over: what it has removed must not be made again */
  constructor (build, retired) {
    this.build = build
    this.retired = retired
    this.cacheName = `holdfast-${build.release}`
  }

  url (name) { return `/_holdfast/${name}?v=${this.build.release}` }

  /** All of them or none: never two releases in one worker. */
  async install () {
    const cache = await caches.open(this.cacheName)
    await Promise.all(Object.keys(this.build.files).map(async name => cache.put(this.url(name), await this.#fetched(name))))
  }

  /** Brings back what the browser has cleared away, while there is somebody to bring it from. */
  async mend () { for (const name of Object.keys(this.build.files)) if (!await this.#kept(name)) await this.#repaired(name) }

  /** Those of other releases; but what is being installed meanwhile is not ours to remove, and its worker will tidy up. */
  async forgetOthers () {
    for (const name of await caches.keys()) {
      if (self.registration.installing || self.registration.waiting) return
      if (name.startsWith('holdfast-') && name !== this.cacheName) await caches.delete(name)
    }
  }

  async module () {
    const response = await this.#kept('core.wasm')
    if (response) {
      /* Compiled while it is hashed, from the very answer of the cache, with which the browser keeps what it compiled. */
      const bytes = response.clone().arrayBuffer()
      const [module, right] = await Promise.all([WebAssembly.compileStreaming(response), bytes.then(b => this.#isRight('core.wasm', b))]).catch(() => [])
      if (right) return module
    }
    return WebAssembly.compileStreaming(await this.#repaired('core.wasm'))
  }

  async bundle () { return new Uint8Array(await (await this.#file('app.bundle')).arrayBuffer()) }

  /** Of a request for something under /_holdfast/: what is not of this release is the node's business. */
  async answer (request, url) {
    const name = Object.keys(this.build.files).find(name => this.url(name) === url.pathname + url.search)
    return name ? this.#file(name).catch(() => Response.error()) : fetch(request)
  }

  async #file (name) {
    const response = await this.#kept(name)
    return response && await this.#isRight(name, await response.clone().arrayBuffer()) ? response : this.#repaired(name)
  }

  #kept (name) { return caches.match(this.url(name), { cacheName: this.cacheName }) }

  async #repaired (name) {
    const response = await this.#fetched(name)
    if (this.retired()) return response
    const kept = response.clone()
    await caches.open(this.cacheName).then(cache => cache.put(this.url(name), kept)).catch(() => {}) /* no room */
    return response
  }

  /* The browser's own cache will do, as long as it has the right bytes. */
  async #fetched (name) {
    let problem
    for (const cache of ['force-cache', 'reload']) {
      try {
        const response = await fetch(this.url(name), { cache })
        if (!response.ok) throw new Error(`${name}: ${response.status}`)
        if (!await this.#isRight(name, await response.clone().arrayBuffer())) throw new Error(`${name} is not of release ${this.build.release}`)
        return response
      } catch (error) {
        problem = error
      }
    }
    throw problem
  }

  async #isRight (name, bytes) { return hexOf(await crypto.subtle.digest('SHA-256', bytes)) === this.build.files[name] }
}
