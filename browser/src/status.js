/* status: the badge. Writes html[data-mode], [data-peers], [data-pending] and fills what the app's own markup offers:
 * #hf-status (shown once a worker speaks), [data-hf=peers|pending|copies|synced|failed] inside it, and radio buttons named hf-mode (auto, local).
 * html[data-failed] is there while this browser cannot keep what is written (its disk is full): forms then need a node. */

export class Badge {
  constructor ({ override }) {
    this.status = null
    document.addEventListener('change', event => { if (event.target.name === 'hf-mode') override(event.target.value) })
    document.addEventListener('holdfast:shown', () => { if (this.status) this.show(this.status) })
  }

  show (status) {
    this.status = status
    const root = document.documentElement
    root.dataset.mode = status.mode
    root.dataset.peers = status.peers
    root.dataset.pending = status.pending
    root.toggleAttribute('data-failed', Boolean(status.failed))
    const badge = document.getElementById('hf-status')
    if (!badge) return
    badge.hidden = false
    const words = {
      peers: status.peers,
      pending: status.pending,
      copies: status.copies + 1, /* and this one */
      synced: status.lastSync ? new Date(status.lastSync).toLocaleTimeString() : null,
      failed: status.failed
    }
    for (const element of badge.querySelectorAll('[data-hf]')) {
      const word = words[element.dataset.hf]
      if (word != null && element.textContent !== String(word)) element.textContent = word
    }
    const radio = badge.querySelector(`[name=hf-mode][value=${status.override}]`)
    if (radio) radio.checked = true
  }
}
